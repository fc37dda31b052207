"""Do a CCD's own stars lie where the camera model of its visit puts them?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.acceptance import log10_binomial_tail
from safelight.calibrate.association import mutual_nearest
from safelight.calibrate.config import AstrometricLoaderConfig
from safelight.calibrate.corrected_wcs import Alignment, CorrectedWcs, plane_of
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.reference_stars import brightness, reference_errors
from safelight.calibrate.selection import SourceList
from safelight.errors import ProcessingError
from safelight.exposure import SkyWcs
from safelight.refcats import ReferenceCatalog

__all__ = ["Scene", "Witnesses", "ask_witnesses", "associate", "look_at"]

IntArray = NDArray[np.int64]

COUNTED = 20  # brightest sources, and references, of which a share must be found …
DEPTHS = (5, COUNTED, 80, 320)  # … or of so many more than chance brings
DECADES_TRIED = 1.0  # eight tries
AGREEING_SHARE = 0.4  # of either list that must be found
CHANCE = -3.0  # log10 of the probability that so many are found by chance: below, they confirm the model


@dataclass(frozen=True, slots=True)
class Scene:
    """Sources and references in the plane about the predicted centre of the CCD, arcsec."""

    predicted: CorrectedWcs
    xi: FloatArray
    eta: FloatArray
    ref_xi: FloatArray
    ref_eta: FloatArray
    source_variance: FloatArray  # (n, 2)
    reference_variance: FloatArray  # (m, 2)
    visible: IntArray  # references in the frame, brightest first
    usable: IntArray  # sources that may be fitted, brightest first
    pixel_scale: float
    half_diagonal: float
    area: float


def look_at(
    sources: SourceList,
    shape: tuple[int, int],
    by_model: SkyWcs,
    catalog: ReferenceCatalog,
    loader: AstrometricLoaderConfig,
) -> Scene:
    """The CCD of `shape` (height, width) pixels as the WCS `by_model` of its visit shows it."""
    height, width = shape
    plane = plane_of(by_model, width, height)
    predicted = CorrectedWcs(by_model, plane, Alignment(), plane)
    xi, eta = predicted.pixel_to_plane(sources.x, sources.y)
    ref_xi, ref_eta = plane.project(catalog.ra_deg, catalog.dec_deg)
    corner_x, corner_y = predicted.pixel_to_plane(np.array([0.0, width - 1.0]), np.array([0.0, height - 1.0]))
    half = float(np.hypot(corner_x[1] - corner_x[0], corner_y[1] - corner_y[0])) / 2.0
    scale = 2.0 * half / math.hypot(width - 1, height - 1)
    near = np.flatnonzero(np.hypot(ref_xi, ref_eta) < 1.1 * half)
    x, y = by_model.sky_to_pixel(catalog.ra_deg[near], catalog.dec_deg[near])
    inside = near[(x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)]
    light = brightness(catalog)
    errors = reference_errors(catalog, loader)
    pixel_variance = (sources.x_error**2 + sources.y_error**2) / 2.0 * scale**2
    point_like = sources.fit & ~sources.extended
    return Scene(
        predicted=predicted,
        xi=xi,
        eta=eta,
        ref_xi=ref_xi,
        ref_eta=ref_eta,
        source_variance=np.column_stack([pixel_variance, pixel_variance]),
        reference_variance=np.column_stack([errors[0] ** 2, errors[1] ** 2]),
        visible=inside[np.argsort(-light[inside], kind="stable")],
        usable=np.flatnonzero(point_like if point_like.any() else sources.fit),
        pixel_scale=scale,
        half_diagonal=half,
        area=width * height * scale**2,
    )


def associate(scene: Scene, radius: float) -> tuple[IntArray, IntArray]:
    """Sources and references that are nearest to each other and within `radius` (arcsec)."""
    source, reference, _ = mutual_nearest(
        scene.xi[scene.usable], scene.eta[scene.usable], scene.ref_xi, scene.ref_eta, radius
    )
    return scene.usable[source], reference


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What the CCD's own stars say of the model."""

    asked: int  # the brightest sources, or the brightest references in the frame
    found: int  # of these
    log10_chance: float  # that so many are found by chance
    plenty: bool  # a share that is expected of a right WCS was found

    @property
    def confirm(self) -> bool:
        """Whether chance hardly brings so many."""
        return self.log10_chance <= CHANCE


def ask_witnesses(scene: Scene, source: IntArray, reference: IntArray, radius: float) -> Witnesses:
    """Ask both lists: a shallow frame lacks most references, a deep one has most stars unknown, some are full of junk.

    Raises `ProcessingError` WCS_AGAINST_VISIT.
    """
    lists = ((scene.usable, source, len(scene.visible)), (scene.visible, reference, len(scene.usable)))
    asked = [_ask(listed, np.asarray(found), others / scene.area, radius) for listed, found, others in lists]
    by_sources, by_references = asked
    best = min(asked, key=lambda witnesses: witnesses.log10_chance)
    testable = by_sources.asked and by_references.asked
    if testable and not best.confirm and not (by_sources.plenty or by_references.plenty):
        raise ProcessingError(
            "WCS_AGAINST_VISIT",
            f"Only {by_sources.found} of its {by_sources.asked} brightest sources and {by_references.found} of "
            f"{by_references.asked} brightest reference stars are where the visit's other CCDs put them (within "
            f"{radius:.2f} arcsec).",
            "Look at the image: clouds, a trailed or wrongly named CCD, or a catalogue with a gap?",
        )
    return best


def _ask(listed: IntArray, found: IntArray, density: float, radius: float) -> Witnesses:
    """How many of a list, brightest first, have a counterpart; the number asked is where that says most."""
    chance = 1.0 - math.exp(-density * math.pi * radius**2)
    hits = np.isin(listed, found)
    tails = [log10_binomial_tail(int(hits[:n].sum()), len(hits[:n]), chance) for n in DEPTHS]
    n = min(len(listed), COUNTED)
    k = int(hits[:n].sum())
    plenty = k >= n * (AGREEING_SHARE + (1.0 - AGREEING_SHARE) * chance)
    return Witnesses(n, k, min(tails) + DECADES_TRIED, plenty)
