"""Do bright stars and bright references agree throughout, or does the WCS rest on a part of them?

A fit can be tight, and true of the stars that it uses, while as many others contradict it: half of a catalogue moved,
every star twice in a trailed image. So the other way round: of the reference stars that must be seen, how many are
where the WCS puts them, and of the stars seen, how many are in the catalogue? Only the brighter half of what was
matched is asked, where neither list has gaps of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.config import AstrometryConfig
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.reference_stars import brightness
from safelight.calibrate.selection import SourceList
from safelight.calibrate.wcs_fit import MatchedStars, WcsSolution
from safelight.caveats import Caveat
from safelight.exposure import Exposure
from safelight.refcats import ReferenceCatalog

__all__ = ["Support", "judge_support", "measure_support"]

BoolArray = NDArray[np.bool_]

BORDER_PIXELS = 20.0  # a reference nearer to the edge may be measured badly or not at all
AROUND_PIXELS = 3  # nor is one asked for that has bad or saturated pixels so near
UNUSABLE = ("BAD", "SAT", "NO_DATA", "EDGE")
EVIDENCE_SIGMA = 2.0  # by so many standard deviations more must be missing than may be


@dataclass(frozen=True, slots=True)
class Support:
    """Bright references that must be seen, bright stars that must be known, and how many of either are not."""

    references: int
    references_missing: int
    sources: int
    sources_missing: int

    @property
    def metadata(self) -> dict[str, int]:
        """The counts by the names that the metadata give them."""
        return {
            "brightReferences": self.references,
            "brightReferencesMissing": self.references_missing,
            "brightSources": self.sources,
            "brightSourcesUnknown": self.sources_missing,
        }


def measure_support(
    solution: WcsSolution, sources: SourceList, catalog: ReferenceCatalog, exposure: Exposure, config: AstrometryConfig
) -> Support:
    """Count, in the brighter half of what agrees with the WCS, what has no counterpart where the WCS puts it.

    Parameters
    ----------
    solution, sources, catalog
        The fit, and the lists that its stars index.
    exposure
        For its mask: nothing is asked of references on unusable pixels.
    config
        Stars beyond ``wcsFitter.rejSigma`` of their error do not agree.
    """
    stars = solution.stars
    agrees = stars.eligible & _within(stars, config.wcsFitter.rejSigma)
    if int(agrees.sum()) < 3:
        return Support(0, 0, 0, 0)
    light = brightness(catalog)
    asked = _upper_half(light, light[stars.reference[agrees]])
    if not catalog.flux_njy:  # nothing says which must be seen
        asked[:] = False
    asked[stars.reference[~stars.eligible]] = False  # seen, but not well enough to say where
    _keep_visible(asked, solution, catalog, exposure)
    known = sources.fit & ~sources.extended & _upper_half(sources.flux, sources.flux[stars.source[agrees]])
    known[stars.source[~stars.eligible]] = False
    return Support(
        references=int(asked.sum()),
        references_missing=int(asked.sum()) - int(asked[stars.reference[agrees]].sum()),
        sources=int(known.sum()),
        sources_missing=int(known.sum()) - int(known[stars.source[agrees]].sum()),
    )


def judge_support(support: Support, config: AstrometryConfig) -> list[Caveat]:
    """Caveats where clearly more is missing than may be."""
    limits = config.quality
    caveats = []
    if _too_many(support.references_missing, support.references, limits.missingReferences):
        caveats.append(
            Caveat(
                "WCS_REFERENCES_MISSING",
                f"{support.references_missing} of {support.references} bright reference stars in the frame have no "
                "source where the WCS puts them: part of the catalogue, or the WCS, may be wrong.",
            )
        )
    if _too_many(support.sources_missing, support.sources, limits.unknownSources):
        caveats.append(
            Caveat(
                "WCS_SOURCES_UNKNOWN",
                f"{support.sources_missing} of {support.sources} bright stars are not in the catalogue where the WCS "
                "puts them: a trailed or doubled image, or an incomplete catalogue?",
            )
        )
    return caveats


def _too_many(missing: int, n: int, share: float) -> bool:
    return missing > n * share + EVIDENCE_SIGMA * math.sqrt(n * share * (1.0 - share))


def _within(stars: MatchedStars, n_sigma: float) -> BoolArray:
    return np.asarray((np.abs(stars.residual) < n_sigma * np.sqrt(stars.variance)).all(axis=1), dtype=np.bool_)


def _upper_half(values: FloatArray, agreeing: FloatArray) -> BoolArray:
    """Values between the median and the greatest of those that agree."""
    return np.asarray((values >= np.median(agreeing)) & (values <= agreeing.max()), dtype=np.bool_)


def _keep_visible(asked: BoolArray, solution: WcsSolution, catalog: ReferenceCatalog, exposure: Exposure) -> None:
    """Unset references that are not well inside the frame and on usable pixels."""
    height, width = exposure.shape
    rows = np.flatnonzero(asked)
    x, y = solution.wcs.sky_to_pixel(catalog.ra_deg[rows], catalog.dec_deg[rows])
    bits = np.int32(exposure.planes.bits(*UNUSABLE))
    for k, column, row in zip(rows, x, y, strict=True):
        inside = BORDER_PIXELS <= column < width - BORDER_PIXELS and BORDER_PIXELS <= row < height - BORDER_PIXELS
        asked[k] = inside and not np.any(_around(exposure.mask, round(float(column)), round(float(row))) & bits)


def _around(mask: NDArray[np.int32], column: int, row: int) -> NDArray[np.int32]:
    reach = AROUND_PIXELS
    return mask[row - reach : row + reach + 1, column - reach : column + reach + 1]
