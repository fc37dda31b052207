"""Which reference catalogue serves: the configured one, or the camera's first choice that the repository has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from safelight.errors import DatasetNotFound

__all__ = ["choose_catalog"]


def choose_catalog(configured: str, preferred: Sequence[str], available: Iterable[str], purpose: str) -> str:
    """The name of the reference catalogue to load.

    Parameters
    ----------
    configured
        `ref_dataset_name`; "auto" or empty: the first of `preferred` that is available, else the only one there is.
    preferred
        The camera's choices, best first.
    available
        What the repository has.
    purpose
        "astrometry" or "photometry", for the message.

    Raises
    ------
    DatasetNotFound
        ``NO_REFERENCE_CATALOG`` naming what was looked for and what exists.
    """
    names = sorted(available)
    exist = f"The repository has {', '.join(names)}." if names else "The repository has none."
    if configured not in ("", "auto"):
        if configured in names:
            return configured
        near = difflib.get_close_matches(configured, names, 1)
        hint = (f"Did you mean {near[0]}? " if near else "") + exist
        raise DatasetNotFound(
            "NO_REFERENCE_CATALOG", f"There is no reference catalogue {configured!r} for {purpose}.", hint
        )
    for name in preferred:
        if name in names:
            return name
    if len(names) == 1:
        return names[0]
    loader = "photoRefObjLoader" if purpose == "photometry" else "astromRefObjLoader"
    raise DatasetNotFound(
        "NO_REFERENCE_CATALOG",
        f"No reference catalogue for {purpose}: looked for {', '.join(preferred) or 'any single one'}.",
        f"{exist} Name one: -c calibrate.{loader}.ref_dataset_name=NAME.",
    )
