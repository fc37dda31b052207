"""Aperture corrections: factors, varying over the CCD, that bring each kind of flux onto the calibration flux."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ApertureCorrections", "CorrectionField"]


@dataclass(frozen=True, slots=True)
class CorrectionField:
    """One multiplicative correction: a Chebyshev polynomial (triangular, total degree <= order) over the CCD box."""

    coefficients: NDArray[np.float64]  # (order + 1, order + 1), [y degree, x degree], zero above the triangle
    width: int
    height: int
    rms: float = 0.0  # scatter of the stars about the fit, as a fraction
    n_stars: int = 0
    common_error: float = 0.0  # relative error that the factor has everywhere on the CCD

    def at(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """The factor at pixel positions (x, y)."""
        u = 2.0 * (np.asarray(x, dtype=np.float64) + 0.5) / self.width - 1.0
        v = 2.0 * (np.asarray(y, dtype=np.float64) + 0.5) / self.height - 1.0
        return np.asarray(np.polynomial.chebyshev.chebval2d(v, u, self.coefficients), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ApertureCorrections:
    """Corrections by flux name, e.g. ``"base_PsfFlux"``; multiply flux and error by the factor."""

    fields: dict[str, CorrectionField] = field(default_factory=dict)
