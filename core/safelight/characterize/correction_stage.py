"""From measured sources to aperture corrections."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.aperture_corrections import (
    Growth,
    StarFlux,
    annulus_edges,
    fit_corrections,
    fit_growth,
    reference_radius,
)
from safelight.characterize.apertures import measure_apertures
from safelight.characterize.config import MeasureApCorrConfig
from safelight.characterize.detection import Detections
from safelight.characterize.profiles import measure_rings
from safelight.characterize.psf_model import BAD_PLANES
from safelight.characterize.sources import Measurements, gaussian_flux
from safelight.exposure import ApertureCorrections, Exposure

__all__ = ["measure_corrections"]

#: LSST's calibration aperture, whose growth factor is kept as well.
_CALIBRATION_RADIUS = 12.0


def measure_corrections(
    exposure: Exposure,
    found: Detections,
    measured: Measurements,
    stars: NDArray[np.bool_],
    fwhm: float,
    config: MeasureApCorrConfig,
) -> tuple[ApertureCorrections, Growth]:
    """Aperture corrections from the rows of `measured` that `stars` marks.

    Stars below the wanted signal to noise are used only when no other is left.
    """
    radii = measured.apertures.radii
    radius = reference_radius(fwhm, radii, config)
    column = radii.index(radius)
    flux, error = measured.apertures.flux[:, column], measured.apertures.flux_err[:, column]
    complete = stars & np.isfinite(flux) & (flux > 0)
    strong = complete & (flux > config.signalToNoiseMin * np.where(error > 0, error, np.inf))
    used = np.flatnonzero(strong if strong.any() else complete)
    calibration = radii.index(_CALIBRATION_RADIUS)
    light_within = _without_hidden_light(exposure, measured, used, fwhm)
    x, y = measured.x[used], measured.y[used]
    first, last = measured.rows.first[used], measured.rows.last[used]
    scene = measured.scene
    rings = measure_rings(
        scene.image, exposure.mask, exposure.planes.bits(*BAD_PLANES), scene.labels, first, last, x, y,
        annulus_edges(fwhm, radius), sources=scene.sources,
    )  # fmt: skip
    growth, sky, light = fit_growth(rings, StarFlux(light_within(radius), error[used], np.pi * radius**2), radius)
    gauss, gauss_error = gaussian_flux(measured)
    kron_area = np.pi * (2.5 * measured.kron.radius[used]) ** 2
    gauss_area = 4 * np.pi * np.sqrt(np.maximum(measured.shapes.xx * measured.shapes.yy, 0.0))[used]
    kinds = {
        "base_PsfFlux": StarFlux(measured.psf.flux[used], measured.psf.flux_err[used], measured.psf.area[used]),
        "base_GaussianFlux": StarFlux(gauss[used], gauss_error[used], gauss_area),
        "ext_photometryKron_KronFlux": StarFlux(measured.kron.flux[used], measured.kron.flux_err[used], kron_area),
        "base_CircularApertureFlux_12_0": StarFlux(
            light_within(_CALIBRATION_RADIUS),
            measured.apertures.flux_err[used, calibration],
            np.pi * _CALIBRATION_RADIUS**2,
        ),
    }
    total = light * growth.factor
    extrapolated = growth.error / growth.factor if np.isfinite(growth.error) else 0.0
    corrections = fit_corrections(
        kinds, x, y, sky, total, error[used], exposure.shape, config, common_error=extrapolated
    )
    return corrections, growth


def _without_hidden_light(
    exposure: Exposure, measured: Measurements, used: NDArray[np.int64], fwhm: float
) -> Callable[[float], NDArray[np.float64]]:
    """A function of the radius (one of the apertures') that gives the light (ADU) of the rows `used` within it.

    In a crowded field an aperture holds faint stars that were not found; the annulus of the sky, clipped, does not. The
    PSF that has been taken off a star of a scene gives most of its light; what remains is added as clipped means of
    rings.
    """
    scene, radii = measured.scene, measured.apertures.radii
    x, y, first, last = measured.x[used], measured.y[used], measured.rows.first[used], measured.rows.last[used]
    in_scene = np.zeros(len(used), dtype=np.bool_)
    if len(scene.sources.flux):
        in_scene = scene.sources.of_label[first] >= 0
    own = np.flatnonzero(in_scene)
    place = x[own], y[own]
    bad = exposure.planes.bits(*BAD_PLANES)

    def light_within(radius: float) -> NDArray[np.float64]:
        light: NDArray[np.float64] = measured.apertures.flux[used, radii.index(radius)].copy()
        if len(own):
            labels = scene.labels, first[own], last[own]
            rest = measure_apertures(scene.image, exposure.variance, *labels, *place, (radius,)).flux[:, 0]
            edges = np.linspace(0.0, radius, max(3, round(radius / (0.5 * fwhm)) + 1))
            rings = measure_rings(scene.image, exposure.mask, bad, *labels, *place, edges)
            light[own] += np.nan_to_num(rings.mean) @ (np.pi * np.diff(edges**2)) - rest
        return light

    return light_within
