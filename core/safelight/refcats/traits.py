"""What is known of well-known catalogues but not written in their files."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

__all__ = ["CatalogTraits", "catalog_traits"]


@dataclass(frozen=True, slots=True)
class CatalogTraits:
    """Errors of a catalogue's positions, milliarcseconds per axis."""

    glob: str
    unstated_error_mas: float  # of a star for which the catalogue states none
    least_error_mas: float  # no star is better, whatever the catalogue states
    systematic_floor_mas: float  # error that many stars have in common


#: The PS1 numbers are its scatter and offset against Gaia DR2; Tycho-2's are for V = 11 in 2012, motions not applied.
_KNOWN = (
    CatalogTraits("gaia*", 10.0, 0.3, 0.2),
    CatalogTraits("ps1*", 10.0, 2.0, 5.0),
    CatalogTraits("sdss*", 50.0, 10.0, 20.0),
    CatalogTraits("skymapper*", 50.0, 10.0, 20.0),
    CatalogTraits("tycho*", 100.0, 10.0, 10.0),
)
_UNKNOWN = CatalogTraits("*", 50.0, 0.3, 0.0)


def catalog_traits(name: str) -> CatalogTraits:
    """The traits of the catalogue of that name; cautious ones for an unknown catalogue."""
    folded = name.casefold()
    return next((traits for traits in _KNOWN if fnmatch.fnmatchcase(folded, traits.glob)), _UNKNOWN)
