"""What is known of reruns, their runs and their CCDs: immutable pictures that the feed replaces as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from safelight_tui.session.holdings import Holdings
from safelight_tui.widgets.status import Status

__all__ = ["NOTHING_KNOWN", "SCRATCH", "CcdState", "FeedSnapshot", "RerunView", "RunView", "status_of"]

SCRATCH = "scratch/"
"""Reruns of trials lie below this."""

_STATUSES = {
    "done": Status.DONE,
    "done-with-caveats": Status.CAVEAT,
    "failed": Status.FAILED,
    "skipped": Status.SKIPPED,
    "cancelled": Status.CANCELLED,
    "read": Status.READ,
    "isr": Status.ISR,
    "characterize": Status.CHARACTERIZE,
    "wcs": Status.WCS,
    "zeropoint": Status.ZEROPOINT,
    "write": Status.WRITE,
    "visit": Status.VISIT,
}


def status_of(word: str) -> Status:
    """The status that a ledger's or a journal's word (of a result or of a stage) stands for."""
    return _STATUSES.get(word, Status.READ)


@dataclass(frozen=True, slots=True)
class CcdState:
    """One CCD in a rerun or in a run. Times are Unix seconds, 0 where nothing is known."""

    status: Status
    data_id: Mapping[str, Any]
    run: str = ""
    caveats: tuple[tuple[str, str], ...] = ()  # code, sentence
    step: str = ""  # of a failure
    code: str = ""
    message: str = ""
    hint: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    started: float = 0.0
    finished: float = 0.0
    seconds: float = 0.0
    stage_since: float = 0.0
    attempt: int = 1  # the second is helped by the other CCDs of its visit

    @property
    def words(self) -> str:
        """What a table shows, the code of a failure or the caveats included."""
        if self.status is Status.CAVEAT:
            return "CAVEAT " + " ".join(code for code, _ in self.caveats)
        if self.status is Status.FAILED:
            return f"FAILED {self.code}"
        if self.status is Status.BLOCKED:
            return f"BLOCKED {self.code}"
        return self.word

    @property
    def word(self) -> str:
        """Its status in words, and which attempt this is where it is not the first."""
        return f"{self.status.word}, 2nd time" if self.status.at_work and self.attempt > 1 else self.status.word

    @property
    def tone(self) -> str:
        """Tone of a table's cell."""
        return "new" if self.status.at_work else {"skipped": "dim"}.get(self.status.tone, self.status.tone)


@dataclass(frozen=True)
class RunView:
    """One run of a rerun, as its journal tells it."""

    rerun: str
    run: str
    journal: Path
    started: float = 0.0
    command_line: tuple[str, ...] = ()
    directory: str = ""  # where relative paths of the command line begin
    host: str = ""
    pid: int = 0
    process: str = ""  # the mark of its process
    processes: int = 0
    config_hash: str = ""
    estimated_seconds: float | None = None
    ccds: Mapping[str, CcdState] = field(default_factory=dict)  # by name, "visit=903986 ccd=16", in the plan's order
    last_event: float = 0.0
    heard: float = 0.0
    """When its journal was last seen to grow, by the clock of this host; ``last_event`` is by the runner's."""
    finished: float = 0.0
    exit_code: int | None = None
    alive: bool = False
    """It was heard of lately, or its process lives: what `liveness.life_of` does not call dead."""
    paused: bool = False
    stopping: str = ""  # cancel, cancel-now: what was asked of it

    @property
    def live(self) -> bool:
        """Whether it goes on."""
        return self.exit_code is None and self.alive

    @property
    def died(self) -> bool:
        """Whether it ended without saying so: it was killed, and can be resumed."""
        return self.exit_code is None and not self.alive

    @cached_property
    def counts(self) -> Mapping[Status, int]:
        """CCDs by status."""
        return Counter(state.status for state in self.ccds.values())

    @property
    def done(self) -> int:
        """CCDs that are over."""
        over = (Status.DONE, Status.CAVEAT, Status.FAILED, Status.SKIPPED, Status.CANCELLED, Status.BLOCKED)
        return sum(self.counts.get(status, 0) for status in over)

    @property
    def succeeded(self) -> int:
        """CCDs that are done, with or without caveats, now or before."""
        return sum(self.counts.get(status, 0) for status in (Status.DONE, Status.CAVEAT, Status.SKIPPED))

    @property
    def failures(self) -> int:
        """CCDs that failed or could not run."""
        return self.counts.get(Status.FAILED, 0) + self.counts.get(Status.BLOCKED, 0)


@dataclass(frozen=True)
class RerunView:
    """A rerun."""

    name: str
    path: Path
    parents: tuple[str, ...] = ()
    states: Mapping[str, CcdState] = field(default_factory=dict)
    """What it holds, or is at: ledger, and over it what a live run is doing."""
    runs: tuple[RunView, ...] = ()  # oldest first
    trouble: str = ""  # a sentence, when it cannot be read

    @property
    def live_run(self) -> RunView | None:
        """The run that goes on in it."""
        return next((run for run in reversed(self.runs) if run.live), None)

    @property
    def last_run(self) -> RunView | None:
        """The newest run."""
        return self.runs[-1] if self.runs else None

    @property
    def newest(self) -> float:
        """When something last happened in it."""
        return self.runs[-1].last_event if self.runs else 0.0

    @cached_property
    def counts(self) -> Mapping[Status, int]:
        """CCDs by status."""
        return Counter(state.status for state in self.states.values())

    @property
    def summary(self) -> str:
        """Counts as the tree shows them: ``D30 V2 F1``."""
        return " ".join(f"{status.letter}{count}" for status, count in sorted(self.counts.items(), key=_order))


def _order(item: tuple[Status, int]) -> int:
    order = (Status.DONE, Status.CAVEAT, Status.FAILED)
    return order.index(item[0]) if item[0] in order else len(order)


@dataclass(frozen=True)
class FeedSnapshot:
    """Everything the feed has seen; a new one replaces the old. What did not change is the same object in both."""

    reruns: Mapping[str, RerunView] = field(default_factory=lambda: MappingProxyType({}))
    holdings: Holdings = field(default_factory=Holdings)
    newest_frame: float = 0.0  # modification time of the newest raw file
    read_at: float = 0.0  # when the feed last went round without an error
    trouble: str = ""  # the sentence of the error it met last time

    @cached_property
    def runs(self) -> tuple[RunView, ...]:
        """Runs of all reruns that have begun, the newest first."""
        runs = [run for rerun in self.reruns.values() for run in rerun.runs if run.started]
        return tuple(sorted(runs, key=lambda run: -run.started))

    @cached_property
    def live_runs(self) -> tuple[RunView, ...]:
        """Runs that go on, oldest first."""
        runs = [run for rerun in self.reruns.values() for run in rerun.runs if run.live]
        return tuple(sorted(runs, key=lambda run: run.started))


NOTHING_KNOWN = FeedSnapshot()
