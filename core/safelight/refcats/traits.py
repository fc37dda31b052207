"""What is known of well-known catalogues but not written in their files."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass

__all__ = ["CatalogTraits", "catalog_traits"]


@dataclass(frozen=True, slots=True)
class CatalogTraits:
    """Errors of a catalogue's positions, milliarcseconds per axis."""

    glob: str
    unstated_error_mas: float  # of a star for which the catalogue states none
    least_error_mas: float  # no star is better, whatever the catalogue states
    systematic_floor_mas: float  # error that many stars have in common
    mean_epoch_mjd: float = math.nan  # for which its positions hold best; NaN: not known


#: The epochs and errors of PS1 are those at which the shards of pv3_3pi_20170110 agree best with Gaia DR2.
_KNOWN = (
    CatalogTraits("gaia*", 10.0, 0.3, 0.2, 57205.9),
    CatalogTraits("ps1*", 10.0, 2.0, 3.0, 56930.0),
    CatalogTraits("sdss*", 50.0, 10.0, 20.0),
    CatalogTraits("skymapper*", 50.0, 10.0, 20.0, 57500.0),
    CatalogTraits("tycho*", 60.0, 10.0, 5.0, 51544.5),
)
_UNKNOWN = CatalogTraits("*", 50.0, 0.3, 0.0)


def catalog_traits(name: str) -> CatalogTraits:
    """The traits of the catalogue of that name; cautious ones for an unknown catalogue."""
    folded = name.casefold()
    return next((traits for traits in _KNOWN if fnmatch.fnmatchcase(folded, traits.glob)), _UNKNOWN)
