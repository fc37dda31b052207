"""From the name of an action to its examination."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from safelight_tui.imexam import cuts, stars
from safelight_tui.imexam.target import Examination, Target

__all__ = ["EXAMINATIONS", "examine"]

EXAMINATIONS: Mapping[str, Callable[[Target], Examination]] = {
    "aperture": stars.aperture_photometry,
    "radial_profile": stars.radial_profile,
    "growth_curve": stars.growth_curve,
    "line_cut": cuts.line_cut,
    "column_cut": cuts.column_cut,
    "line_fit": cuts.line_fit,
    "column_fit": cuts.column_fit,
    "histogram": cuts.histogram,
    "statistics": cuts.statistics,
    "contours": cuts.contours,
    "pixel_grid": cuts.pixel_grid,
}
"""By the name of the action; ``vector_cut`` needs a second place and stands apart (`cuts.vector_cut`)."""


def examine(kind: str, target: Target) -> Examination:
    """Examine a place.

    Raises
    ------
    ProcessingError
        With the sentence that says why there is nothing to tell.
    """
    return EXAMINATIONS[kind](target)
