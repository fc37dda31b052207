"""One camera behind all CCDs of a visit: its pointing, rotation and scale, fitted to the CCDs' own WCSs.

Each CCD's first WCS (the camera's geometry and distortion at the stated pointing) is compared with its fitted one. A
wrong pointing is a change of tangent point, rotation and scale a linear map of the tangent plane, refraction and
flexure shear it a little: one low-degree polynomial of the whole focal plane takes the first WCSs to the fitted ones.
A CCD that is not where the others put it has a wrong WCS, or has moved in the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from safelight.calibrate.corrected_wcs import Alignment, CorrectedWcs, PolynomialCorrection, monomials
from safelight.calibrate.plane import FloatArray, TangentPlane
from safelight.calibrate.visit_config import VisitConfig
from safelight.calibrate.visit_robust import Agreement, Problem, Rules, fit_agreeing, select_model
from safelight.exposure import SkyWcs
from safelight.exposure.wcs import angular_separation

__all__ = ["CameraModel", "CcdWcs", "VisitWcs", "judge_visit_wcs"]

#: Degree of the correction -> CCDs that must agree for it; 0: shift, rotation and scale.
LEAST_CCDS = {0: 2, 1: 6, 2: 12, 3: 24}
GAUSS = 0.5 / np.sqrt(3.0)  # means over these points of a CCD are means over the CCD, up to third degree
LARGEST_SHIFT_LEFT = 1e-3  # arcsec: the tangent point is moved until less is left
MOVES = 4
BEND = 0.5  # of a CCD's displacement from the model, as a part of the common scatter


@dataclass(frozen=True, slots=True)
class CcdWcs:
    """One CCD that was solved by its own stars."""

    first: SkyWcs  # before any star was looked at
    fitted: SkyWcs
    width: int
    height: int
    error_mas: float  # of the fitted WCS, both axes together
    pixel_scale: float  # arcsec/pixel


@dataclass(frozen=True, slots=True)
class CameraModel:
    """Where the camera looked, as all CCDs that agree say."""

    first_plane: TangentPlane  # about the middle of the first WCSs
    alignment: Alignment  # of `first_plane` in `plane`
    plane: TangentPlane
    polynomial: PolynomialCorrection
    covariance: FloatArray  # arcsec², of the polynomial's parameters
    degree: int  # of the correction; 0: shift, rotation and scale
    scatter: float  # arcsec per axis, of CCDs about the model
    n_ccds: int

    @property
    def shift_arcsec(self) -> float:
        """How far the camera looked from where its first WCSs say."""
        before, after = self.first_plane, self.plane
        return 3600.0 * float(angular_separation(before.ra_deg, before.dec_deg, after.ra_deg, after.dec_deg))

    def wcs(self, first: SkyWcs) -> CorrectedWcs:
        """The WCS of any CCD of the visit, from its first one."""
        return CorrectedWcs(first, self.first_plane, self.alignment, self.plane, self.polynomial)

    def error_arcsec(self, first: SkyWcs, width: int, height: int) -> float:
        """Expected error of `wcs(first)` over the CCD, both axes together: the fit's and the common scatter."""
        u, v = _position(self, first, width, height)
        design = _design(self.degree, u, v)
        fit = float(np.einsum("ip,pq,iq->", design, self.covariance, design)) / len(u)
        return float(np.sqrt(fit + 2.0 * (1.0 + BEND**2) * self.scatter**2))


@dataclass(frozen=True, slots=True)
class VisitWcs:
    """How the CCDs of a visit lie in the camera, in the order they were given."""

    model: CameraModel | None  # None: too few CCDs agree
    distance_mas: FloatArray  # rms over the CCD from the place that the others give it
    sigma_mas: FloatArray  # expected; infinite where the others give no place
    off: tuple[bool, ...]
    majority: bool  # False: most CCDs contradict each other, and none can be called right


def judge_visit_wcs(ccds: Sequence[CcdWcs], config: VisitConfig) -> VisitWcs:
    """Fit the camera to the CCDs that agree and say how far each is from where the others put it.

    With two CCDs a disagreement is found, but not which is wrong; from three on a minority is.

    Parameters
    ----------
    ccds
        At least two CCDs of one visit.
    config
        Tolerances.
    """
    if len(ccds) < 2:
        raise ValueError("a visit is judged from two CCDs on")
    scale = float(np.median([ccd.pixel_scale for ccd in ccds]))
    rules = Rules(config.wcsTolerance * scale, config.wcsSigma, config.wcsScatter * scale)
    points = _Points(ccds)
    first_plane = _plane_through(*points.first_sky)
    p, q = first_plane.project(*points.first_sky)
    radius = max(float(np.hypot(p, q).max()), 1.0)
    alignment, plane = Alignment(np.diag([_parity(p, q, *first_plane.project(*points.fitted_sky)), 1.0])), first_plane
    for _ in range(MOVES):
        found = fit_agreeing(_problem(0, p, q, alignment, plane, points, radius), rules)
        if not np.isfinite(found.parameters).all():
            break
        alignment, plane, left = _moved(alignment, plane, found, radius)
        if left < LARGEST_SHIFT_LEFT:
            break
    fit = select_model([_problem(d, p, q, alignment, plane, points, radius) for d in LEAST_CCDS], rules)
    distance, sigma = 1000.0 * fit.distance, 1000.0 * fit.sigma
    off = tuple(bool(value) for value in ~fit.agree)
    if not fit.majority or not np.isfinite(fit.parameters).all():
        return VisitWcs(None, distance, sigma, off, fit.majority)
    degree = next(d for d in LEAST_CCDS if _n_parameters(d) == fit.problem.n_parameters)
    model = CameraModel(
        first_plane,
        alignment,
        plane,
        _correction(degree, radius, fit.parameters),
        fit.covariance,
        degree,
        fit.scatter,
        int(fit.agree.sum()),
    )
    return VisitWcs(model, distance, sigma, off, True)


