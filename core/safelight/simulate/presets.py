"""Ready-made nights: the 33 frames of LSST's tutorial, the same with a whole visit after them, a small one for the
demonstration, a tiny one for tests, and twelve CCDs that lie wholly on a real reference catalogue.

The tutorial's visits, CCDs, filters, dates and field are those of LSST's testdata_ci_hsc; its pointings bring the CCDs
onto one patch of sky around (320.9°, -0.4°), as there, so that `--sky` with that data set's own reference shards covers
every CCD.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import UsageError
from safelight.instruments import Instrument
from safelight.instruments.loader import load_instrument
from safelight.simulate.optics import Pointing, TrueWcs, rotator_angle
from safelight.simulate.spec import MasterSpec, NightSpec, VisitSpec

__all__ = ["PRESETS", "real_sky_ccds", "spec_from_options"]

FloatArray = NDArray[np.float64]

_BIAS_DATE = "2013-11-03"
_FLAT_DATES = {"HSC-R": "2013-06-17", "HSC-I": "2013-11-03"}

#: visit: (ccds, ra, dec, seeing in arcsec)
_Rows = Mapping[int, tuple[tuple[int, ...], float, float, float]]

_JUNE: _Rows = {
    903334: ((16, 22, 23, 100), 320.52, -0.97, 0.68),
    903336: ((17, 24), 320.56, -0.68, 0.72),
    903338: ((18, 25), 320.55, -0.47, 0.70),
    903342: ((4, 10, 100), 320.42, -0.93, 0.81),
    903344: ((0, 5, 11), 320.32, -0.68, 0.77),
    903346: ((1, 6, 12), 320.32, -0.48, 0.74),
}
_NOVEMBER: _Rows = {
    903986: ((16, 22, 23, 100), 320.31, 0.00, 0.55),
    903988: ((16, 17, 23, 24), 320.50, -0.04, 0.58),
    903990: ((18, 25), 320.81, -0.04, 0.61),
    904010: ((4, 10, 100), 320.35, 0.10, 0.59),
    904014: ((1, 6, 12), 320.80, 0.20, 0.64),
}
#: After the tutorial's: every CCD that sees the sky.
_WHOLE: _Rows = {904020: (tuple(range(104)), 320.60, -0.10, 0.62)}


def _visits(rows: _Rows, filter_name: str, first_start: str, inst_pa_deg: float) -> tuple[VisitSpec, ...]:
    """Visits that follow one another, 75 s an exposure (numbers go in steps of two)."""
    start = datetime.fromisoformat(first_start)
    made = []
    for number, (ccds, ra, dec, seeing) in rows.items():
        moment = start + timedelta(seconds=75 * (number - min(rows)) // 2)
        date, clock = moment.isoformat(timespec="milliseconds").split("T")
        made.append(
            VisitSpec(
                visit=number,
                filter=filter_name,
                ccds=ccds,
                date_obs=date,
                ut_start=clock,
                ra_deg=ra,
                dec_deg=dec,
                inst_pa_deg=inst_pa_deg,
                seeing_arcsec=seeing,
            )
        )
    return tuple(made)


def _masters(visits: Iterable[VisitSpec]) -> tuple[MasterSpec, ...]:
    """Bias and dark of all CCDs, and a flat of each filter for all of them."""
    taken = tuple(visits)
    ccds = tuple(sorted({ccd for visit in taken for ccd in visit.ccds}))
    filters = dict.fromkeys(visit.filter for visit in taken)
    return (
        MasterSpec("bias", "NONE", _BIAS_DATE, ccds),
        MasterSpec("dark", "NONE", _BIAS_DATE, ccds),
        *(MasterSpec("flat", name, _FLAT_DATES.get(name, _BIAS_DATE), ccds) for name in filters),
    )


def tutorial() -> NightSpec:
    """The 33 raw frames of the processCcd tutorial: 17 in HSC-R of 2013-06-17, 16 in HSC-I of 2013-11-02."""
    june = _visits(_JUNE, "HSC-R", "2013-06-17T13:00:00", 90.0)
    november = _visits(_NOVEMBER, "HSC-I", "2013-11-02T05:52:11", 0.0)
    return NightSpec("tutorial", (*june, *november), _masters((*june, *november)))


def night() -> NightSpec:
    """The tutorial's frames and, at the end, a visit of all 104 CCDs in HSC-I: 137 frames, and no flats in HSC-R of the
    CCDs that have no frame in it."""
    before = tutorial()
    whole = _visits({**_NOVEMBER, **_WHOLE}, "HSC-I", "2013-11-02T05:52:11", 0.0)[-1:]
    red = tuple(master for master in before.masters if master.filter == "HSC-R")
    return NightSpec("night", (*before.visits, *whole), (*_masters(whole), *red))


def demo() -> NightSpec:
    """Four frames: one CCD of the first row and one that is turned by 90 degrees, in two filters."""
    return replace(tutorial().restricted((903334, 903986), (23, 100)), name="demo")


def tiny() -> NightSpec:
    """Two frames, for tests."""
    return replace(tutorial().restricted((903334,), (16, 100)), name="tiny")


#: Seeing in arcsec: filter, date, CCDs that lie together; inner, edge (with one that is turned) and outer ones.
_REAL_GROUPS: Mapping[float, tuple[str, str, tuple[int, ...]]] = {
    0.5: ("HSC-I", "2013-11-02", (41, 49, 50, 57)),
    0.7: ("HSC-R", "2013-06-17", (16, 22, 23, 100)),
    1.0: ("HSC-R", "2013-06-17", (94, 95, 98, 99)),
}
_REAL_MARGIN_PIXELS = 400.0


def real_sky_ccds(shards: Collection[int], depth: int = 7) -> tuple[VisitSpec, ...]:
    """Three visits of four CCDs each, seeing 0.5", 0.7" and 1.0", wholly inside the HTM triangles `shards`.

    Every point of every CCD's outline, grown by 400 pixels, lies in one of the triangles. Raises `UsageError`
    (SHARDS_TOO_SMALL) when no pointing does that.
    """
    instrument = load_instrument("hsc")
    made = []
    for number, (seeing, (filter_name, date, ccds)) in enumerate(_REAL_GROUPS.items()):
        pointing = _pointing_inside(instrument, ccds, set(shards), depth)
        made.append(
            VisitSpec(
                visit=905000 + 2 * number,
                filter=filter_name,
                ccds=ccds,
                date_obs=date,
                ut_start="05:50:00" if date.endswith("11-02") else "13:00:00",
                ra_deg=pointing[0],
                dec_deg=pointing[1],
                inst_pa_deg=pointing[2],
                seeing_arcsec=seeing,
            )
        )
    return tuple(made)


def _pointing_inside(
    instrument: Instrument, ccds: tuple[int, ...], shards: set[int], depth: int
) -> tuple[float, float, float]:
    """(ra, dec, INST-PA) with which the CCDs lie inside the shards: the middle is tried first, then around it."""
    from lsst.sphgeom import HtmPixelization, LonLat

    pixels = HtmPixelization(depth)
    corners = [LonLat(vertex) for shard in sorted(shards) for vertex in pixels.triangle(shard).getVertices()]
    ra = np.array([corner.getLon().asDegrees() for corner in corners])
    dec = np.array([corner.getLat().asDegrees() for corner in corners])
    steps = sorted(((i, j) for i in range(-4, 5) for j in range(-4, 5)), key=lambda step: step[0] ** 2 + step[1] ** 2)
    for east, north in steps:
        target = (float(ra.mean()) + east * 0.05, float(dec.mean()) + north * 0.05)
        for position_angle in (0.0, 90.0):
            place = _centred(instrument, ccds, target, position_angle)
            if _covered(instrument, ccds, place, position_angle, pixels, shards):
                return (*place, position_angle)
    raise UsageError(
        "SHARDS_TOO_SMALL",
        f"No pointing brings the CCDs {', '.join(map(str, ccds))} wholly inside the HTM triangles"
        f" {', '.join(map(str, sorted(shards)))}.",
        "Give a catalogue of at least two neighbouring triangles.",
    )


def _centred(
    instrument: Instrument, ccds: tuple[int, ...], target: tuple[float, float], position_angle: float
) -> tuple[float, float]:
    """The boresight (rounded to 0.01 degree) that puts the middle of the CCDs' outlines at `target`."""
    ra, dec = target
    for _ in range(4):
        outlines = [_outline(instrument, ccd, (ra, dec), position_angle, 0.0) for ccd in ccds]
        all_ra, all_dec = (np.concatenate(parts) for parts in zip(*outlines, strict=True))
        ra += target[0] - (all_ra.max() + all_ra.min()) / 2.0
        dec += target[1] - (all_dec.max() + all_dec.min()) / 2.0
    return round(float(ra), 2), round(float(dec), 2)


