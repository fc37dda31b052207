"""The match of one CCD: its sources and references in one plane, the limits of the search, and mirrored frames."""

from __future__ import annotations

import math

import numpy as np

from safelight.calibrate.config import MatcherConfig
from safelight.calibrate.first_wcs import FirstWcs
from safelight.calibrate.matching import match_pattern
from safelight.calibrate.mirrored import refuse_if_mirrored
from safelight.calibrate.pattern import PatternMatch, PatternSearch
from safelight.calibrate.reference_stars import brightness
from safelight.calibrate.repeating import repeating
from safelight.calibrate.selection import SourceList
from safelight.errors import ProcessingError
from safelight.instruments.model import SearchRange
from safelight.refcats import ReferenceCatalog

__all__ = ["match_frame"]

MODEL_SCATTER_PIXELS = 1.5  # of stars about a camera model that was shifted, turned and scaled


def match_frame(
    sources: SourceList,
    shape: tuple[int, int],
    first: FirstWcs,
    catalog: ReferenceCatalog,
    limits: SearchRange,
    config: MatcherConfig,
) -> PatternMatch:
    """Find the references' pattern among the sources of a CCD.

    Parameters
    ----------
    sources
        Of the CCD, brightest first.
    shape
        (height, width) of the CCD, pixels.
    first
        The WCS to start from.
    catalog
        Reference stars.
    limits
        How wrong `first` may be.
    config
        The matcher's configuration.

    Raises
    ------
    ProcessingError
        As `match_pattern`, and ``WCS_MIRRORED`` for a frame that is mirrored against its camera model.
    """
    modelled = first.origin == "camera model"
    search = PatternSearch(
        corners=first.corners,
        pixel_scale=first.pixel_scale,
        max_offset=limits.pointing_uncertainty_arcsec,
        max_rotation_deg=limits.rotation_uncertainty_deg,
        max_scale_error=limits.scale_uncertainty,
        any_rotation=config.anyRotation and not modelled,
        parities=1 if modelled or (limits.parity_known and first.origin == "pointing") else 2,
        max_scatter=MODEL_SCATTER_PIXELS * first.pixel_scale if modelled else math.inf,
    )
    looked = np.argsort(repeating(sources.x, sources.y), kind="stable")
    p, q = first.plane.project(*first.wcs.pixel_to_sky(sources.x[looked], sources.y[looked]))
    xi, eta = first.plane.project(catalog.ra_deg, catalog.dec_deg)
    order = np.argsort(-brightness(catalog), kind="stable")
    order = order[np.isfinite(xi[order]) & np.isfinite(eta[order])]
    try:
        return match_pattern(p, q, xi[order], eta[order], search, config)
    except ProcessingError as error:
        if modelled and error.code == "WCS_NO_MATCH":
            refuse_if_mirrored(first, sources, xi[order], eta[order], shape, search, config)
        raise
