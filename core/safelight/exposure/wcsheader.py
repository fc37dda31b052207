"""Reading a celestial WCS from the FITS cards that cameras and plate solvers write."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError
from safelight.exposure.projection import tan_project
from safelight.exposure.tansip import TanSipWcs

__all__ = ["read_tan_sip"]

FloatArray = NDArray[np.float64]

_TAN = re.compile(r"^(RA---TAN|DEC--TAN)(-SIP)?$")


def read_tan_sip(header: Mapping[str, Any]) -> TanSipWcs:
    """See `TanSipWcs.from_header`."""
    types = [str(header.get(f"CTYPE{k}", "")).strip().upper() for k in (1, 2)]
    if not all(_TAN.match(ctype) for ctype in types):
        raise _no_wcs(f"CTYPE1 is {types[0]!r} and CTYPE2 is {types[1]!r}, not RA---TAN and DEC--TAN")
    swapped = types[0].startswith("DEC")
    if swapped == types[1].startswith("DEC"):
        raise _no_wcs(f"both axes are {types[0]!r}")
    crpix = np.array([_number(header, f"CRPIX{k}", 0.0) for k in (1, 2)]) - 1.0
    crval = np.array([_number(header, f"CRVAL{k}") for k in (1, 2)])
    cd = _cd_matrix(header)
    if swapped:
        crval, cd = crval[::-1].copy(), cd[::-1].copy()
    if not np.all(np.isfinite(cd)) or abs(np.linalg.det(cd)) < 1e-20:
        raise _no_wcs("its CD matrix is singular")
    if not -90.0 <= crval[1] <= 90.0:
        raise _no_wcs(f"its declination is {crval[1]}")
    cd = _turned_by_lonpole(header, cd)
    crval, cd = _to_icrs(header, crval, cd)
    a, b, ap, bp = (_sip_matrix(header, name) for name in ("A", "B", "AP", "BP"))
    return TanSipWcs(crpix, crval, cd, a, b, ap, bp)


def _no_wcs(reason: str) -> ProcessingError:
    return ProcessingError("NO_HEADER_WCS", f"The header has no usable TAN projection: {reason}.")


def _number(header: Mapping[str, Any], keyword: str, default: float | None = None) -> float:
    value = header.get(keyword, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _no_wcs(f"{keyword} is {value!r}" if value is not None else f"{keyword} is missing") from None
    if not math.isfinite(number):
        raise _no_wcs(f"{keyword} is {number}")
    return number


def _cd_matrix(header: Mapping[str, Any]) -> FloatArray:
    """CD where there is one, else PC or CROTA2 times CDELT."""
    pairs = [(i, j) for i in (1, 2) for j in (1, 2)]
    if any(f"CD{i}_{j}" in header for i, j in pairs):
        return np.array([_number(header, f"CD{i}_{j}", 0.0) for i, j in pairs]).reshape(2, 2)
    if "CDELT1" not in header or "CDELT2" not in header:
        raise _no_wcs("it has neither CD nor CDELT")
    cdelt = np.array([_number(header, "CDELT1"), _number(header, "CDELT2")])
    if any(f"PC{i}_{j}" in header for i, j in pairs):
        pc = np.array([_number(header, f"PC{i}_{j}", float(i == j)) for i, j in pairs]).reshape(2, 2)
        scaled: FloatArray = cdelt[:, None] * pc
        return scaled
    angle = math.radians(_number(header, "CROTA2", 0.0))
    cos, sin = math.cos(angle), math.sin(angle)
    # Calabretta & Greisen 2002, equation 189.
    return np.array([[cdelt[0] * cos, -cdelt[1] * sin], [cdelt[0] * sin, cdelt[1] * cos]])


def _turned_by_lonpole(header: Mapping[str, Any], cd: FloatArray) -> FloatArray:
    """A native pole elsewhere than at 180° is a rotation of a zenithal projection's plane."""
    lonpole = _number(header, "LONPOLE", 180.0)
    angle = math.radians(lonpole - 180.0)
    if angle == 0.0:
        return cd
    cos, sin = math.cos(angle), math.sin(angle)
    turned: FloatArray = np.array([[cos, sin], [-sin, cos]]) @ cd
    return turned


def _sip_matrix(header: Mapping[str, Any], name: str) -> FloatArray | None:
    if f"{name}_ORDER" not in header:
        return None
    order = int(_number(header, f"{name}_ORDER"))
    if not 0 <= order <= 9:
        raise _no_wcs(f"{name}_ORDER is {order}")
    matrix = np.zeros((order + 1, order + 1))
    for i in range(order + 1):
        for j in range(order + 1 - i):
            matrix[i, j] = _number(header, f"{name}_{i}_{j}", 0.0)
    return matrix if matrix.any() else None


def _to_icrs(header: Mapping[str, Any], crval: FloatArray, cd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Precess reference point and matrix to ICRS when the header's system is neither ICRS nor FK5 of 2000."""
    equinox = _number(header, "EQUINOX", math.nan) if "EQUINOX" in header else math.nan
    given = str(header.get("RADESYS", header.get("RADECSYS", ""))).strip().upper()
    system = given or ("FK4" if equinox < 1984.0 else "FK5" if equinox == equinox else "ICRS")
    if system == "ICRS" or (system == "FK5" and (math.isnan(equinox) or equinox == 2000.0)):
        return crval, cd
    if system not in ("FK5", "FK4", "FK4-NO-E"):
        raise _no_wcs(f"RADESYS is {system!r}")
    from astropy.coordinates import FK4, FK5, FK4NoETerms, SkyCoord
    from astropy.time import Time

    epoch = Time(1950.0 if math.isnan(equinox) else equinox, format="byear" if system != "FK5" else "jyear")
    frame = {"FK5": FK5, "FK4": FK4, "FK4-NO-E": FK4NoETerms}[system](equinox=epoch)
    towards = -1e-3 if crval[1] > 0 else 1e-3  # a step along the meridian, away from the nearer pole
    here = SkyCoord([crval[0]] * 2, [crval[1], crval[1] + towards], unit="deg", frame=frame).icrs
    new = np.array([here.ra.deg[0], here.dec.deg[0]])
    xi, eta = tan_project(here.ra.deg[1], here.dec.deg[1], *new)
    angle = math.atan2(float(xi) * math.copysign(1.0, towards), float(eta) * math.copysign(1.0, towards))
    cos, sin = math.cos(angle), math.sin(angle)
    return new, np.array([[cos, sin], [-sin, cos]]) @ cd
