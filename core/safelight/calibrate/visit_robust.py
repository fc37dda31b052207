"""Robust linear fits to the CCDs of one visit: which of them follow one model, and how far are the others from it?

A CCD gives a handful of numbers that share its errors. The start is the least median of squares over small groups of
CCDs (Rousseeuw 1984), which a minority of wrong CCDs cannot move. From there each CCD is compared with a fit to the
others alone, and those that are off are left out, until nothing changes. CCDs that agree scatter about any model by
more than their errors say (air, flats, bent chips): that common scatter is estimated from those that agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from safelight.calibrate.plane import FloatArray

__all__ = ["Agreement", "Problem", "Rules", "fit_agreeing", "select_model"]

BoolArray = NDArray[np.bool_]

MOST_GROUPS = 400  # groups of CCDs tried by the start
ROUNDS = 20
LOST = 25.0  # loss, in squared standard deviations, beyond which a CCD is simply wrong
SINGULAR = 1e10  # condition number, of equations with a unit diagonal, that determine nothing
FEWEST_THAT_SCATTER = 3
REFERENCE_CCDS = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """``data = design @ parameters`` for each CCD, with errors.

    The covariance of the m numbers of a CCD is ``common * ones + single * identity``, both growing with the square of
    the scatter that all CCDs share.
    """

    design: FloatArray  # (n, m, p)
    data: FloatArray  # (n, m)
    common: FloatArray  # (n,) variance that all m numbers of a CCD share along one axis
    single: FloatArray  # (n,) variance of each
    common_growth: float  # d(common) / d(scatter²)
    single_growth: float
    axes: int  # the m numbers belong to this many axes, one after the other
    group: int  # CCDs that together determine the parameters
    least: int  # CCDs that must agree for this model to be tried
    precision: FloatArray  # (p,) inverse variance of each parameter about 0 that is known beforehand; 0: nothing is

    def __len__(self) -> int:
        return len(self.data)

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return int(self.design.shape[2])

    def whitening(self, scatter: float) -> FloatArray:
        """(n, m, m): inverse square root of each CCD's covariance."""
        k = self.data.shape[1] // self.axes
        common = self.common + self.common_growth * scatter**2
        single = self.single + self.single_growth * scatter**2
        along = (1.0 / np.sqrt(single + k * common) - 1.0 / np.sqrt(single)) / k
        one_axis = np.eye(k) / np.sqrt(single)[:, None, None] + along[:, None, None] * np.ones((k, k))
        result = np.zeros((len(self), self.axes * k, self.axes * k))
        for axis in range(self.axes):
            part = slice(axis * k, (axis + 1) * k)
            result[:, part, part] = one_axis
        return result

    def own_variance(self, scatter: float) -> FloatArray:
        """(n,): variance of a CCD's distance from the truth, all axes together."""
        growth = (self.common_growth + self.single_growth) * scatter**2
        return np.asarray(self.axes * (self.common + self.single + growth))

    def distance(self, residual: FloatArray) -> FloatArray:
        """Root mean square over a CCD of residuals (…, m), all axes together."""
        return np.asarray(np.sqrt((residual**2).sum(axis=-1) * self.axes / residual.shape[-1]))


@dataclass(frozen=True, slots=True)
class Rules:
    """When a CCD is off, in the units of the data."""

    tolerance: float  # never nearer than this
    n_sigma: float  # nor by fewer standard deviations, of `REFERENCE_CCDS`
    scatter: float  # prior of the common scatter …
    weight: float = 2.0  # … that counts as so many numbers

    @property
    def most_scatter(self) -> float:
        """CCDs that seem to scatter more about one model do not follow it."""
        return 2.0 * self.tolerance

    def sigmas(self, n: int) -> float:
        """Standard deviations beyond which one of `n` CCDs is as seldom as one of `REFERENCE_CCDS` beyond `n_sigma`."""
        return float(-ndtri(min(ndtr(-self.n_sigma) * REFERENCE_CCDS / n, 0.01)))


@dataclass(frozen=True, slots=True)
class Agreement:
    """A fit to the CCDs that agree. `distance` and `sigma` compare each CCD with a fit to the others that agree."""

    problem: Problem
    agree: BoolArray  # (n,)
    parameters: FloatArray
    covariance: FloatArray
    scatter: float  # per axis, common to all CCDs
    distance: FloatArray  # (n,)
    sigma: FloatArray  # (n,) expected distance; infinite where the others determine nothing
    loss: FloatArray  # (n,) squared distance in units of the CCD's own error, at most `LOST`
    difference: FloatArray  # (n,) mean over a CCD's numbers of data minus that fit: the signed distance of one number

    @property
    def majority(self) -> bool:
        """Whether those that agree are more than half."""
        return 2 * int(self.agree.sum()) > len(self.agree)


