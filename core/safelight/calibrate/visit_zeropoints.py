"""The zeropoints of a visit's CCDs beside each other.

After the flat all CCDs of an exposure have one zeropoint, but for air, thin cloud and what flats leave behind, which
vary slowly over the focal plane. A constant with a gradient of a few mmag is fitted to the CCDs that agree, or, where
these are enough to show it, any gradient, also with a radial term; a CCD that jumps has a problem of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from safelight.calibrate.plane import FloatArray
from safelight.calibrate.visit_config import VisitConfig
from safelight.calibrate.visit_robust import Agreement, Problem, Rules, select_model

__all__ = ["VisitZeropoints", "judge_visit_zeropoints"]


@dataclass(frozen=True, slots=True)
class _Model:
    """A smooth field of zeropoints over the focal plane."""

    terms: int  # 3: constant and gradient, 4: with a radial term
    small: bool  # the gradient is as small as air and flats make it; else any
    least: int  # CCDs that must agree for it
    group: int  # CCDs that determine it


MODELS = (_Model(3, True, 2, 1), _Model(3, False, 5, 3), _Model(4, False, 8, 4))


@dataclass(frozen=True, slots=True)
class VisitZeropoints:
    """The CCDs' zeropoints against those of the others, in the order they were given."""

    difference_mag: FloatArray  # own minus expected from the others
    sigma_mag: FloatArray  # of that difference; infinite where nothing can be expected
    off: tuple[bool, ...]
    majority: bool  # False: most CCDs contradict each other, and none can be called right
    fit: Agreement
    centre: tuple[float, float]
    radius: float
    level: float

    @property
    def terms(self) -> int:
        """3: a constant and a gradient, 4: a radial term as well."""
        return self.fit.problem.n_parameters

    def expected(self, x: float, y: float) -> tuple[float, float]:
        """Zeropoint and its standard deviation, mag, of a CCD at (x, y); NaN where no majority agrees."""
        if not self.majority or not np.isfinite(self.fit.parameters).all():
            return float("nan"), float("nan")
        u, v = (x - self.centre[0]) / self.radius, (y - self.centre[1]) / self.radius
        design = _terms(np.array([u]), np.array([v]))[0, : self.terms]
        variance = design @ self.fit.covariance @ design + self.fit.scatter**2
        return self.level + float(design @ self.fit.parameters), float(np.sqrt(variance))


def judge_visit_zeropoints(
    x: FloatArray, y: FloatArray, zeropoint: FloatArray, error: FloatArray, config: VisitConfig
) -> VisitZeropoints:
    """Compare zeropoints with what the other CCDs lead to expect.

    Parameters
    ----------
    x, y
        Places of at least two CCDs in the focal plane, in any unit.
    zeropoint, error
        Magnitudes of 1 ADU/s and their standard deviations.
    config
        Tolerances.
    """
    if len(zeropoint) < 2:
        raise ValueError("a visit is judged from two CCDs on")
    centre = float(np.mean(x)), float(np.mean(y))
    radius = max(float(np.hypot(x - centre[0], y - centre[1]).max()), 1e-9)
    level = float(np.median(zeropoint))
    terms = _terms((x - centre[0]) / radius, (y - centre[1]) / radius)
    known = 1.0 / config.zeropointGradient**2
    problems = [
        Problem(
            design=terms[:, None, : model.terms],
            data=(zeropoint - level)[:, None],
            common=np.zeros(len(x)),
            single=np.asarray(error, dtype=np.float64) ** 2,
            common_growth=0.0,
            single_growth=1.0,
            axes=1,
            group=model.group,
            least=model.least,
            precision=np.array([0.0, known, known, 0.0][: model.terms]) * model.small,
        )
        for model in MODELS
    ]
    rules = Rules(config.zeropointTolerance, config.zeropointSigma, config.zeropointScatter)
    fit = select_model(problems, rules)
    off = tuple(bool(value) for value in ~fit.agree)
    return VisitZeropoints(fit.difference, fit.sigma, off, fit.majority, fit, centre, radius, level)


def _terms(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.column_stack([np.ones_like(u), u, v, u**2 + v**2])
