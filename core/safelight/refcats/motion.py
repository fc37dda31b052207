"""Bringing catalogue positions to the epoch of an observation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.exposure.projection import tan_deproject
from safelight.refcats.columns import is_angle_per_year, number
from safelight.refcats.shards import Shard

__all__ = ["ProperMotions", "aged", "moved", "trustworthy_motions"]

FloatArray = NDArray[np.float64]

_DAYS_PER_YEAR = 365.25
_MAS = 3.6e6 * 180.0 / np.pi  # per radian
_PLAUSIBLE_MJD = (15020.0, 88069.0)  # 1900 to 2100; Unix seconds and Julian dates fall outside
_LARGEST_MOTION_MAS = 15_000.0  # per year; Barnard's star has 10,400
#: Error of a motion that was not measured: the typical motion of a faint field star, mas/yr per axis.
_UNMEASURED_MOTION_MAS = 7.0
#: What the stars of a field have of it in common (mostly the reflex of the Sun's motion), mas/yr per axis.
_COMMON_MOTION_MAS = 4.0


@dataclass(frozen=True, slots=True)
class ProperMotions:
    """Motions and their errors in mas/yr (RA with cos dec), and epochs in MJD (TAI); NaN where unmeasured."""

    ra: FloatArray
    dec: FloatArray
    ra_error: FloatArray
    dec_error: FloatArray
    epoch: FloatArray


def trustworthy_motions(shard: Shard, select: NDArray[Any]) -> ProperMotions | None:
    """The proper motions of the selected rows, if the shard's can be believed; else None.

    Believed are motions with a unit of angle (per year), with errors, and with epochs that are dates in MJD: Gaia's
    are; the numbers that some PS1 shards carry (no unit, epochs in Unix seconds) are not. Rows without a measured
    motion (flagged, zero error, implausible) come out as NaN.
    """
    if not all(is_angle_per_year(shard, q) for q in ("pm_ra", "pm_dec", "pm_raErr", "pm_decErr")):
        return None
    columns = [number(shard, q, select) for q in ("pm_ra", "pm_dec", "pm_raErr", "pm_decErr", "epoch")]
    if any(column is None for column in columns):
        return None
    ra, dec, ra_error, dec_error = (column * _MAS for column in columns[:4] if column is not None)
    epoch = columns[4]
    assert epoch is not None
    dated = np.isfinite(epoch) & (epoch > _PLAUSIBLE_MJD[0]) & (epoch < _PLAUSIBLE_MJD[1])
    if len(epoch) and not dated.any():
        return None
    measured = dated & (np.hypot(ra, dec) < _LARGEST_MOTION_MAS) & (ra_error > 0) & (dec_error > 0)
    if "pm_flag" in shard.flags:
        measured &= ~shard.flag("pm_flag", select)
    for column in (ra, dec, ra_error, dec_error):
        column[~measured] = np.nan
    epoch[~dated] = np.nan
    return ProperMotions(ra, dec, ra_error, dec_error, epoch)


def aged(mean_epoch_mjd: float, epoch_mjd_tai: float) -> tuple[float, float]:
    """What not knowing the motions costs after a time: errors in mas per axis of one star, and of all in common.

    Zero when one of the epochs is unknown (NaN). PS1, whose positions hold for late 2014, is 7 mas off in
    declination by mid 2013, and its scatter against Gaia has doubled by 2012.
    """
    years = abs(epoch_mjd_tai - mean_epoch_mjd) / _DAYS_PER_YEAR
    if not math.isfinite(years):
        return 0.0, 0.0
    return _UNMEASURED_MOTION_MAS * years, _COMMON_MOTION_MAS * years


def moved(
    ra_deg: FloatArray,
    dec_deg: FloatArray,
    ra_error_mas: FloatArray,
    dec_error_mas: FloatArray,
    motions: ProperMotions,
    epoch_mjd_tai: float,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Positions (degrees) and errors (mas) at `epoch_mjd_tai`, in uniform linear motion on the sky.

    The motions' errors are added in quadrature; a star whose motion was not measured stays where it is and gets the
    error of an unknown one. Parallaxes are not applied (as in LSST's Gen2): they are below 1 mas for nearly all field
    stars.
    """
    years = (epoch_mjd_tai - motions.epoch) / _DAYS_PER_YEAR
    years = np.where(np.isfinite(years), years, 0.0)
    shift_ra = np.nan_to_num(motions.ra) * years / 3.6e6
    shift_dec = np.nan_to_num(motions.dec) * years / 3.6e6
    new_ra, new_dec = tan_deproject(shift_ra, shift_dec, ra_deg, dec_deg)
    grown = [
        np.hypot(error, np.where(np.isfinite(motion), motion, _UNMEASURED_MOTION_MAS) * years)
        for error, motion in ((ra_error_mas, motions.ra_error), (dec_error_mas, motions.dec_error))
    ]
    return new_ra, new_dec, grown[0], grown[1]
