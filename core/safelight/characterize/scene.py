"""What sources are measured on: the frame, or, where stars crowd, what is left of it without their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.detection import Detections
from safelight.characterize.joint_fluxes import JointFit, fit_together
from safelight.characterize.overlaps import Overlaps, PsfProfile, find_overlaps
from safelight.characterize.pixel_flags import centre_bits
from safelight.characterize.point_sources import NO_SOURCES, PointSources, render_sources, take_off
from safelight.characterize.psf_photometry import PsfFluxes
from safelight.characterize.psf_size import psf_width
from safelight.characterize.shapes import Shapes
from safelight.exposure import Exposure, FloatImage, PsfModel, Workspace

if TYPE_CHECKING:
    from safelight.characterize.sources import Noise, SourceRows

__all__ = ["Look", "Scene", "disentangle"]

Rows = TypeVar("Rows", Shapes, PsfFluxes)

#: Least signal to noise of a flux that is taken off the image.
_LEAST_SIGNAL = 2.0
#: Squared width over that of the PSF from which on a source is no point: its pixels are kept from its neighbours' fits.
_EXTENDED = 1.5
#: A PSF is taken off as far out as it is above this fraction of the noise of a pixel.
_FAINTEST = 0.1
#: Positions found with the neighbours in the way are improved once.
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """An image, the sources that have been taken off it, and the owners of pixels that only one source may use."""

    image: FloatImage  # [y, x], ADU
    labels: NDArray[np.int32]  # [y, x]; 0 where `sources` that are points lie
    sources: PointSources = NO_SOURCES


@dataclass(frozen=True, slots=True)
class Look:
    """Positions, shapes and PSF fluxes of n rows."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_err: NDArray[np.float64]
    y_err: NDArray[np.float64]
    shapes: Shapes
    psf: PsfFluxes

    def replaced(self, rows: NDArray[np.int64], other: Look) -> Look:
        """This look with `rows` from another, which has only those."""
        values = {name: getattr(self, name).copy() for name in ("x", "y", "x_err", "y_err")}
        for name, value in values.items():
            value[rows] = getattr(other, name)
        return Look(
            **values, shapes=_replaced(self.shapes, rows, other.shapes), psf=_replaced(self.psf, rows, other.psf)
        )


def _replaced(one: Rows, rows: NDArray[np.int64], other: Rows) -> Rows:
    changed: dict[str, Any] = {}
    for item in fields(one):
        changed[item.name] = getattr(one, item.name).copy()
        changed[item.name][rows] = getattr(other, item.name)
    return replace(one, **changed)