class _Points:
    """Sky positions of a few points of each CCD, (n, 4), by its first and by its fitted WCS."""

    def __init__(self, ccds: Sequence[CcdWcs]) -> None:
        pixels = [_pixels(ccd.width, ccd.height) for ccd in ccds]
        self.first_sky = _stack([ccd.first.pixel_to_sky(*at) for ccd, at in zip(ccds, pixels, strict=True)])
        self.fitted_sky = _stack([ccd.fitted.pixel_to_sky(*at) for ccd, at in zip(ccds, pixels, strict=True)])
        self.variance = np.array([ccd.error_mas / 1000.0 for ccd in ccds]) ** 2 / 2.0  # one axis


def _pixels(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    x, y = GAUSS * width * np.array([-1.0, 1.0, -1.0, 1.0]), GAUSS * height * np.array([-1.0, -1.0, 1.0, 1.0])
    return x + (width - 1) / 2.0, y + (height - 1) / 2.0


def _stack(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])


def _parity(p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray) -> float:
    """-1 where most CCDs have the other handedness than their first WCSs say, 1 elsewhere; (n, 4) points of each."""
    first = (p[:, 1] - p[:, 0]) * (q[:, 2] - q[:, 0]) - (q[:, 1] - q[:, 0]) * (p[:, 2] - p[:, 0])
    fitted = (xi[:, 1] - xi[:, 0]) * (eta[:, 2] - eta[:, 0]) - (eta[:, 1] - eta[:, 0]) * (xi[:, 2] - xi[:, 0])
    return float(np.sign(np.median(first * fitted))) or 1.0


def _plane_through(ra: FloatArray, dec: FloatArray) -> TangentPlane:
    """The tangent plane about the mean direction."""
    a, d = np.radians(ra), np.radians(dec)
    x, y, z = (np.cos(d) * np.cos(a)).mean(), (np.cos(d) * np.sin(a)).mean(), np.sin(d).mean()
    return TangentPlane(float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y)))))


def _problem(
    degree: int,
    p: FloatArray,
    q: FloatArray,
    alignment: Alignment,
    plane: TangentPlane,
    points: _Points,
    radius: float,
) -> Problem:
    xi, eta = alignment.apply(p, q)
    fitted_xi, fitted_eta = plane.project(*points.fitted_sky)
    n = len(p)
    design = np.stack([_design(degree, xi[k] / radius, eta[k] / radius) for k in range(n)])
    data = np.concatenate([fitted_xi - xi, fitted_eta - eta], axis=1)
    # the error of a polynomial fit: half of it shifts the CCD as a whole, and it doubles towards the corners
    return Problem(
        design,
        data,
        common=0.5 * points.variance,
        single=points.variance.copy(),
        common_growth=1.0,
        single_growth=BEND**2,
        axes=2,
        group=2 if degree == 0 else 3 if degree == 1 else _n_parameters(degree) // 4,
        least=LEAST_CCDS[degree],
        precision=np.zeros(_n_parameters(degree)),
    )


def _n_parameters(degree: int) -> int:
    return 4 if degree == 0 else (degree + 1) * (degree + 2)


def _design(degree: int, u: FloatArray, v: FloatArray) -> FloatArray:
    """(2n, parameters): all points' xi, then their eta."""
    n = len(u)
    design = np.zeros((2 * n, _n_parameters(degree)))
    if degree == 0:
        design[:n, 0] = design[n:, 1] = 1.0
        design[:n, 2], design[n:, 2] = u, v
        design[:n, 3], design[n:, 3] = -v, u
        return design
    terms = np.column_stack([u**i * v**j for i, j in monomials(degree)])
    design[:n, : terms.shape[1]] = design[n:, terms.shape[1] :] = terms
    return design


def _correction(degree: int, radius: float, parameters: FloatArray) -> PolynomialCorrection:
    if degree == 0:
        a, b, c, d = parameters
        return PolynomialCorrection(1, radius, np.array([[a, -d, c], [b, c, d]]))
    return PolynomialCorrection(degree, radius, parameters.reshape(2, -1))


def _position(model: CameraModel, first: SkyWcs, width: int, height: int) -> tuple[FloatArray, FloatArray]:
    p, q = model.first_plane.project(*first.pixel_to_sky(*_pixels(width, height)))
    xi, eta = model.alignment.apply(p, q)
    return xi / model.polynomial.radius, eta / model.polynomial.radius


def _moved(
    alignment: Alignment, plane: TangentPlane, found: Agreement, radius: float
) -> tuple[Alignment, TangentPlane, float]:
    """The similarity that was found taken in, its shift as a change of tangent point; and the size of that shift."""
    a, b, c, d = found.parameters
    turn = np.eye(2) + np.array([[c, -d], [d, c]]) / radius
    ra, dec = plane.deproject(np.array([a]), np.array([b]))
    return Alignment(turn @ alignment.matrix), TangentPlane(float(ra[0]), float(dec[0])), float(np.hypot(a, b))
