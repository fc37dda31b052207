"""The brighter-fatter effect: charge already in a pixel pushes the charge that comes after it to the neighbours.

Source: Coulton, Armstrong, Smith, Lupton & Spergel 2018, AJ 155, 258 (as in LSST Gen2): with the potential P = K ⊗ I of
the charge I (electrons) through a small kernel K, the charge that has left a pixel is ½ ∇·(I ∇P). Gen2 writes the
divergence out as ½ (∇I·∇P + I ∇²P); here it is the difference of the flows through the four sides of the pixel, which
is the same to second order and neither makes nor loses an electron.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.errors import ProcessingError
from safelight.exposure import FloatImage, MasterFrame
from safelight.instruments.model import Amplifier

__all__ = ["BrighterFatterReport", "brighter_fatter_kernel", "correct_brighter_fatter"]


@dataclass(frozen=True, slots=True)
class BrighterFatterReport:
    """How the iteration went."""

    iterations: int
    last_change: float  # electrons, summed over the frame
    converged: bool
    border: int  # pixels along the frame's edges that are not corrected


def brighter_fatter_kernel(master: MasterFrame | None) -> NDArray[np.float32]:
    """The kernel [dy, dx], of odd sides, from the image of its FITS file.

    Raises `ProcessingError` MISSING_BRIGHTER_FATTER_KERNEL or BAD_BRIGHTER_FATTER_KERNEL.
    """
    if master is None:
        raise ProcessingError(
            "MISSING_BRIGHTER_FATTER_KERNEL",
            "There is no brighter-fatter kernel for this CCD.",
            "Ingest one (type bfKernel), or switch the correction off: -c isr.doBrighterFatter=False",
        )
    kernel = master.image
    odd = all(side % 2 == 1 and side >= 3 for side in kernel.shape)
    if not odd or not np.all(np.isfinite(kernel)):
        height, width = kernel.shape
        raise ProcessingError(
            "BAD_BRIGHTER_FATTER_KERNEL",
            f"The brighter-fatter kernel {master.path} of {width} x {height} numbers is not usable.",
            "It must be finite everywhere and have odd sides of at least 3 pixels.",
        )
    return np.ascontiguousarray(kernel, dtype=np.float32)


def correct_brighter_fatter(
    image: FloatImage,
    filled: FloatImage,
    kernel: NDArray[np.float32],
    amplifiers: Sequence[Amplifier],
    *,
    max_iterations: int = 10,
    threshold: float = 1000.0,
) -> BrighterFatterReport:
    """Give every pixel of `image` the charge back that was pushed out of it.

    Parameters
    ----------
    image : [y, x], ADU, assembled frame; changed in place
    filled : [y, x], ADU; `image` with its bad pixels filled; overwritten (it serves as scratch)
    kernel : [dy, dx], per electron
    max_iterations, threshold : the iteration ends when it changes the frame by less than `threshold` electrons in all
    """
    from scipy.signal import oaconvolve

    np.nan_to_num(filled, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    for amplifier in amplifiers:
        filled[amplifier.box.slices] *= np.float32(amplifier.gain)
    charge = filled.copy()
    correction = np.zeros_like(filled)
    border = max(kernel.shape) // 2 + 1
    done, change, converged = 0, float("inf"), False
    while done < max_iterations and not converged:
        potential = oaconvolve(charge, kernel, mode="same").astype(np.float32, copy=False)
        change = float(_push_back(filled, charge, potential, correction, border))
        done += 1
        converged = change < threshold
    for amplifier in amplifiers:
        image[amplifier.box.slices] += correction[amplifier.box.slices] / np.float32(amplifier.gain)
    return BrighterFatterReport(done, change, converged, border)


@compiled
def _push_back(
    observed: FloatImage, charge: FloatImage, potential: FloatImage, correction: FloatImage, border: int
) -> float:
    """One iteration: `correction` from `charge`, then `charge` from `correction`; the sum of the changes.

    Flows are taken from the previous charge, of which the row above and the left pixel are kept before they change.
    """
    height, width = observed.shape
    above = charge[border - 1].copy()
    total = 0.0
    for y in range(border, height - border):
        left = charge[y, border - 1]
        for x in range(border, width - border):
            here, p = charge[y, x], potential[y, x]
            flow = (left + here) * (potential[y, x - 1] - p)
            flow += (charge[y, x + 1] + here) * (potential[y, x + 1] - p)
            flow += (above[x] + here) * (potential[y - 1, x] - p)
            flow += (charge[y + 1, x] + here) * (potential[y + 1, x] - p)
            change = np.float32(0.25) * flow
            total += abs(change - correction[y, x])
            correction[y, x] = change
            left = here
            above[x] = here
            charge[y, x] = observed[y, x] + change
    return total
