"""The levels of the CCDs of a mosaic relative to each other, from flats that were taken with all of them.

Each CCD's master flat has a median of 1. Light of one brightness gives different counts on different CCDs: gains,
quantum efficiency and vignetting differ. Put into the flats, these ratios give all CCDs of a mosaic one zeropoint and
one sky level, as LSST's combination of flats does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping

import numpy as np

__all__ = ["SET_CARD", "mosaic_scales", "mosaic_sets"]

#: Card of a master flat that names its set, as `mosaic_sets` does.
SET_CARD = "FLATSET"


def mosaic_scales(levels: Mapping[tuple[Hashable, int], float]) -> dict[int, float]:
    """The level of each CCD under the same light, with a mean of 1.

    Parameters
    ----------
    levels : (exposure, CCD) -> median counts. The light may differ between exposures, and frames may be missing.

    Returns
    -------
    dict
        CCD -> factor, from least squares of log level = log light of the exposure + log response of the CCD. CCDs that
        no chain of common exposures relates are scaled apart, each set to a mean of 1.
    """
    scales: dict[int, float] = {}
    for group in _related(levels):
        exposures = sorted({exposure for exposure, _ in group}, key=repr)
        ccds = sorted({ccd for _, ccd in group})
        design = np.zeros((len(group), len(exposures) + len(ccds)))
        for row, (exposure, ccd) in enumerate(group):
            design[row, exposures.index(exposure)] = 1.0
            design[row, len(exposures) + ccds.index(ccd)] = 1.0
        logs = np.log([levels[key] for key in group])
        # One constant may move between exposures and CCDs; the mean of 1 settles it.
        response = np.exp(np.linalg.lstsq(design, logs, rcond=None)[0][len(exposures) :])
        scales.update(zip(ccds, (response / response.mean()).tolist(), strict=True))
    return scales


def mosaic_sets(levels: Mapping[tuple[Hashable, int], float]) -> dict[int, str]:
    """A name for the set whose levels each CCD shares: only within one can zeropoints of CCDs be compared.

    It is made of the exposures and CCDs, so that the same frames give the same name again.

    Parameters
    ----------
    levels : as in `mosaic_scales`

    Returns
    -------
    dict
        CCD -> 16 hexadecimal digits.
    """
    names: dict[int, str] = {}
    for group in _related(levels):
        text = "\n".join(sorted(f"{exposure!r} {ccd}" for exposure, ccd in group))
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        names |= {ccd: name for _, ccd in group}
    return names


def _related(levels: Mapping[tuple[Hashable, int], float]) -> list[list[tuple[Hashable, int]]]:
    """The keys in groups that share neither an exposure nor a CCD with each other."""
    groups: list[list[tuple[Hashable, int]]] = []
    for key in levels:
        touching = [group for group in groups if any(key[0] == other[0] or key[1] == other[1] for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([key, *(other for group in touching for other in group)])
    return groups
