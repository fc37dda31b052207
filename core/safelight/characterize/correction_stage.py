"""From measured sources to aperture corrections."""

from __future__ import annotations

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
    x, y = measured.x[used], measured.y[used]
    first, last = measured.rows.first[used], measured.rows.last[used]
    rings = measure_rings(
        exposure.image, exposure.mask, exposure.planes.bits(*BAD_PLANES), found.labels, first, last, x, y,
        annulus_edges(fwhm, radius),
    )  # fmt: skip
    growth, sky, light = fit_growth(rings, StarFlux(flux[used], error[used], np.pi * radius**2), radius)
    calibration = radii.index(_CALIBRATION_RADIUS)
    gauss, gauss_error = gaussian_flux(measured)
    kron_area = np.pi * (2.5 * measured.kron.radius[used]) ** 2
    gauss_area = 4 * np.pi * np.sqrt(np.maximum(measured.shapes.xx * measured.shapes.yy, 0.0))[used]
    kinds = {
        "base_PsfFlux": StarFlux(measured.psf.flux[used], measured.psf.flux_err[used], measured.psf.area[used]),
        "base_GaussianFlux": StarFlux(gauss[used], gauss_error[used], gauss_area),
        "ext_photometryKron_KronFlux": StarFlux(measured.kron.flux[used], measured.kron.flux_err[used], kron_area),
        "base_CircularApertureFlux_12_0": StarFlux(
            measured.apertures.flux[used, calibration],
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
