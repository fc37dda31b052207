"""The correction of a predicted WCS by few stars: shift, rotation and scale, with the prediction's error as prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.plane import FloatArray
from safelight.calibrate.polynomial_fit import SIMILARITY, PolynomialFit
from safelight.calibrate.visit_witnesses import Scene
from safelight.calibrate.wcs_fit import MatchedStars

__all__ = ["correct_prediction"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

REJECT_SIGMA = 5.0  # stars farther from the corrected WCS than this are no part of it


def correct_prediction(
    scene: Scene, source: IntArray, reference: IntArray, error: float, scatter: float
) -> tuple[MatchedStars, PolynomialFit]:
    """Fit the stars; one after the other is left out, and dropped if it is far from what the others say.

    Parameters
    ----------
    scene
        The CCD as predicted.
    source, reference
        Rows of stars that belong to each other.
    error
        Of the prediction over the CCD, both axes together, arcsec.
    scatter
        Added to the stars' errors, arcsec per axis.
    """
    stars = _Stars.of(scene, source, reference, error, scatter)
    used = np.ones(len(source), dtype=np.bool_)
    while True:
        crossed, expected = stars.left_out(used)
        pull = np.where(used, np.abs(crossed / np.sqrt(expected)).max(axis=1), 0.0)
        if not used.any() or pull.max() <= REJECT_SIGMA:
            break
        used[np.argmax(pull)] = False
    fit = PolynomialFit(SIMILARITY, stars.radius, *stars.solve(used), scatter, used)
    residual = stars.target - np.column_stack(fit.correction.at(*stars.position.T))
    crossed = np.where(used[:, None], crossed, np.nan)
    everyone, nobody = np.ones(len(source), dtype=np.bool_), np.zeros(len(source), dtype=np.bool_)
    matched = MatchedStars(source, reference, everyone, nobody, used, stars.position, residual, stars.variance, crossed)
    return matched, fit


@dataclass(frozen=True, slots=True)
class _Stars:
    """What the fit rests on, arcsec in the plane of the prediction."""

    position: FloatArray  # (n, 2)
    target: FloatArray  # (n, 2): reference minus predicted source
    variance: FloatArray  # (n, 2)
    design: FloatArray  # (n, 2, 4): shift, rotation and scale, terms as in `PolynomialFit` of a similarity
    prior: FloatArray  # (4, 4): what the prediction knows, as an inverse covariance
    radius: float

    @classmethod
    def of(cls, scene: Scene, source: IntArray, reference: IntArray, error: float, scatter: float) -> _Stars:
        position = np.column_stack([scene.xi[source], scene.eta[source]])
        target = np.column_stack([scene.ref_xi[reference], scene.ref_eta[reference]]) - position
        variance = scene.source_variance[source] + scene.reference_variance[reference] + scatter**2
        u, v = position.T / scene.half_diagonal
        zero, one = np.zeros_like(u), np.ones_like(u)
        design = np.stack([np.column_stack([one, zero, u, -v]), np.column_stack([zero, one, v, u])], axis=1)
        # a shift makes most of the error, rotation and scale a part that grows towards the corners
        prior = np.diag(np.array([1.0, 1.0, 2.0, 2.0]) / (error**2 / 2.0))
        return cls(position, target, variance, design, prior, scene.half_diagonal)

    def solve(self, used: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Parameters and covariance."""
        design, variance = self.design[used], self.variance[used][..., None]
        covariance = np.linalg.inv(self.prior + np.einsum("nap,naq->pq", design / variance, design))
        return covariance @ np.einsum("nap,na->p", design / variance, self.target[used]), covariance

    def left_out(self, used: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Residuals (n, 2) of each star from the correction by the others that are used, and their variance."""
        residual, expected = np.zeros_like(self.target), np.ones_like(self.target)
        for k, design in enumerate(self.design):
            others = used.copy()
            others[k] = False
            parameters, covariance = self.solve(others)
            residual[k] = self.target[k] - design @ parameters
            expected[k] = self.variance[k] + np.einsum("ap,pq,aq->a", design, covariance, design)
        return residual, expected