def disentangle(
    exposure: Exposure,
    found: Detections,
    rows: SourceRows,
    look: Look,
    psf: PsfModel,
    noise: Noise,
    bad: int,
    radius: int,
    workspace: Workspace,
    look_again: Callable[[Scene, NDArray[np.int64]], Look],
) -> tuple[Look, Scene]:
    """Fit overlapping sources together, and measure positions and shapes of each with the others taken off.

    Parameters
    ----------
    look : Look
        At all rows, each as if it were alone.
    bad, radius
        Mask bits and pixels of PSF fits.
    workspace : Workspace
        Planes "remainder" (float32) and "owners" (int32) are used.
    look_again : callable
        Measures some of the rows on a scene.

    Returns
    -------
    look, scene
        Rows that nobody disturbs are as they were. Without overlaps the scene is the frame.
    """
    profile = PsfProfile.of(psf)
    candidates = _candidates(exposure, rows, look)
    overlaps = find_overlaps(profile, look.x, look.y, look.psf.flux, look.psf.flux_err, candidates)
    free = candidates & overlaps.disturbed
    if not free.any():
        return look, Scene(exposure.image, found.labels)
    members = np.flatnonzero(candidates & (overlaps.disturbed | overlaps.disturbing))
    disturbed = np.flatnonzero(free)
    label = rows.first[members]
    of_label = np.full(len(found) + 1, -1, dtype=np.int64)
    of_label[label] = np.arange(len(members))
    faintest = _FAINTEST * np.sqrt(noise.sky_variance[members]) / look.psf.flux[members]
    half = np.clip(profile.reach(faintest), radius, psf.size // 2)
    remainder = workspace.take("remainder", exposure.shape, np.float32)
    owners = workspace.take("owners", exposure.shape, np.int32)
    owners[:] = 0
    limit = _EXTENDED * psf_width(psf) ** 2
    for number in range(_ROUNDS):
        extended = look.shapes.shape_failed | (look.shapes.width**2 > limit)
        _write_owners(found, label[~extended[members]], owners)
        sources = render_sources(psf, look.x[members], look.y[members], look.psf.flux[members], half, of_label)
        remainder[:] = exposure.image
        take_off(remainder, sources)
        fitted = fit_together(
            exposure.image, remainder, exposure.mask, owners, sources, label=label, free=free[members],
            sky_variance=noise.sky_variance[members], variance_slope=noise.slope, bad=bad, radius=radius,
        )  # fmt: skip
        scene = Scene(remainder, owners, sources)
        look = _with_fluxes(look, members, free[members], sources.flux, fitted, overlaps)
        if number < _ROUNDS - 1:
            again = look_again(scene, disturbed)
            look = look.replaced(disturbed, replace(again, psf=_moved(look.psf, disturbed, again)))
    return look, scene


def _candidates(exposure: Exposure, rows: SourceRows, look: Look) -> NDArray[np.bool_]:
    """Rows whose PSF may be taken off the image: significant, in the frame, not saturated, not parents of blends."""
    height, width = exposure.shape
    saturated = (centre_bits(exposure.mask, look.x, look.y) & exposure.planes.bits("SAT")) != 0
    inside = (look.x > -0.5) & (look.x < width - 0.5) & (look.y > -0.5) & (look.y < height - 0.5)
    with np.errstate(invalid="ignore"):
        significant = look.psf.flux > _LEAST_SIGNAL * look.psf.flux_err
    return np.asarray((rows.n_child == 0) & significant & inside & ~saturated, dtype=np.bool_)


def _write_owners(found: Detections, points: NDArray[np.int64], owners: NDArray[np.int32]) -> None:
    """The labels of the detections, without those of `points`; `owners` is 0 where there are none."""
    kept = np.arange(len(found) + 1, dtype=np.int32)
    kept[points] = 0
    owners.reshape(-1)[found.pixels] = kept[found.labels.reshape(-1)[found.pixels]]


def _with_fluxes(
    look: Look,
    members: NDArray[np.int64],
    free: NDArray[np.bool_],
    flux: NDArray[np.float64],
    fitted: JointFit,
    overlaps: Overlaps,
) -> Look:
    """The fitted fluxes of those of the members that were `free` and had pixels."""
    done = free & np.isfinite(fitted.flux_err)
    rows = members[done]
    psf = replace(look.psf, **{n: getattr(look.psf, n).copy() for n in ("flux", "flux_err", "chi2", "n_pixels")})
    psf.flux[rows] = flux[done]
    psf.flux_err[rows] = fitted.flux_err[done] / np.sqrt(overlaps.information[rows])
    psf.chi2[rows] = fitted.chi2[done]
    psf.n_pixels[rows] = fitted.n_pixels[done].astype(np.int64)
    return replace(look, psf=psf)


def _moved(psf: PsfFluxes, rows: NDArray[np.int64], again: Look) -> PsfFluxes:
    """The PSF fluxes of `rows` as they are, at the positions of another look at them."""
    mine = {item.name: getattr(psf, item.name)[rows] for item in fields(psf)}
    at = {name: getattr(again.psf, name) for name in ("x", "y", "x_err", "y_err", "position_failed")}
    return replace(psf, **(mine | at))
