"""The true stars of a processed frame beside what src says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy.frames import Frame
from tests.benchmarks.accuracy.truestars import cramer_rao, disturbance, psf_parameters

from safelight.exposure import Exposure
from safelight.simulate.psf import PsfField, visit_psf
from safelight.simulate.truth import load_night

__all__ = ["FrameStars", "good_rows", "psf_field"]

Floats = NDArray[np.float64]

_MARGIN = 40.0  # pixels from the edge


def psf_field(frame: Frame) -> PsfField:
    """The true PSF over the focal plane."""
    night = load_night(frame.root)
    return visit_psf(night, night.visit(frame.visit))


def good_rows(src: Any) -> NDArray[np.int64]:
    """Rows of undamaged single sources with a PSF flux."""
    good = (np.asarray(src["deblend_nChild"]) == 0) & ~np.asarray(src["base_PsfFlux_flag"])
    good &= ~np.asarray(src["base_SdssCentroid_flag"])
    good &= np.isfinite(src["base_SdssCentroid_x"]) & np.isfinite(src["base_SdssCentroid_y"])
    for name in ("saturated", "edge", "interpolated", "bad", "cr"):
        good &= ~np.asarray(src[f"base_PixelFlags_flag_{name}"])
    return np.flatnonzero(good)


@dataclass
class FrameStars:
    """Stars of more than `least` sigma without disturbing neighbours, measured and true."""

    frame: Frame
    exposure: Exposure
    least: float = 20.0

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of src and of the true sources."""
        from scipy.spatial import cKDTree

        src, true = self.frame.src, self.frame.truth.sources
        rows = good_rows(src)
        x, y = (np.asarray(src[f"base_SdssCentroid_{axis}"], dtype=np.float64)[rows] for axis in "xy")
        height, width = self.exposure.shape
        inside = (x > _MARGIN) & (x < width - _MARGIN) & (y > _MARGIN) & (y < height - _MARGIN)
        rows, x, y = rows[inside], x[inside], y[inside]
        stars = np.flatnonzero(true["is_star"])
        distance, near = cKDTree(np.column_stack([true["x"][stars], true["y"][stars]])).query(np.column_stack([x, y]))
        close = distance < 1.0
        rows, star = rows[close], stars[near[close]]
        signal = np.asarray(src["base_PsfFlux_instFlux"] / src["base_PsfFlux_instFluxErr"], dtype=np.float64)[rows]
        scale = self.frame.true_wcs.pixel_scale_arcsec
        columns = [np.asarray(true[name], dtype=np.float64) for name in ("x", "y", "flux", "half_light")]
        others = disturbance(*columns[:3], columns[3] / scale, star, float(np.median(true["fwhm"])))
        alone = (signal > self.least) & (others * signal < 0.3 * columns[2][star])
        return rows[alone], star[alone]

    def __len__(self) -> int:
        return len(self._pairs[0])

    def measured(self, name: str) -> Floats:
        """A column of src."""
        return np.asarray(self.frame.src[name], dtype=np.float64)[self._pairs[0]]

    def true(self, name: str) -> Floats:
        """A column of the truth."""
        return np.asarray(self.frame.truth.sources[name], dtype=np.float64)[self._pairs[1]]

    @cached_property
    def signal(self) -> Floats:
        return self.measured("base_PsfFlux_instFlux") / self.measured("base_PsfFlux_instFluxErr")

    @cached_property
    def bounds(self) -> Floats:
        """(n, 3): Cramer-Rao bounds of flux, x and y in the noise of the calexp."""
        field = psf_field(self.frame)
        x, y, flux = (self.true(name) for name in ("x", "y", "flux"))
        fwhm, e1, e2 = psf_parameters(self.frame.true_wcs, field, x, y)
        image, variance = self.exposure.image, self.exposure.variance
        column, row = np.floor(x + 0.5).astype(int), np.floor(y + 0.5).astype(int)
        sky = np.array([self._sky_variance(c, r) for c, r in zip(column, row, strict=True)])
        # the variance plane is a straight line of the light: its slope is the gain times the flat
        slope = (variance[row, column] - sky) / image[row, column]
        return np.array(
            [
                cramer_rao(
                    float(fwhm[k]), field.beta, float(e1[k]), float(e2[k]), x[k] - column[k], y[k] - row[k], flux[k],
                    sky[k], max(float(slope[k]), 0.05),
                )
                for k in range(len(x))
            ]
        )  # fmt: skip

    def _sky_variance(self, column: int, row: int, reach: int = 60) -> float:
        box = np.s_[max(0, row - reach) : row + reach, max(0, column - reach) : column + reach]
        free = (self.exposure.mask[box] & np.int32(self.exposure.planes.bits("DETECTED", "BAD", "SAT"))) == 0
        return float(np.median(self.exposure.variance[box][free]))
