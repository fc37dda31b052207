"""The real frames of two small telescopes: every figure that is asked of them, and what is reached.

There is no truth here but what other tools found (in the README of the shared data): 21 to 22 Tycho-2 stars, 0.11 to
0.16 pixel and a scatter of 0.3 to 0.45 mag on TrES-1 (the filter is unknown); in the Huntsman frame 20 SkyMapper stars,
13 of them saturated. The demands are those of tests/system/test_real_frames.py, one row each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.benchmarks.accuracy.rows import Row
from tests.support.realframes import (
    TRES1_CENTRE,
    TRES1_SCALE,
    Field,
    Measured,
    huntsman_field,
    measure,
    pointings_off,
    solve,
    tres1_field,
    tres1_lights,
)

from safelight.calibrate import CalibrateResult
from safelight.errors import ProcessingError
from safelight.instruments.pointing import Pointing

__all__ = ["measure_real_frames"]

_TRES1_FOUND = (286.02, 36.65)  # degrees, by other tools, to about 0.01
_TRES1_WRONG = {
    "33 arcmin off": Pointing(TRES1_CENTRE[0] - 0.55, TRES1_CENTRE[1] - 0.3, TRES1_SCALE),
    "16 % off in scale": Pointing(*TRES1_CENTRE, 2.0),
}


def measure_real_frames(data: Path, log: Callable[[str], None]) -> list[Row]:
    """The rows of those telescopes whose frames are in `data`."""
    rows: list[Row] = []
    for name, measured in (("tres1", _tres1), ("huntsman", _huntsman)):
        if (data / name).is_dir():
            log(f"real frames: {name}")
            with tempfile.TemporaryDirectory(prefix="safelight-real-") as folder:
                rows += measured(data / name, Path(folder))
        else:
            log(f"{data / name} is absent, left out")
    return rows


def _tres1(data: Path, folder: Path) -> list[Row]:
    """Eight frames, each from pointings 10' off in four directions, and from pointings that must be refused."""
    field = tres1_field(data, folder)
    frames = [measure(light, field) for light in tres1_lights(field)]
    groups, failures = [], []
    for frame in frames:
        solved = []
        for direction, pointing in pointings_off():
            try:
                solved.append(solve(frame, field, pointing))
            except ProcessingError as error:
                failures.append(f"{frame.path.name} {direction}: {error.code}")
        groups.append(solved)
    results = [result for solved in groups for result in solved]
    asked = 4 * len(frames)
    section = f"TrES-1, {len(frames)} frames from 4 pointings"
    count = _row(section, "solved", "", [len(results)], f"{asked}", len(results) == asked, note="; ".join(failures))
    if not results:
        return [count]
    matches, crossed, rms, associated, scatter, error = (
        [result.metrics[name] for result in results]
        for name in (
            "wcs_matches", "wcs_cv_rms_px", "wcs_rms_mas", "n_associated", "zeropoint_rms_mag", "zeropoint_error_mag",
        )
    )  # fmt: skip
    rms = [value / 1000.0 / TRES1_SCALE for value in rms]
    centres = [np.array([_centre(result) for result in solved]) for solved in groups if solved]
    spreads = [3600.0 * float(np.ptp(places, axis=0).max()) for places in centres]
    away = [float(np.abs(places - _TRES1_FOUND).max()) for places in centres]
    refused = _refused(frames, field)
    unsaid = sum("NO_BAND" not in {caveat.code for caveat in result.caveats} for result in results)
    return [
        count,
        _row(section, "stars associated", "", associated, least=True, note="others matched 21 to 22"),
        _row(section, "stars in the fit", "", matches, ">= 18 on all", min(matches) >= 18, least=True),
        _row(section, "rms of both axes together", "pixels", rms, note="others' 0.11 to 0.16"),
        _row(section, "cross-validated rms", "pixels", crossed, "<= 0.3 on all", max(crossed) <= 0.3),
        _row(section, "centres from 4 pointings differ by", "arcsec", spreads, "<= 0.05 on all", max(spreads) <= 0.05),
        _row(section, "centre from where others found it", "deg", away, "<= 0.05 on all", max(away) <= 0.05),
        _row(section, "zeropoint scatter (no band)", "mag", scatter, "<= 0.6 on all", max(scatter) <= 0.6),
        _row(section, "zeropoint's claimed error", "mag", error, "> 0.03 on all", min(error) > 0.03, least=True),
        _row(section, "zeropoints that do not say NO_BAND", "", [unsaid], "0", unsaid == 0),
        _row(section, "wrong pointings and scales taken", "", [refused[0]], "0", refused[0] == 0, note=refused[1]),
        _row(section, "FWHM", "pixels", [frame.found.metrics["fwhm_px"] for frame in frames], note="others' 2.1"),
    ]


