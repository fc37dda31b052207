"""A plan: what a run would do with each CCD, and why, as plain data.

``--show data``, the dry-run table, the runner and the terminal application all read the same plan. Making one
(`planner`) writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from safelight.processccd.obstacles import Obstacle

if TYPE_CHECKING:
    from safelight.instruments import Box, Pointing
    from safelight.processccd.outcome import InputFile

__all__ = ["Action", "CatalogChoice", "MasterChoice", "Plan", "PlannedCcd", "State", "total_seconds"]

State = Literal["absent", "done", "done-with-caveats", "failed", "stale"]
Action = Literal["run", "skip", "blocked"]


@dataclass(frozen=True, slots=True)
class MasterChoice:
    """A master calibration and why it was chosen; dates as in the calibration registry, inclusive."""

    kind: str
    path: Path
    calib_date: str
    valid_start: str
    valid_end: str
    reason: str


@dataclass(frozen=True, slots=True)
class CatalogChoice:
    """A reference catalogue for one purpose, with the shards that cover the CCD."""

    role: str  # astrometry, photometry
    name: str
    path: Path
    reason: str
    shards: tuple[int, ...] = ()  # HTM ids that have a file
    missing: tuple[int, ...] = ()  # HTM ids inside the circle that have none


@dataclass(frozen=True, slots=True)
class PlannedCcd:
    """One CCD of a plan."""

    key: str  # "visit=903986 ccd=16"
    data_id: dict[str, Any]
    action: Action
    code: str  # why, for scripts: NEW, REDO, INPUTS_CHANGED, UNCHANGED, NO_BIAS … (the first obstacle's)
    reason: str  # why, in words
    state: State  # of its outputs in this rerun
    raw: Path | None = None
    masters: tuple[MasterChoice, ...] = ()
    defects_origin: str = ""
    catalogs: tuple[CatalogChoice, ...] = ()
    outputs: dict[str, Path] = field(default_factory=dict)  # dataset type -> path
    hint: str = ""
    obstacles: tuple[Obstacle, ...] = ()  # everything that a blocked CCD lacks; code, reason and hint speak of all
    estimated_seconds: float | None = None
    pointing: Pointing | None = None  # what the observer stated at ingest
    defects: tuple[Box, ...] = field(default=(), repr=False)
    known_inputs: tuple[InputFile, ...] = field(default=(), repr=False)  # fingerprints of earlier runs

    def to_json(self) -> dict[str, Any]:
        """A JSON object; defects are given by their number and origin."""
        return {
            "key": self.key,
            "data_id": self.data_id,
            "action": self.action,
            "code": self.code,
            "reason": self.reason,
            "hint": self.hint,
            "obstacles": [asdict(obstacle) for obstacle in self.obstacles],
            "state": self.state,
            "raw": str(self.raw) if self.raw else None,
            "masters": [asdict(master) | {"path": str(master.path)} for master in self.masters],
            "defects": {"count": len(self.defects), "origin": self.defects_origin},
            "catalogs": [asdict(catalog) | {"path": str(catalog.path)} for catalog in self.catalogs],
            "outputs": {dataset_type: str(path) for dataset_type, path in self.outputs.items()},
            "pointing": asdict(self.pointing) if self.pointing else None,
            "estimated_seconds": self.estimated_seconds,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do."""

    repository: Path
    output: Path
    instrument: str
    ccds: tuple[PlannedCcd, ...]
    config_hash: str
    config_differences: tuple[str, ...] = ()  # a run is refused while there are any
    estimated_seconds: float | None = None  # with one process; None: nothing is known yet
    disk_needed_bytes: int = 0
    disk_free_bytes: int = 0

    def counts(self) -> dict[str, int]:
        """Number of CCDs by action."""
        counter = Counter(ccd.action for ccd in self.ccds)
        return {action: counter.get(action, 0) for action in ("run", "skip", "blocked")}

    def with_action(self, action: Action) -> list[PlannedCcd]:
        """The CCDs for which that is planned."""
        return [ccd for ccd in self.ccds if ccd.action == action]

    def without(self, keys: Collection[str]) -> Plan:
        """The plan of a selection that leaves some CCDs out, by their keys: with its own time and disk."""
        kept = tuple(ccd for ccd in self.ccds if ccd.key not in keys)
        running = sum(ccd.action == "run" for ccd in self.ccds)
        still = sum(ccd.action == "run" for ccd in kept)
        return replace(
            self,
            ccds=kept,
            estimated_seconds=total_seconds(kept),
            disk_needed_bytes=self.disk_needed_bytes * still // running if running else 0,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "repository": str(self.repository),
            "output": str(self.output),
            "instrument": self.instrument,
            "config_hash": self.config_hash,
            "config_differences": list(self.config_differences),
            "counts": self.counts(),
            "estimated_seconds": self.estimated_seconds,
            "disk_needed_bytes": self.disk_needed_bytes,
            "disk_free_bytes": self.disk_free_bytes,
            "ccds": [ccd.to_json() for ccd in self.ccds],
        }


def total_seconds(ccds: Iterable[PlannedCcd]) -> float | None:
    """Seconds on one core for what is to run; None where no CCD was done before."""
    times = [ccd.estimated_seconds for ccd in ccds if ccd.action == "run"]
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None
