"""What is looked at is what was computed: images and residuals of a finished CCD against the run's own numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from scipy.spatial import cKDTree

from safelight.butler import Butler
from safelight.commands.main import main as safelight
from safelight.processccd.mosaic import read_mosaic
from safelight.processccd.viewing import CcdPixels, read_pixels, read_positions
from safelight.processccd.visittimes import visit_times
from safelight.simulate.truth import read_truth
from safelight_tui.imexam import Examination, Target, examine
from safelight_tui.metrics.residuals import read_residuals


def test_images_and_residuals_of_a_finished_ccd_are_those_of_its_run(
    call: Callable[..., Any], repository: Path
) -> None:
    at = [repository, "--rerun", "first", "--id", "ccd=16", "-j", 1, "-c", "doWritePostIsr=True"]
    result = call(safelight, "run", *at)
    assert result.code == 0, result.err
    butler = Butler(repository, rerun="first")
    (row,) = butler.query("ccd=16").rows

    raw = read_pixels(butler, "raw", row)
    written = read_pixels(butler, "postISRCCD", row)
    calexp = read_pixels(butler, "calexp", row)
    assert raw.image.shape == written.image.shape == calexp.image.shape
    frame = butler.get("raw", row)
    amplifier = frame.detector.amplifiers[0]
    box = raw.image[amplifier.box.slices]
    assert box.sum(dtype=np.float64) == frame.pixels[amplifier.raw_data_box.slices].sum(dtype=np.float64)

    path = butler.uri("postISRCCD", row)
    path.rename(path.with_suffix(".away"))
    again = read_pixels(butler, "postISRCCD", row)
    assert again.path is None
    assert again.origin == "made again in memory, with the rerun's configuration"
    np.testing.assert_array_equal(again.image, written.image)
    np.testing.assert_array_equal(again.mask, written.mask)

    metrics = butler.ledger.ccd(row).metrics  # type: ignore[union-attr]
    found = read_residuals(butler, row)
    assert found.wcs is not None
    length = np.hypot(found.wcs.dx_mas, found.wcs.dy_mas)
    assert np.median(length[found.wcs.reserved]) == pytest.approx(metrics["wcs_reserved_median_mas"], rel=0.1)
    assert np.sqrt(np.mean(length[found.wcs.used] ** 2)) == pytest.approx(metrics["wcs_rms_mas"], rel=0.02)
    assert found.photometry is not None
    assert found.photometry.used.sum() == metrics["zeropoint_stars"]
    assert np.median(found.photometry.residual[found.photometry.used]) == pytest.approx(0.0, abs=0.005)

    kinds = {one.name: one for one in read_positions(butler, calexp)}
    assert len(kinds["sources"].x) == pytest.approx(metrics["n_sources"], rel=0.1)
    assert len(kinds["matches"].x) >= metrics["wcs_matches"]
    assert set(kinds) == {"sources", "matches", "reference stars"}

    _imexamine_agrees_with_the_truth(repository, calexp)

    (visit,) = visit_times(butler, [row]).values()
    header = fits.getheader(butler.uri("raw", row))
    began = Time(f"{header['DATE-OBS']}T{header['UT-STR']}", scale="utc").mjd
    assert (visit - began) * 86400 == pytest.approx(float(header["EXPTIME"]) / 2, abs=5.0)

    mosaic = read_mosaic(butler, "calexp", butler.query("").rows)
    assert (mosaic.done, mosaic.total) == (2, 2)
    assert len(mosaic.failures) == 1  # CCD 100 was not processed
    assert np.isfinite(mosaic.image).any()


def _imexamine_agrees_with_the_truth(repository: Path, calexp: CcdPixels) -> None:
    """Place, magnitude and width that the keys find, of bright stars alone, from a cursor a few pixels off."""
    truth = read_truth(repository, calexp.data_id["visit"], calexp.data_id["ccd"]).sources
    x, y, magnitude = (np.asarray(truth[name], np.float64) for name in ("x", "y", "mag"))
    assert calexp.mask is not None
    bad = (calexp.mask & sum(1 << calexp.planes[name] for name in ("BAD", "SAT", "NO_DATA"))) != 0
    rows, columns = calexp.image.shape
    stars = np.asarray(truth["is_star"]) & (magnitude > 17.5) & (magnitude < 19.0)
    stars &= (x > 60) & (x < columns - 60) & (y > 60) & (y < rows - 60)
    tree = cKDTree(np.stack([x, y], axis=1))
    differences = []
    for star in np.flatnonzero(stars).tolist():
        near = [i for i in tree.query_ball_point((x[star], y[star]), 35) if magnitude[i] < magnitude[star] + 4]
        middle_x, middle_y = int(x[star]), int(y[star])
        if len(near) > 1 or bad[middle_y - 15 : middle_y + 15, middle_x - 15 : middle_x + 15].any():
            continue
        at = Target(
            calexp.image, x[star] + 3, y[star] - 2, bad=bad, wcs=calexp.wcs, zeropoint_mag=calexp.zeropoint_mag,
            gain=calexp.gain,
        )  # fmt: skip
        found = {kind: examine(kind, at) for kind in ("aperture", "radial_profile", "line_fit", "column_fit")}
        measured = _number(r"(\S+) ± \S+ mag \(AB\)", found["aperture"])
        width = _number(r"FWHM (\S+) px", found["radial_profile"]) / float(truth["fwhm"][star])
        centres = [_number(r"centre (\S+) ", found[kind]) for kind in ("line_fit", "column_fit")]
        differences.append(
            [found["aperture"].x - x[star], found["aperture"].y - y[star], measured - magnitude[star], width,
             centres[0] - x[star], centres[1] - y[star]]
        )  # fmt: skip
    assert len(differences) >= 3
    dx, dy, dmag, widths, along_x, along_y = np.array(differences).T
    for offsets in (dx, dy, along_x, along_y):
        assert np.abs(offsets).max() < 0.1  # pixels
    assert np.abs(dmag).max() < 0.05  # one per cent of a Moffat's light is outside of the aperture
    assert np.median(widths) == pytest.approx(1.0, abs=0.08)  # pixels have a width of their own


def _number(pattern: str, found: Examination) -> float:
    match = re.search(pattern, "\n".join(found.lines))
    assert match is not None, found.lines
    return float(match[1])
