"""The Hierarchical Triangular Mesh: which triangles cover a circle, and in which a star lies (lsst-sphgeom's ids)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.errors import UsageError

__all__ = ["DEFAULT_DEPTH", "shard_ids", "shard_of"]

#: Ids 131072 to 262143, triangles of about 0.3 square degrees.
DEFAULT_DEPTH = 7


@lru_cache(maxsize=8)
def _pixelization(depth: int) -> Any:
    from lsst.sphgeom import HtmPixelization

    return HtmPixelization(depth)


def shard_ids(ra_deg: float, dec_deg: float, radius_deg: float, depth: int = DEFAULT_DEPTH) -> list[int]:
    """The HTM ids, ascending, of all triangles that touch a circle on the sky.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Centre in degrees.
    radius_deg : float
        Radius in degrees, 0 to 180.
    depth : int
        Level of subdivision; level 7 has ids 131072 to 262143.

    Raises
    ------
    UsageError
        ``BAD_CIRCLE`` for a centre or a radius that is no place on the sky.
    """
    from lsst.sphgeom import DISJOINT, Angle, Circle, LonLat, UnitVector3d

    numbers = np.isfinite([ra_deg, dec_deg, radius_deg]).all()
    if not (numbers and -90.0 <= dec_deg <= 90.0 and 0.0 <= radius_deg <= 180.0):
        raise UsageError(
            "BAD_CIRCLE", f"RA {ra_deg}, Dec {dec_deg}, radius {radius_deg} degrees is not a circle on the sky."
        )
    mesh = _pixelization(depth)
    circle = Circle(UnitVector3d(LonLat.fromDegrees(ra_deg % 360.0, dec_deg)), Angle.fromDegrees(radius_deg))
    touched = (number for begin, end in mesh.envelope(circle) for number in range(begin, end))
    # The envelope may hold triangles that only come near; their files would be missed for nothing.
    return [number for number in touched if not mesh.pixel(number).relate(circle) & DISJOINT]


def shard_of(ra_deg: ArrayLike, dec_deg: ArrayLike, depth: int = DEFAULT_DEPTH) -> NDArray[np.int64]:
    """The HTM id of the triangle in which each position (degrees) lies."""
    from lsst.sphgeom import UnitVector3d

    mesh = _pixelization(depth)
    ra, dec = np.radians(np.asarray(ra_deg, dtype=np.float64)), np.radians(np.asarray(dec_deg, dtype=np.float64))
    x, y, z = np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)
    ids = [mesh.index(UnitVector3d(*vector)) for vector in zip(x.tolist(), y.tolist(), z.tolist(), strict=True)]
    return np.array(ids, dtype=np.int64)
