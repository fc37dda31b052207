"""What is looked at is what was computed: images and residuals of a finished CCD against the run's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safelight.butler import Butler
from safelight.commands.main import main as safelight
from safelight.processccd.mosaic import read_mosaic
from safelight.processccd.viewing import read_pixels, read_positions
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

    mosaic = read_mosaic(butler, "calexp", butler.query("").rows)
    assert (mosaic.done, mosaic.total) == (2, 2)
    assert len(mosaic.failures) == 1  # CCD 100 was not processed
    assert np.isfinite(mosaic.image).any()
