"""From an exposure's data ID to the files of its calibrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.butler.calibrations import CalibrationChoice, CalibrationRegistry, no_calib_root
from safelight.butler.datasettypes import CALIBRATION_TYPES, DatasetTypes
from safelight.butler.files import existing_file
from safelight.butler.formatters import read_dataset
from safelight.errors import DatasetNotFound, UsageError

if TYPE_CHECKING:
    from safelight.butler.registry import Registry
    from safelight.instruments import Box, Instrument

__all__ = ["CalibrationFinder"]


class CalibrationFinder:
    """Chooses calibrations by validity, and curated defects where a repository has none.

    Parameters
    ----------
    root : Path or None
        The directory of the calibration registry; None: there is none.
    places : sequence of Path
        Where it was looked for.
    types : DatasetTypes
        The path templates.
    raw_registry : callable
        Gives the registry of raw frames, which is asked for keys that a data ID lacks.
    """

    def __init__(
        self, root: Path | None, places: Sequence[Path], types: DatasetTypes, raw_registry: Callable[[], Registry]
    ) -> None:
        self.root = root
        self._places = places
        self._types = types
        self._raw_registry = raw_registry
        self._registry = CalibrationRegistry(root) if root is not None else None

    def find(self, kind: str, data_id: Mapping[str, Any]) -> CalibrationChoice:
        """See `Butler.find_calibration`."""
        if kind not in CALIBRATION_TYPES:
            raise UsageError("NO_CALIBRATION_TYPE", f"{kind!r} is not one of {', '.join(CALIBRATION_TYPES)}.")
        if self._registry is None:
            raise no_calib_root(self._places, kind, data_id)
        wanted = self._complete(kind, data_id)
        row = self._registry.choose(kind, wanted)
        full = {**data_id, "ccd": row.ccd, "calibDate": row.calib_date, "filter": row.filter}
        relative = self._types[kind].template.format(full)
        path = existing_file(self._registry.root / relative)
        if path is None:
            raise DatasetNotFound(
                "CALIBRATION_FILE_MISSING",
                f"{self._registry.path} chooses the {kind} {relative}, but there is no such file (nor .gz, .fz).",
                "Put the file there, or ingest the calibrations again.",
                data_id,
            )
        sought = " ".join(f"{key}={wanted[key]}" for key in CALIBRATION_TYPES[kind])
        reason = f"the only {kind} for {sought}: calibDate {row.calib_date}, valid {row.validity}"
        return CalibrationChoice(kind, path, row.calib_date, row.valid_start, row.valid_end, reason)

    def defects(self, data_id: Mapping[str, Any], camera: Instrument) -> tuple[list[Box], str]:
        """See `Butler.defects`."""
        wanted = self._complete("defects", data_id)
        if self._registry is not None and self._registry.rows("defects", {"ccd": wanted["ccd"]}):
            choice = self.find("defects", data_id)
            return read_dataset("defects", choice.path), f"{choice.path} ({choice.reason})"
        date = str(wanted["taiObs"])
        epoch = camera.defect_epoch(date)
        if epoch is None:
            return [], f"none: no list in the repository, and camera {camera.name} has none for {date}"
        boxes = camera.defects_on(int(wanted["ccd"]), date)
        return boxes, f"the curated list of camera {camera.name}, epoch {epoch}"

    def _complete(self, kind: str, data_id: Mapping[str, Any]) -> dict[str, Any]:
        """ccd, taiObs and perhaps filter: from the data ID, else from the registry of raw frames."""
        needed = CALIBRATION_TYPES[kind]
        missing = [key for key in needed if data_id.get(key) is None]
        if not missing:
            return {key: data_id[key] for key in needed}
        registry = self._raw_registry()
        rows = registry.lookup({key: data_id[key] for key in ("visit", "ccd") if key in data_id}, missing)
        if len(rows) != 1:
            given = " ".join(f"{key}={value}" for key, value in data_id.items()) or "nothing"
            raise DatasetNotFound(
                "NO_UNIQUE_LOOKUP",
                f"No unique {', '.join(missing)} for {given}: {len(rows)} matches in {registry.path}.",
                "Name the frame by visit and ccd.",
                data_id,
            )
        return {key: rows[0].get(key, data_id.get(key)) for key in needed}
