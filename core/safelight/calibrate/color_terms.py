"""Colour terms: the reference magnitude of a star in the camera's own passband."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import numpy as np

from safelight.calibrate.plane import FloatArray
from safelight.errors import ConfigurationError
from safelight.instruments.model import ColorTerm
from safelight.refcats import ReferenceCatalog

__all__ = ["MAG_PER_RELATIVE_FLUX", "apply_color_term", "find_color_term", "magnitude_errors"]

MAG_PER_RELATIVE_FLUX = 2.5 / np.log(10.0)


def find_color_term(terms: Iterable[ColorTerm], catalog: str, filter_name: str, band: str) -> ColorTerm | None:
    """The colour term of a filter for the reference catalogue named `catalog`; None where the camera states none.

    The physical filter is looked up before the band. Exactly one catalogue pattern may fit the name.

    Raises
    ------
    ConfigurationError
        ``AMBIGUOUS_COLOR_TERMS`` where several catalogue patterns fit.
    """
    fitting = [term for term in terms if fnmatchcase(catalog, term.catalog)]
    patterns = sorted({term.catalog for term in fitting})
    if len(patterns) > 1:
        raise ConfigurationError(
            "AMBIGUOUS_COLOR_TERMS",
            f"The reference catalogue {catalog!r} fits several patterns of colour terms: {', '.join(patterns)}.",
            "Name one with -c calibrate.photoCal.photoCatName=..., or mend the camera's YAML file.",
        )
    for name in (filter_name, band):
        for term in fitting:
            if name and term.filter == name:
                return term
    return None


def magnitude_errors(catalog: ReferenceCatalog, column: str) -> FloatArray:
    """Errors of `catalog.magnitude(column)` in mag; NaN where the flux or its error is missing."""
    flux = catalog.flux_njy[column]
    error = catalog.flux_error_njy.get(column, np.full(len(catalog), np.nan))
    result = np.full(len(catalog), np.nan)
    good = (flux > 0) & np.isfinite(error) & (error >= 0)
    result[good] = MAG_PER_RELATIVE_FLUX * error[good] / flux[good]
    return result


def apply_color_term(catalog: ReferenceCatalog, term: ColorTerm) -> tuple[FloatArray, FloatArray]:
    """Magnitudes in the camera's system, p + c0 + c1 (p - s) + c2 (p - s)², and their errors.

    The errors follow both magnitudes through the term's slope, quadratic part included (Gen2 left that out).
    """
    primary, secondary = catalog.magnitude(term.primary), catalog.magnitude(term.secondary)
    color = primary - secondary
    slope = term.c1 + 2.0 * term.c2 * color
    error = np.hypot(
        (1.0 + slope) * magnitude_errors(catalog, term.primary), slope * magnitude_errors(catalog, term.secondary)
    )
    return primary + term.c0 + term.c1 * color + term.c2 * color**2, error
