"""Rows to measure, and everything that is measured on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.apertures import ApertureFluxes, measure_apertures
from safelight.characterize.config import MeasurementConfig
from safelight.characterize.detection import Detections
from safelight.characterize.kron import KronFluxes, measure_kron
from safelight.characterize.pixel_flags import centre_bits, footprint_bits
from safelight.characterize.profiles import RingProfiles, measure_rings
from safelight.characterize.psf_photometry import PsfFluxes, psf_photometry
from safelight.characterize.scene import Look, Scene, disentangle
from safelight.characterize.shapes import Shapes, measure_shapes
from safelight.exposure import Exposure, PsfModel, Workspace

__all__ = ["Measurements", "Noise", "SourceRows", "gaussian_flux", "measure_sources", "source_rows"]

#: Planes whose pixels are left out of PSF fits and local backgrounds.
_BAD = ("BAD", "SAT", "CR", "NO_DATA", "UNMASKEDNAN")


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Catalogue rows, arrays of shape (n,): parents and lone sources first, then the children of blends."""

    x: NDArray[np.int64]  # peak pixel
    y: NDArray[np.int64]
    first: NDArray[np.int64]  # labels that are the row's own, 1-based, inclusive
    last: NDArray[np.int64]
    parent: NDArray[np.int64]  # row of the parent; -1 for none
    n_child: NDArray[np.int64]
    significance: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise model of PSF fits."""

    sky_variance: NDArray[np.float64]  # (n,) ADU², empty sky around each source
    slope: float  # variance per ADU of source light
    psf_position: float  # error of the PSF model's own centre, pixels and axis


@dataclass(frozen=True, slots=True)
class Measurements:
    """All measurements of n rows."""

    rows: SourceRows
    x: NDArray[np.float64]  # adopted centroid
    y: NDArray[np.float64]
    x_err: NDArray[np.float64]
    y_err: NDArray[np.float64]
    shapes: Shapes
    apertures: ApertureFluxes
    kron: KronFluxes
    psf: PsfFluxes
    local_background: RingProfiles  # one ring
    footprint: NDArray[np.int32]  # mask bits
    centre: NDArray[np.int32]
    area: NDArray[np.int64]  # pixels of the footprint
    scene: Scene  # what they were measured on


def source_rows(found: Detections) -> SourceRows:
    """One row per footprint, and one more per peak of footprints with several.

    Footprints come in the order of their rows in the image: measuring neighbours one after the other finds their
    pixels in the processor's cache.
    """
    # Peaks of a footprint are in the order of their brightness; its first one stands for it.
    order = np.argsort(found.y[found.family_start[:-1]], kind="stable")
    start, count = found.family_start[:-1][order], np.diff(found.family_start)[order]
    n_top = len(count)
    blended = np.flatnonzero(count > 1)
    family = np.repeat(blended, count[blended])
    first_child = np.repeat(np.cumsum(count[blended]) - count[blended], count[blended])
    children = start[family] + np.arange(len(family)) - first_child
    peak = np.concatenate([start, children])
    return SourceRows(
        found.x[peak],
        found.y[peak],
        peak + 1,
        np.concatenate([start + count, children + 1]),
        np.concatenate([np.full(n_top, -1), family]),
        np.concatenate([np.where(count > 1, count, 0), np.zeros(len(children), dtype=np.int64)]),
        found.significance[peak],
    )


def gaussian_flux(measured: Measurements) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Amplitude of the Gaussian of fixed shape times its area, and its error; NaN where the shape failed."""
    s = measured.shapes
    flux = np.where(s.shape_failed, np.nan, s.flux)
    return flux, np.abs(flux) / np.sqrt(np.maximum(s.fisher, 1e-12))


def measure_sources(
    exposure: Exposure,
    found: Detections,
    rows: SourceRows,
    psf: PsfModel,
    fwhm: float,
    noise: Noise,
    kron_minimum: float,
    config: MeasurementConfig,
    workspace: Workspace,
) -> Measurements:
    """Measure `rows` on a background-subtracted exposure.

    Rows that lie in others' light are measured with those taken off; see `safelight.characterize.scene`.

    Parameters
    ----------
    exposure, found, rows
    psf : PsfModel
    fwhm : float
        Of the PSF, pixels.
    noise : Noise
        Of the rows.
    kron_minimum : float
        Kron radius of the PSF, pixels.
    config : MeasurementConfig
    workspace : Workspace
        Keeps the planes of the scene, which the result refers to.
    """
    variance, mask, first, last = exposure.variance, exposure.mask, rows.first, rows.last
    bad = exposure.planes.bits(*_BAD)
    radius = max(2.0 * fwhm, 4.0)
    undersampled = fwhm < config.psfCentroidMaxFwhm

    def look_at(scene: Scene, which: NDArray[np.int64]) -> Look:
        own = first[which], last[which]
        x, y = rows.x[which].astype(np.float64), rows.y[which].astype(np.float64)
        shapes = measure_shapes(scene.image, variance, scene.labels, *own, x, y, fwhm, sources=scene.sources)
        x, y, x_err, y_err = shapes.x, shapes.y, shapes.x_err, shapes.y_err
        fitted = psf_photometry(
            scene.image, mask, scene.labels, psf, x, y, first=own[0], last=own[1],
            sky_variance=noise.sky_variance[which], variance_slope=noise.slope, bad=bad, radius=radius,
            fit_position=undersampled, sources=scene.sources,
        )  # fmt: skip
        if undersampled:
            good = ~fitted.position_failed & np.isfinite(fitted.x_err)
            x, y = np.where(good, fitted.x, x), np.where(good, fitted.y, y)
            x_err = np.where(good, np.hypot(fitted.x_err, noise.psf_position), x_err)
            y_err = np.where(good, np.hypot(fitted.y_err, noise.psf_position), y_err)
            shapes = measure_shapes(
                scene.image, variance, scene.labels, *own, x, y, fwhm, recentre=False, sources=scene.sources
            )
        return Look(x, y, x_err, y_err, shapes, fitted)

    look = look_at(Scene(exposure.image, found.labels), np.arange(len(rows)))
    look, scene = disentangle(exposure, found, rows, look, psf, noise, bad, int(np.ceil(radius)), workspace, look_at)
    x, y, shapes = look.x, look.y, look.shapes
    image, labels, sources = scene.image, scene.labels, scene.sources
    apertures = measure_apertures(image, variance, labels, first, last, x, y, sources=sources)
    kron = measure_kron(
        image, variance, labels, first, last, x, y, (shapes.xx, shapes.yy, shapes.xy), minimum_radius=kron_minimum,
        radii_for_flux=config.kronRadiusForFlux, sigma_for_radius=config.kronSigmaForRadius, sources=sources,
    )  # fmt: skip
    ring = np.array([7.0, 15.0]) * fwhm / 2.3548  # LSST's local background annulus
    local = measure_rings(image, mask, bad, labels, first, last, x, y, ring, sources=sources)
    bits, area = footprint_bits(mask, found.labels, found.pixels, len(found))
    start = np.concatenate([[0], np.cumsum(area)])
    return Measurements(
        rows, x, y, look.x_err, look.y_err, shapes, apertures, kron, look.psf, local, _range_or(bits, first, last),
        centre_bits(mask, x, y), start[last] - start[first - 1], scene,
    )  # fmt: skip


def _range_or(bits: NDArray[np.int32], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int32]:
    """OR of ``bits[first - 1 : last]`` for each row."""
    result = bits[first - 1].copy()
    for k in np.flatnonzero(last > first):
        result[k] = np.bitwise_or.reduce(bits[first[k] - 1 : last[k]])
    return result