def select_model(problems: Sequence[Problem], rules: Rules) -> Agreement:
    """The agreement under the simplest model whose predictions of left-out CCDs cannot be told from the best.

    `problems` are in order of their number of parameters; those for which there are too few CCDs are passed over.
    """
    found = [fit_agreeing(problems[0], rules)]
    for problem in problems[1:]:
        if len(problem) >= problem.least:
            fit = fit_agreeing(problem, rules)
            if int(fit.agree.sum()) >= problem.least:
                found.append(fit)
    best = min(found, key=lambda fit: float(fit.loss.mean()))
    for fit in found:
        excess = fit.loss - best.loss
        if fit is best or excess.mean() <= excess.std() / np.sqrt(len(excess)):
            return fit
    return best


def fit_agreeing(problem: Problem, rules: Rules) -> Agreement:
    """Find the CCDs that follow one model, fit them, and compare every CCD with the fit to the others."""
    judged = _judged(problem, _start(problem, rules), rules.scatter, rules)
    seen: set[bytes] = set()
    for _ in range(ROUNDS):
        if not judged.majority or judged.agree.tobytes() in seen:  # without a majority nobody can be believed
            break
        seen.add(judged.agree.tobytes())
        if judged.settled:
            judged = _challenged(problem, judged, rules)
        else:
            judged = _judged(problem, judged.near, judged.scatter, rules)
    return _agreement(problem, judged, rules)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Every CCD against the fit to the others that agree."""

    agree: BoolArray  # who was believed
    near: BoolArray  # who lies near the fit to these
    scatter: float
    residual: FloatArray  # (n, m)
    prediction: FloatArray  # (n,) variance of the fit to the others
    distance: FloatArray
    sigma: FloatArray

    @property
    def settled(self) -> bool:
        return bool(np.array_equal(self.agree, self.near))

    @property
    def majority(self) -> bool:
        return 2 * int(self.near.sum()) > len(self.near)


def _judged(problem: Problem, agree: BoolArray, scatter: float, rules: Rules) -> _Judged:
    residual, prediction = _left_out(problem, agree, scatter)
    scatter = _scatter(problem, agree, problem.distance(residual), prediction, scatter, rules)
    residual, prediction = _left_out(problem, agree, scatter)
    distance = problem.distance(residual)
    sigma = np.sqrt(prediction + problem.own_variance(scatter))
    near = distance <= np.maximum(rules.tolerance, rules.sigmas(len(problem)) * sigma)
    return _Judged(agree, near, scatter, residual, prediction, distance, sigma)


def _challenged(problem: Problem, judged: _Judged, rules: Rules) -> _Judged:
    """The CCD that is farthest from the others is judged by the scatter of these: its own must not excuse it."""
    pull = np.where(judged.agree, judged.distance / judged.sigma, 0.0)
    worst = int(np.argmax(pull))
    others = judged.agree.copy()
    others[worst] = False
    without = _judged(problem, others, rules.scatter, rules)
    return without if without.majority and not without.near[worst] else judged


def _agreement(problem: Problem, judged: _Judged, rules: Rules) -> Agreement:
    agree, own = judged.near, problem.own_variance(rules.scatter)
    loss = np.minimum(judged.distance**2 / own, LOST)
    loss[~np.isfinite(judged.prediction)] = LOST
    matrix, vector = _normal(problem, judged.scatter)
    known = np.diag(problem.precision)
    parameters, covariance = _solve((known + matrix[agree].sum(axis=0))[None], vector[agree].sum(axis=0)[None])
    return Agreement(
        problem,
        agree,
        parameters[0],
        covariance[0],
        judged.scatter,
        judged.distance,
        judged.sigma,
        loss,
        difference=judged.residual.mean(axis=1),
    )


def _normal(problem: Problem, scatter: float) -> tuple[FloatArray, FloatArray]:
    """Each CCD's share in the normal equations: (n, p, p) and (n, p)."""
    white = problem.whitening(scatter)
    design, data = white @ problem.design, white @ problem.data[..., None]
    turned = design.swapaxes(1, 2)
    return turned @ design, (turned @ data)[..., 0]


