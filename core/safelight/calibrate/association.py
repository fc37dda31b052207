"""Sources and reference stars that are each other's nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from safelight.calibrate.plane import FloatArray

__all__ = ["mutual_nearest"]


def mutual_nearest(
    xi: FloatArray, eta: FloatArray, ref_xi: FloatArray, ref_eta: FloatArray, tolerance: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Pairs of mutual nearest neighbours in a plane.

    Parameters
    ----------
    xi, eta
        Sources, arcsec; those with NaN pair with nothing.
    ref_xi, ref_eta
        References, arcsec; likewise.
    tolerance
        Largest distance, arcsec: one number, or one per source.

    Returns
    -------
    source, reference, distance
        Positions in the two lists and distances in arcsec, in order of the sources.
    """
    good_source = np.flatnonzero(np.isfinite(xi) & np.isfinite(eta))
    good_reference = np.flatnonzero(np.isfinite(ref_xi) & np.isfinite(ref_eta))
    empty = np.zeros(0, dtype=np.int64)
    if not len(good_source) or not len(good_reference):
        return empty, empty, np.zeros(0)
    sources = np.column_stack([xi[good_source], eta[good_source]])
    references = np.column_stack([ref_xi[good_reference], ref_eta[good_reference]])
    limit = np.broadcast_to(np.asarray(tolerance, dtype=np.float64), len(xi))[good_source]
    reach = float(np.nanmax(limit)) * (1.0 + 1e-12)
    distance, to_reference = cKDTree(references).query(sources, distance_upper_bound=reach)
    found = np.flatnonzero(np.isfinite(distance) & (distance <= limit))
    _, back = cKDTree(sources).query(references[to_reference[found]], distance_upper_bound=reach)
    found = found[back == found]
    return good_source[found], good_reference[to_reference[found]], np.asarray(distance[found], dtype=np.float64)