def _outline(
    instrument: Instrument, ccd: int, boresight: tuple[float, float], position_angle: float, margin: float
) -> tuple[FloatArray, FloatArray]:
    return TrueWcs.of(instrument, ccd, Pointing(*boresight, rotator_angle(position_angle))).footprint(margin)


def _covered(
    instrument: Instrument,
    ccds: tuple[int, ...],
    boresight: tuple[float, float],
    position_angle: float,
    pixels: Any,
    shards: set[int],
) -> bool:
    from lsst.sphgeom import LonLat, UnitVector3d

    for ccd in ccds:
        for ra, dec in zip(*_outline(instrument, ccd, boresight, position_angle, _REAL_MARGIN_PIXELS), strict=True):
            if pixels.index(UnitVector3d(LonLat.fromDegrees(float(ra), float(dec)))) not in shards:
                return False
    return True


def real_sky(sky: Path | None) -> NightSpec:
    """Twelve CCDs on the real reference catalogue in the folder `sky`."""
    from safelight.simulate.catalogsky import CatalogSky, find_catalogs

    if sky is None:
        raise UsageError(
            "NO_SKY",
            "The set 'real-sky' needs the folder of a real reference catalogue.",
            "Give it with --sky FOLDER, with HTM shards of PS1 and Gaia in it.",
        )
    catalog = CatalogSky(find_catalogs(sky), 0)
    visits = real_sky_ccds(catalog.shards)
    return NightSpec("real-sky", visits, _masters(visits))