def _centre(result: CalibrateResult) -> tuple[float, float]:
    wcs, (height, width) = result.exposure.wcs, result.exposure.shape
    assert wcs is not None
    ra, dec = wcs.pixel_to_sky((width - 1) / 2, (height - 1) / 2)
    return float(ra), float(dec)


def _refused(frames: list[Measured], field: Field) -> tuple[int, str]:
    """How many frames were solved from what is too wrong, and how the others were refused."""
    codes: dict[str, int] = {}
    taken = 0
    for frame in frames:
        for pointing in _TRES1_WRONG.values():
            try:
                solve(frame, field, pointing)
                taken += 1
            except ProcessingError as error:
                codes[error.code] = codes.get(error.code, 0) + 1
    said = ", ".join(f"{code} {n} times" for code, n in sorted(codes.items()))
    return taken, f"{' and '.join(_TRES1_WRONG)}: {said}"


def _huntsman(data: Path, folder: Path) -> list[Row]:
    """One frame, 13 of whose 20 catalogue stars are saturated."""
    field = huntsman_field(data, folder)
    frame = measure(data / "science.fits", field)
    result = solve(frame, field)
    full, wcs = result.matches_full, result.exposure.wcs
    assert wcs is not None
    used = np.asarray(full["src_calib_astrometry_used"])
    saturated = np.asarray(full["src_base_PixelFlags_flag_saturated"])
    fitted = int((saturated & (used | np.asarray(full["src_calib_photometry_used"]))).sum())
    x, y = wcs.sky_to_pixel(np.degrees(full["ref_coord_ra"][used]), np.degrees(full["ref_coord_dec"][used]))
    rms = [
        float(np.sqrt(np.mean((at - np.asarray(full[f"src_base_SdssCentroid_{axis}"][used])) ** 2)))
        for at, axis in ((x, "x"), (y, "y"))
    ]
    section = "Huntsman, 1 frame"
    metrics = result.metrics
    associated, scatter, stars = metrics["n_associated"], metrics["zeropoint_rms_mag"], float(used.sum())
    spared = int(saturated.sum())
    few = {"FEW_PHOTOMETRIC_STARS", "FEW_ASTROMETRIC_STARS"}
    missing = few - {caveat.code for caveat in result.caveats}
    return [
        _row(section, "catalogue stars associated", "", [associated], ">= 18", associated >= 18, note="of 20"),
        _row(section, "saturated stars told apart", "", [spared], "13", spared == 13),
        _row(section, "saturated stars in either fit", "", [fitted], "0", fitted == 0),
        _row(section, "unsaturated stars in the fit", "", [stars], ">= 6", stars >= 6, note="of 7"),
        _row(section, "rms of the worse axis", "pixels", [max(rms)], "<= 0.15", max(rms) <= 0.15, note="others' 0.07"),
        _row(
            section,
            "zeropoint rms, left out one by one",
            "mag",
            [scatter],
            "<= 0.15",
            scatter <= 0.15,
            note="others' 0.115, not left out",
        ),
        _row(section, "caveats of few stars not raised", "", [len(missing)], "0", not missing),
        _row(section, "FWHM", "pixels", [frame.found.metrics["fwhm_px"]]),
    ]


def _row(
    section: str, name: str, unit: str, values: list[float] | list[int], demand: str = "", met: bool | None = None,
    *, least: bool = False, note: str = "",
) -> Row:  # fmt: skip
    worst = float(min(values) if least else max(values))
    median = float(np.median(values))
    return Row(section, name, "Safelight", unit, median, worst=worst, n=len(values), demand=demand, met=met, note=note)
