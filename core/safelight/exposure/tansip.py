"""TAN-SIP: the WCS that is written to files (SIP convention of Shupe et al. 2005, ASP Conf. 347, 491)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.errors import ProcessingError
from safelight.exposure.polynomial import evaluate
from safelight.exposure.projection import tan_deproject, tan_project

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["WCS_KEYWORDS", "TanSipWcs", "header_without_wcs"]

FloatArray = NDArray[np.float64]

#: Keywords that describe a celestial WCS; they lose their meaning when pixels are mirrored or trimmed.
WCS_KEYWORDS = re.compile(
    r"^(WCSAXES|CTYPE[12]|CRVAL[12]|CRPIX[12]|CUNIT[12]|CDELT[12]|CROTA[12]|CD[12]_[12]|PC[12]_[12]|PC00[12]00[12]|PV[12]_\d+"
    r"|[AB]P?_(ORDER|DMAX|\d+_\d+)|LONPOLE|LATPOLE|LONGPOLE|RADESYS|RADECSYS|EQUINOX|WCSNAME|IMAGEW|IMAGEH|RESTFRQ|RESTWAV)$"
)

_MAX_ITERATIONS = 60
_TOLERANCE_PIXELS = 1e-8  # of the last change; the error is smaller by the contraction, 0.02 for HSC


def header_without_wcs(header: Mapping[str, Any]) -> dict[str, Any]:
    """The cards of `header` that do not describe its celestial WCS."""
    return {key: value for key, value in header.items() if not WCS_KEYWORDS.match(key)}


@dataclass(frozen=True, slots=True, eq=False)
class TanSipWcs:
    """Gnomonic projection with SIP polynomials; pixels 0-based, angles in degrees, ICRS.

    Intermediate world coordinates are ``cd @ (u + A(u, v), v + B(u, v))`` with ``(u, v) = pixel - crpix``. The
    inverse iterates the forward polynomials, so that it is exact; `ap` and `bp` only start it (and serve others).
    """

    crpix: FloatArray  # (2,), 0-based
    crval: FloatArray  # (2,), ra and dec in degrees
    cd: FloatArray  # (2, 2), degrees per pixel
    a: FloatArray | None = None  # (n + 1, n + 1), [i, j] of u**i v**j
    b: FloatArray | None = None
    ap: FloatArray | None = None
    bp: FloatArray | None = None
    max_error_mas: float = 0.0  # largest error of this rendering of another WCS; 0 when it renders none
    _forward: FloatArray | None = field(default=None, init=False, repr=False)
    _inverse: FloatArray | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "crpix", np.asarray(self.crpix, dtype=np.float64))
        object.__setattr__(self, "crval", np.asarray(self.crval, dtype=np.float64))
        object.__setattr__(self, "cd", np.asarray(self.cd, dtype=np.float64))
        object.__setattr__(self, "_forward", _stacked(self.a, self.b))
        object.__setattr__(self, "_inverse", _stacked(self.ap, self.bp))

    @property
    def degree(self) -> int:
        """Degree of the forward SIP polynomials; 1 for a plain TAN projection."""
        return 1 if self._forward is None else max(1, self._forward.shape[1] - 1)

    @property
    def pixel_scale_arcsec(self) -> float:
        """Geometric mean of the pixel's sides at the reference pixel."""
        return float(np.sqrt(abs(np.linalg.det(self.cd))) * 3600.0)

    def pixel_to_plane(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Tangent-plane coordinates (xi, eta) in degrees about `crval` of 0-based pixels."""
        u = np.asarray(x, dtype=np.float64) - self.crpix[0]
        v = np.asarray(y, dtype=np.float64) - self.crpix[1]
        u, v = np.broadcast_arrays(u, v)
        if self._forward is not None:
            shift = evaluate(self._forward, u, v)
            u, v = u + shift[0], v + shift[1]
        return self.cd[0, 0] * u + self.cd[0, 1] * v, self.cd[1, 0] * u + self.cd[1, 1] * v

    def plane_to_pixel(self, xi: ArrayLike, eta: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """0-based pixels of tangent-plane coordinates in degrees; NaN where the polynomials cannot be inverted."""
        inverse = np.linalg.inv(self.cd)
        xi, eta = np.asarray(xi, dtype=np.float64), np.asarray(eta, dtype=np.float64)
        xi, eta = np.broadcast_arrays(xi, eta)
        target = np.stack([inverse[0, 0] * xi + inverse[0, 1] * eta, inverse[1, 0] * xi + inverse[1, 1] * eta])
        position = target if self._forward is None else self._undistort(target)
        return position[0] + self.crpix[0], position[1] + self.crpix[1]

    def _undistort(self, target: FloatArray) -> FloatArray:
        assert self._forward is not None
        position = target.copy()
        if self._inverse is not None:
            position += evaluate(self._inverse, target[0], target[1])
        with np.errstate(invalid="ignore", over="ignore"):
            for _ in range(_MAX_ITERATIONS):
                new = target - evaluate(self._forward, position[0], position[1])
                change = np.abs(new - position)
                position = new
                if not np.any(change > _TOLERANCE_PIXELS):  # NaN compares false: such points are done
                    return position
            lost = ~(change.max(axis=0) < 1e-6)
        position[:, lost] = np.nan
        return position

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """ICRS (ra, dec) in degrees of 0-based pixel positions; ra in [0, 360)."""
        xi, eta = self.pixel_to_plane(x, y)
        return tan_deproject(xi, eta, float(self.crval[0]), float(self.crval[1]))

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """0-based pixel positions of ICRS degrees; NaN where the sky position cannot be projected."""
        xi, eta = tan_project(ra, dec, float(self.crval[0]), float(self.crval[1]))
        return self.plane_to_pixel(xi, eta)

    def shifted(self, dx: float, dy: float) -> TanSipWcs:
        """The WCS of a frame whose pixel (x + dx, y + dy) is this one's (x, y)."""
        return replace(self, crpix=self.crpix + np.array([dx, dy]))

    def mirrored(self, flip: Literal["none", "LR", "TB"], width: int, height: int) -> TanSipWcs:
        """The WCS after a left-right or top-bottom mirroring of a frame of `width` by `height` pixels."""
        if flip == "none":
            return self
        axis = 0 if flip == "LR" else 1
        crpix = self.crpix.copy()
        crpix[axis] = (width, height)[axis] - 1 - crpix[axis]
        sign = np.ones(2)
        sign[axis] = -1.0
        forward = [_mirrored(matrix, axis, sign[k]) for k, matrix in enumerate((self.a, self.b))]
        inverse = [_mirrored(matrix, axis, sign[k]) for k, matrix in enumerate((self.ap, self.bp))]
        return replace(self, crpix=crpix, cd=self.cd * sign, a=forward[0], b=forward[1], ap=inverse[0], bp=inverse[1])

    def to_header(self) -> dict[str, Any]:
        """FITS cards of this WCS (CRPIX 1-based), with the inverse polynomials AP, BP where there are any."""
        suffix = "" if self._forward is None else "-SIP"
        cards: dict[str, Any] = {
            "WCSAXES": 2,
            "CTYPE1": f"RA---TAN{suffix}",
            "CTYPE2": f"DEC--TAN{suffix}",
            "CUNIT1": "deg",
            "CUNIT2": "deg",
            "RADESYS": "ICRS",
            "CRPIX1": float(self.crpix[0]) + 1.0,
            "CRPIX2": float(self.crpix[1]) + 1.0,
            "CRVAL1": float(self.crval[0]),
            "CRVAL2": float(self.crval[1]),
            "LONPOLE": 180.0,
            "CD1_1": float(self.cd[0, 0]),
            "CD1_2": float(self.cd[0, 1]),
            "CD2_1": float(self.cd[1, 0]),
            "CD2_2": float(self.cd[1, 1]),
        }
        for name, matrix in (("A", self.a), ("B", self.b), ("AP", self.ap), ("BP", self.bp)):
            if matrix is not None:
                cards.update(_sip_cards(name, matrix))
        return cards

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> TanSipWcs:
        """The TAN or TAN-SIP WCS of FITS cards, read with tolerance.

        SIP coefficients count even when CTYPE says a bare ``RA---TAN`` (astrometry.net rewritten by other tools); with
        both CD and PC the CD counts; CDELT with CROTA2 or PC is understood; FK5 of 2000 is taken as ICRS (they agree to
        25 mas), other systems are precessed.

        Raises
        ------
        ProcessingError
            ``NO_HEADER_WCS`` when the cards do not make a TAN projection.
        """
        from safelight.exposure.wcsheader import read_tan_sip

        return read_tan_sip(header)

    def to_astropy(self) -> WCS:
        """The same WCS as `astropy.wcs.WCS`."""
        from astropy.io.fits import Header
        from astropy.wcs import WCS

        return WCS(Header(self.to_header()))


def _stacked(first: FloatArray | None, second: FloatArray | None) -> FloatArray | None:
    if first is None and second is None:
        return None
    size = max(len(matrix) for matrix in (first, second) if matrix is not None)
    stacked = np.zeros((2, size, size))
    for k, matrix in enumerate((first, second)):
        if matrix is not None:
            array = np.asarray(matrix, dtype=np.float64)
            if array.ndim != 2 or array.shape[0] != array.shape[1]:
                raise ProcessingError("BAD_WCS", f"A SIP matrix of shape {array.shape} is not square.")
            stacked[k, : len(array), : len(array)] = array
    i, j = np.indices((size, size))
    if np.any(stacked[:, i + j >= size]):
        raise ProcessingError("BAD_WCS", "A SIP matrix has terms beyond its order.")
    return stacked


def _mirrored(matrix: FloatArray | None, axis: int, sign: float) -> FloatArray | None:
    if matrix is None:
        return None
    parity = np.where(np.indices(matrix.shape)[axis] % 2 == 1, -1.0, 1.0)
    mirrored: FloatArray = matrix * parity * sign
    return mirrored


def _sip_cards(name: str, matrix: FloatArray) -> dict[str, Any]:
    order = len(matrix) - 1
    cards: dict[str, Any] = {f"{name}_ORDER": order}
    for i in range(order + 1):
        for j in range(order + 1 - i):
            if matrix[i, j] != 0.0:
                cards[f"{name}_{i}_{j}"] = float(matrix[i, j])
    return cards
