"""The runs of a rerun as a list shows them, from the ends of their journals: a long journal is not read through."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from safelight.processccd import events
from safelight.processccd.journal import journals
from safelight.processccd.liveness import life_of

__all__ = ["LIVE_PHASES", "Phase", "RunOverview", "latest_run", "overview", "runs_of"]

Phase = Literal["running", "paused", "stopping", "silent", "dead", "done", "failed", "cancelled"]

#: Phases in which a run may still write.
LIVE_PHASES = frozenset({"running", "paused", "stopping", "silent"})

_TAIL_BYTES = 65536


@dataclass(slots=True)
class RunOverview:
    """One run of a rerun."""

    output: Path  # of its rerun
    journal: Path
    run: str
    started: float = 0.0  # Unix time
    host: str = ""
    pid: int = 0
    process: str = ""
    command_line: list[str] = field(default_factory=list)
    directory: str = ""
    total: int = 0  # CCDs of its plan
    finished: int = 0
    failed: int = 0
    last_heard: float = 0.0
    paused: bool = False
    stopping: bool = False
    exit_code: int | None = None
    seconds: float = 0.0  # of the whole run, when it is over

    @property
    def phase(self) -> Phase:
        """What it is doing, or how it ended; looks at the process of a run of this host that has gone silent."""
        if self.exit_code is not None:
            return "done" if self.exit_code == 0 else "cancelled" if self.exit_code == 130 else "failed"
        life = life_of(self.host, self.pid, self.process, time.time() - self.last_heard)
        if life != "live":
            return life
        return "stopping" if self.stopping else "paused" if self.paused else "running"

    @property
    def live(self) -> bool:
        """Whether it may still write."""
        return self.phase in LIVE_PHASES

    @property
    def elapsed(self) -> float:
        """Seconds that it took, or has taken so far."""
        if self.exit_code is not None:
            return self.seconds
        return max(0.0, (self.last_heard if self.phase == "dead" else time.time()) - self.started)

    def take(self, event: events.Event) -> None:
        """Take note of an event; those that were passed over between the ends are made good by heartbeats."""
        self.last_heard = max(self.last_heard, event.time)
        match event:
            case events.RunStarted():
                self.started, self.total = event.time, len(event.ccds)
                self.host, self.pid, self.process = event.host, event.pid, event.process
                self.command_line, self.directory = event.command_line, event.directory
            case events.Heartbeat():
                self.finished, self.failed, self.paused = event.finished, event.failed, event.paused
            case events.CcdFinished():
                self.finished += 1
                self.failed += event.status == "failed"
            case events.RunControlled(request="pause" | "resume"):
                self.paused = event.request == "pause"
            case events.RunControlled():
                self.stopping = True
            case events.RunFinished():
                self.exit_code, self.seconds, self.paused = event.exit_code, event.seconds, False
                self.finished = sum(number for status, number in event.counts.items() if status != "cancelled")
                self.failed = event.counts.get("failed", 0)


def runs_of(output: Path) -> Iterator[RunOverview]:
    """The runs of a rerun, newest first; journals that nothing has been written to yet are left out."""
    for path in reversed(journals(output)):
        found = overview(output, path)
        if found is not None:
            yield found


def latest_run(output: Path) -> RunOverview | None:
    """The newest run of a rerun; None where there was none."""
    return next(runs_of(output), None)


def overview(output: Path, journal: Path) -> RunOverview | None:
    """What the first and the last lines of a journal say; None where it has not been begun."""
    found = RunOverview(output, journal, journal.stem)
    for event in _ends(journal):
        found.take(event)
    return found if found.host else None


def _ends(path: Path) -> Iterator[events.Event]:
    try:
        with path.open("rb") as file:
            yield from _events(file.readline())
            start = file.tell()
            end = file.seek(0, 2)
            file.seek(max(start, end - _TAIL_BYTES))
            if file.tell() > start:
                file.readline()  # torn by the jump
            for line in file:
                yield from _events(line)
    except FileNotFoundError:
        return


def _events(line: bytes) -> Iterator[events.Event]:
    try:
        record = json.loads(line)
        event = events.event_from_json(record) if isinstance(record, dict) else None
    except (ValueError, TypeError):
        return  # torn, or not ours
    if event is not None:
        yield event
