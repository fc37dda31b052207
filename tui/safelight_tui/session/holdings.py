"""What a repository holds besides raw frames and reruns: master calibrations by validity, and reference catalogues."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight.butler.butler import Butler

__all__ = ["CalibrationSet", "Holdings", "HoldingsReader", "ReferenceCatalogue"]


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """Masters of one kind, date and filter, one a CCD. Dates as in the registry, both ends included."""

    kind: str
    calib_date: str
    filter: str
    valid_start: str
    valid_end: str
    ccds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReferenceCatalogue:
    """A reference catalogue and the number of its shards."""

    name: str
    path: Path
    shards: int


@dataclass(frozen=True)
class Holdings:
    """Immutable, replaced as a whole."""

    calib_root: Path | None = None
    calibrations: Mapping[str, tuple[CalibrationSet, ...]] = field(default_factory=dict)
    catalogues: tuple[ReferenceCatalogue, ...] = ()


class HoldingsReader:
    """Reads them again when the calibration registry or the directories have changed; used by the feed's thread."""

    def __init__(self, butler: Butler) -> None:
        self._butler = butler
        self._stamp: tuple[object, ...] | None = None
        self.holdings = Holdings()

    def read(self) -> Holdings:
        """The holdings: the same object when nothing has changed."""
        catalogues = self._butler.reference_catalogs()
        root = self._butler.calib_root
        stamp = (_stamp(root), *((name, _stamp(path)) for name, path in catalogues.items()))
        if stamp != self._stamp:
            self.holdings = Holdings(root, self._calibrations(root), self._catalogues(catalogues))
            self._stamp = stamp
        return self.holdings

    @staticmethod
    def _catalogues(found: Mapping[str, Path]) -> tuple[ReferenceCatalogue, ...]:
        def shards(path: Path) -> int:
            return sum(1 for entry in os.scandir(path) if entry.name.split(".")[0].isdigit())

        return tuple(ReferenceCatalogue(name, path, shards(path)) for name, path in found.items())

    @staticmethod
    def _calibrations(root: Path | None) -> dict[str, tuple[CalibrationSet, ...]]:
        from safelight.butler.calibrations import CALIB_REGISTRY_NAME, CalibrationRegistry

        if root is None or not (root / CALIB_REGISTRY_NAME).is_file():
            return {}
        registry = CalibrationRegistry(root)
        found: dict[str, tuple[CalibrationSet, ...]] = {}
        for kind in registry.kinds():
            sets: dict[tuple[str, str, str, str], list[int]] = {}
            for row in registry.rows(kind):
                key = (row.calib_date, row.filter, row.valid_start, row.valid_end)
                sets.setdefault(key, []).append(row.ccd)
            found[kind] = tuple(
                CalibrationSet(kind, date, filter_, start, end, tuple(sorted(ccds)))
                for (date, filter_, start, end), ccds in sorted(sets.items())
            )
        registry.close()
        return found


def _stamp(path: Path | None) -> object:
    if path is None:
        return None
    try:
        status = path.stat()
        registry = path / "calibRegistry.sqlite3"
        return status.st_mtime_ns, registry.stat().st_mtime_ns if registry.exists() else 0
    except OSError:
        return None
