"""Frames that are mirrored against their camera's model: recognised and named, never solved.

A camera model knows its handedness, and its distortion holds for the frame as it should be: a mirrored frame means that
its rows or columns were read in the wrong order, and masters and defects lie wrongly on it too.
"""

from __future__ import annotations

from dataclasses import replace

from safelight.calibrate.config import MatcherConfig
from safelight.calibrate.first_wcs import FirstWcs
from safelight.calibrate.matching import match_pattern
from safelight.calibrate.pattern import PatternSearch
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.selection import SourceList
from safelight.errors import ProcessingError

__all__ = ["refuse_if_mirrored"]


def refuse_if_mirrored(
    first: FirstWcs,
    sources: SourceList,
    xi: FloatArray,
    eta: FloatArray,
    shape: tuple[int, int],
    search: PatternSearch,
    config: MatcherConfig,
) -> None:
    """Look for the pattern with columns or rows in reverse order.

    Parameters
    ----------
    first
        The first WCS, of a camera model.
    sources
        Sources that were not matched as they are.
    xi, eta
        References, brightest first, in the first WCS's plane, arcsec.
    shape
        (height, width) of the frame, pixels.
    search, config
        As of the search that failed.

    Raises
    ------
    ProcessingError
        ``WCS_MIRRORED`` where one of both matches.
    """
    height, width = shape
    straight = replace(search, any_rotation=False, parities=1)
    for axis, x, y, flip in (
        ("left to right", width - 1.0 - sources.x, sources.y, "LR"),
        ("top to bottom", sources.x, height - 1.0 - sources.y, "TB"),
    ):
        p, q = first.plane.project(*first.wcs.pixel_to_sky(x, y))
        try:
            match = match_pattern(p, q, xi, eta, straight, config)
        except ProcessingError:
            continue  # the failure of the frame as it is says what was tried
        raise ProcessingError(
            "WCS_MIRRORED",
            f"The frame is mirrored: {match.n_matched} sources match reference stars once the frame is turned over "
            f"{axis}, and none do so as it is.",
            f"Its pixels were written in another order than the camera's; give the detector raw_flip: {flip} in the "
            "camera file, or mirror the file.",
        )
