"""What a run was: versions, configuration, inputs with checksums, host, times, command line; one YAML file a run."""

from __future__ import annotations

import getpass
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from safelight.butler.atomic import write_text
from safelight.processccd.outcome import CcdOutcome
from safelight.processccd.plainvalues import plain

__all__ = ["Provenance", "provenance_path"]


def provenance_path(output: Path, run: str) -> Path:
    """Where the provenance of a run lies."""
    return output / ".safelight" / "provenance" / f"{run}.yaml"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return str(os.getuid())


@dataclass(slots=True)
class Provenance:
    """Written when a run begins and again when it ends; a file without `finished` is of a run that was killed."""

    run: str
    command_line: list[str]
    directory: str
    repository: str
    output: str
    instrument: str
    processes: int
    versions: dict[str, str]
    config: dict[str, Any]
    config_hash: str
    host: str = field(default_factory=platform.node)
    system: str = field(default_factory=platform.platform)
    user: str = field(default_factory=_user)
    pid: int = field(default_factory=os.getpid)
    started: str = field(default_factory=_now)
    finished: str | None = None
    exit_code: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    ccds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, outcome: CcdOutcome) -> None:
        """Note what a CCD was made from and what became of it."""
        self.ccds[outcome.key] = {
            "data_id": outcome.data_id,
            "status": outcome.status,
            "inputs": [asdict(file) for file in outcome.inputs],
        }

    def finish(self, exit_code: int, counts: dict[str, int]) -> None:
        """Note the end."""
        self.finished, self.exit_code, self.counts = _now(), exit_code, counts

    def write(self, path: Path) -> None:
        """Write the YAML file, atomically."""
        write_text(path, yaml.safe_dump(plain(asdict(self)), sort_keys=False, allow_unicode=True))
