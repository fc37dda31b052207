"""How far a fitted WCS departs from what the camera is known to do.

A camera with a model of its optics can be pointed wrongly and turned, and its scale breathes with focus and air; it is
not bent by seconds of arc. Reference stars that demand that are wrong themselves, or are not these stars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from safelight.calibrate.config import QualityConfig
from safelight.calibrate.first_wcs import FirstWcs
from safelight.calibrate.linear import fit_similarity
from safelight.calibrate.wcs_fit import WcsSolution
from safelight.caveats import Caveat

__all__ = ["Departure", "judge_departure", "measure_departure"]

GRID = (8, 16)  # points across and along the CCD


@dataclass(frozen=True, slots=True)
class Departure:
    """Of the fitted from the first WCS."""

    scale_error: float  # fitted scale over the first one, minus 1
    bend_pixels: float  # the largest distance that no shift, rotation and scale explains


def measure_departure(solution: WcsSolution, first: FirstWcs, shape: tuple[int, int]) -> Departure:
    """Compare both WCSs on a grid over the frame of (height, width) pixels."""
    height, width = shape
    x, y = (
        grid.ravel() for grid in np.meshgrid(np.linspace(0, width - 1, GRID[0]), np.linspace(0, height - 1, GRID[1]))
    )
    p, q = first.plane.project(*first.wcs.pixel_to_sky(x, y))
    xi, eta = solution.wcs.pixel_to_plane(x, y)
    similarity, _ = fit_similarity(p, q, xi, eta)
    u, v = similarity.apply(p, q)
    bend = float(np.hypot(xi - u, eta - v).max())
    return Departure(scale_error=similarity.scale - 1.0, bend_pixels=bend / solution.pixel_scale)


def judge_departure(departure: Departure, origin: str, scale_uncertainty: float, limits: QualityConfig) -> list[Caveat]:
    """Caveats where the fit is not what a camera of that scale, and with a model of its optics, can have done."""
    caveats = []
    if abs(departure.scale_error) > scale_uncertainty:
        caveats.append(
            Caveat(
                "WCS_SCALE_UNEXPECTED",
                f"The fitted pixel scale is {100 * departure.scale_error:+.2f} % from the stated one, "
                f"which is known to {100 * scale_uncertainty:.2g} %.",
            )
        )
    if origin == "camera model" and departure.bend_pixels > limits.maxModelBend:
        caveats.append(
            Caveat(
                "WCS_BENDS_MODEL",
                f"The fit bends the camera's model of its optics by up to {departure.bend_pixels:.1f} pixels "
                f"(more than {limits.maxModelBend:g}): are the reference positions wrong?",
            )
        )
    return caveats
