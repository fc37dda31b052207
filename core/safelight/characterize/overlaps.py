"""Which point sources lie in each other's light, and how much that costs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.exposure import PsfModel

__all__ = ["Overlaps", "PsfProfile", "find_overlaps"]

#: Light of others in a PSF flux, in units of its error, from which on the source is fitted together with them.
_NOTICED = 0.03
#: Least share of a flux's information that its neighbours leave.
_LEAST_INFORMATION = 0.1


@dataclass(frozen=True, slots=True)
class PsfProfile:
    """The PSF at the middle of the CCD by distance in whole pixels, directions averaged."""

    light: NDArray[np.float64]  # share of the total in a pixel
    overlap: NDArray[np.float64]  # correlation of two PSFs: sum p q / sum p²

    @classmethod
    def of(cls, psf: PsfModel) -> PsfProfile:
        """The profile of a model, as far out as its image reaches."""
        from scipy.signal import fftconvolve

        image = psf.image(psf.x_centre, psf.y_centre).astype(np.float64)
        overlap = fftconvolve(image, image[::-1, ::-1], mode="same")
        offsets = np.arange(psf.size) - psf.size // 2
        distance = np.rint(np.hypot(offsets[None, :], offsets[:, None])).astype(np.int64).ravel()
        counts = np.bincount(distance)
        profiles = [np.bincount(distance, plane.ravel()) / counts for plane in (image, overlap)]
        light, shared = (np.maximum(profile[: psf.size // 2 + 1], 0.0) for profile in profiles)
        return cls(light, shared / shared[0])

    def reach(self, faintest: NDArray[np.float64]) -> NDArray[np.int64]:
        """Distance in pixels beyond which a pixel has less than `faintest` (n,) of the total light."""
        falling = np.minimum.accumulate(self.light)
        return np.searchsorted(-falling, -faintest)


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Arrays of shape (n,)."""

    disturbed: NDArray[np.bool_]  # has others' light in its PSF flux
    disturbing: NDArray[np.bool_]  # is a cause of that
    information: NDArray[np.float64]  # share of the flux's inverse variance that is left when neighbours are fitted too


def find_overlaps(
    profile: PsfProfile,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    flux: NDArray[np.float64],
    flux_err: NDArray[np.float64],
    point: NDArray[np.bool_],
) -> Overlaps:
    """Find the sources that lie in the light of those that are `point` sources; all arrays (n,).

    A source is disturbed when the fluxes of others, weighted with their overlap, add up to 3 % of the error of its own.
    The information that is left is exact for neighbours that do not overlap each other, else an underestimate.
    """
    from scipy.spatial import cKDTree

    n = len(x)
    usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & np.isfinite(flux) & (flux_err > 0))
    pairs = usable[
        cKDTree(np.column_stack([x, y])[usable]).query_pairs(len(profile.overlap) - 1.0, output_type="ndarray")
    ]
    own, other = np.concatenate([pairs, pairs[:, ::-1]]).T
    own, other = own[point[other]], other[point[other]]
    distance = np.hypot(x[own] - x[other], y[own] - y[other])
    overlap = np.interp(distance, np.arange(len(profile.overlap)), profile.overlap)
    light = overlap * np.abs(flux[other])
    disturbed = np.bincount(own, light, n) > _NOTICED * flux_err
    disturbing = np.zeros(n, dtype=np.bool_)
    disturbing[other[disturbed[own]]] = True
    information = np.maximum(1.0 - np.bincount(own, overlap**2, n), _LEAST_INFORMATION)
    return Overlaps(disturbed, disturbing, information)
