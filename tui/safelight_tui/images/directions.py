"""Where north and east are in an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from safelight.exposure import SkyWcs

__all__ = ["local_cd"]


def local_cd(wcs: SkyWcs, shape: tuple[int, int]) -> NDArray[np.float64] | None:
    """(2, 2): degrees towards (east, north) per pixel along x and y in the middle of an image of (rows, columns).

    None where the WCS says nothing that could be turned into directions.
    """
    rows, columns = shape
    x, y = (columns - 1) / 2 + np.array([0.0, 1.0, 0.0]), (rows - 1) / 2 + np.array([0.0, 0.0, 1.0])
    ra, dec = wcs.pixel_to_sky(x, y)
    east = (np.mod(ra - ra[0] + 180.0, 360.0) - 180.0) * np.cos(np.radians(dec[0]))
    north = dec - dec[0]
    cd: NDArray[np.float64] = np.array([east[1:], north[1:]])
    return cd if np.isfinite(cd).all() and abs(np.linalg.det(cd)) > 1e-20 else None