PRESETS: Mapping[str, Callable[[], NightSpec]] = {
    "tutorial": tutorial,
    "night": night,
    "demo": demo,
    "tiny": tiny,
}


def spec_from_options(
    *,
    preset: str = "demo",
    sky: Path | str | None = None,
    seeing_arcsec: float | None = None,
    visits: Collection[int] | None = None,
    ccds: Collection[int] | None = None,
    seed: int | None = None,
    raw_calibrations: int = 0,
) -> NightSpec:
    """The night of a preset ("tutorial", "night", "demo", "tiny" or "real-sky") with options applied.

    Raises `UsageError` for an unknown preset, an empty selection, an impossible seeing or a folder that is no sky.
    """
    folder = Path(sky).expanduser().resolve() if sky is not None else None
    if preset == "real-sky":
        night = real_sky(folder)
    elif preset in PRESETS:
        night = PRESETS[preset]()
    else:
        known = ", ".join([*PRESETS, "real-sky"])
        raise UsageError("UNKNOWN_SET", f"There is no set {preset!r} to simulate.", f"The sets are {known}.")
    if visits is not None or ccds is not None:
        night = night.restricted(visits, ccds)
    if seeing_arcsec is not None:
        night = night.with_seeing(seeing_arcsec)
    if raw_calibrations < 0:
        raise UsageError("BAD_NUMBER", f"{raw_calibrations} raw calibration frames cannot be made.", "Give 0 or more.")
    night = replace(night, raw_calibrations=raw_calibrations, sky=str(folder) if folder is not None else "")
    return night if seed is None else replace(night, seed=seed)