def _determined(matrices: FloatArray) -> BoolArray:
    """Which normal equations (…, p, p) determine all parameters."""
    diagonal = np.sqrt(np.diagonal(matrices, axis1=-2, axis2=-1))
    filled: BoolArray = np.asarray((diagonal > 0).all(axis=-1))
    scaled = matrices / np.where(filled[..., None], diagonal, 1.0)[..., None, :]
    scaled /= np.where(filled[..., None], diagonal, 1.0)[..., None]
    values = np.linalg.eigvalsh(scaled)
    return np.asarray(filled & (values[..., 0] * SINGULAR > values[..., -1]))


def _solve(matrices: FloatArray, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Parameters (n, p) and covariances of normal equations; NaN and infinite where these determine nothing."""
    good = _determined(matrices)
    covariance, parameters = np.full_like(matrices, np.inf), np.full_like(vectors, np.nan)
    covariance[good] = np.linalg.inv(matrices[good])
    parameters[good] = np.einsum("npq,nq->np", covariance[good], vectors[good])
    return parameters, covariance


def _left_out(problem: Problem, agree: BoolArray, scatter: float) -> tuple[FloatArray, FloatArray]:
    """Residuals (n, m) of each CCD from the fit to the others that agree, and the variance (n,) of that prediction.

    Where the others determine nothing, nothing can be said against a CCD: its residuals are 0, the variance infinite.
    """
    matrix, vector = _normal(problem, scatter)
    inside, known = agree.astype(np.float64), np.diag(problem.precision)
    parameters, covariance = _solve(
        known + matrix[agree].sum(axis=0) - inside[:, None, None] * matrix,
        vector[agree].sum(axis=0) - inside[:, None] * vector,
    )
    told = np.isfinite(parameters).all(axis=1)
    residual, variance = np.zeros_like(problem.data), np.full(len(problem), np.inf)
    design = problem.design[told]
    residual[told] = problem.data[told] - np.einsum("nmp,np->nm", design, parameters[told])
    share = problem.axes / problem.data.shape[1]
    variance[told] = share * ((design @ covariance[told]) * design).sum(axis=(1, 2))
    return residual, variance


def _scatter(
    problem: Problem, agree: BoolArray, distance: FloatArray, prediction: FloatArray, scatter: float, rules: Rules
) -> float:
    """The common scatter that the distances of those that agree show, with the prior's weight.

    Two CCDs cannot show that they scatter: what parts them may as well be that one is wrong.
    """
    use = agree & np.isfinite(prediction)
    if int(use.sum()) < FEWEST_THAT_SCATTER:
        return rules.scatter
    stretch = 1.0 + prediction[use] / problem.own_variance(scatter)[use]
    growth = problem.axes * (problem.common_growth + problem.single_growth)
    excess = distance[use] ** 2 / stretch - problem.own_variance(0.0)[use]
    freedom = rules.weight + problem.axes * int(use.sum())
    squares = rules.weight * rules.scatter**2 + problem.axes * max(float(excess.sum()), 0.0) / growth
    return min(float(np.sqrt(squares / freedom)), rules.most_scatter)


def _start(problem: Problem, rules: Rules) -> BoolArray:
    """CCDs near the model of that group of CCDs which most CCDs are near to."""
    n = len(problem)
    if n <= problem.group:
        return np.ones(n, dtype=np.bool_)
    matrix, vector = _normal(problem, rules.scatter)
    groups = _groups(n, problem.group)
    sums = np.diag(problem.precision) + matrix[groups].sum(axis=1)
    usable = _determined(sums)
    groups, sums = groups[usable], sums[usable]
    if not len(groups):
        return np.ones(n, dtype=np.bool_)
    parameters = np.linalg.solve(sums, vector[groups].sum(axis=1)[..., None])[..., 0]
    residual = problem.data[None] - np.moveaxis(problem.design @ parameters.T, 2, 0)
    distance = problem.distance(residual)  # (groups, n)
    # a model that goes exactly through its group must please others beside it
    exact = problem.group * problem.data.shape[1] <= problem.n_parameters
    near = (n + problem.group + 1) // 2 if exact else n // 2 + 1
    score = np.sort(distance, axis=1)[:, min(near, n) - 1]
    best = int(np.argmin(score))
    sigma = np.sqrt(problem.own_variance(rules.scatter))
    limit = np.maximum(np.maximum(rules.tolerance, rules.sigmas(n) * sigma), 3.0 * score[best])
    return np.asarray(distance[best] <= limit)


def _groups(n: int, size: int) -> NDArray[np.int64]:
    """Groups of CCDs: all, or as many as are tried, drawn the same way every time."""
    if comb(n, size) <= MOST_GROUPS:
        return np.array(list(combinations(range(n), size)), dtype=np.int64)
    random = np.random.default_rng(n)
    return np.argsort(random.random((MOST_GROUPS, n)), axis=1)[:, :size].astype(np.int64)
