"""The typed events of a run's journal.

Each event is one JSON object: ``event`` names its class, ``time`` is Unix time in seconds, and the other keys are the
fields below. Readers pass over kinds and keys that they do not know, so that a newer writer does not break them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

__all__ = [
    "CcdFinished",
    "CcdJudged",
    "CcdStarted",
    "Event",
    "Heartbeat",
    "LogRecorded",
    "MetricsMeasured",
    "RunControlled",
    "RunFinished",
    "RunStarted",
    "StageStarted",
    "event_from_json",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, and when (Unix seconds)."""

    kind: ClassVar[str] = ""
    time: float

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"event": self.kind, **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run begins; `ccds` lists every CCD of its plan: ``key``, ``data_id``, ``action``, ``code``, ``reason``."""

    kind: ClassVar[str] = "run-started"
    run: str
    command_line: list[str]
    repository: str
    rerun: str
    host: str
    pid: int
    processes: int
    versions: dict[str, str] = field(default_factory=dict)
    config_hash: str = ""
    ccds: list[dict[str, Any]] = field(default_factory=list)
    estimated_seconds: float | None = None
    directory: str = ""  # where the command line was given
    process: str = ""  # when the process began (`processes.process_mark`)


@dataclass(frozen=True, slots=True, kw_only=True)
class CcdStarted(Event):
    """A worker takes up a CCD."""

    kind: ClassVar[str] = "ccd-started"
    ccd: str
    data_id: dict[str, Any]
    worker: int = 0  # process id


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(Event):
    """A CCD enters a stage: read, isr, characterize, wcs, zeropoint, write; visit: it waits for its neighbours."""

    kind: ClassVar[str] = "stage"
    ccd: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecorded(Event):
    """One log record; `ccd` is empty for those of the run as a whole."""

    kind: ClassVar[str] = "log"
    ccd: str = ""
    level: str
    component: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsMeasured(Event):
    """What was measured on a CCD, by the names of the report's columns and the steps' own."""

    kind: ClassVar[str] = "metrics"
    ccd: str
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CcdFinished(Event):
    """A CCD is over: `status` is done, done-with-caveats, failed, skipped or cancelled."""

    kind: ClassVar[str] = "ccd-finished"
    ccd: str
    data_id: dict[str, Any]
    status: str
    caveats: list[dict[str, str]] = field(default_factory=list)  # code, message
    failure: dict[str, str] | None = None  # step, code, message, hint
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CcdJudged(Event):
    """The judgement of its visit has changed the caveats of a CCD that is done; these are all it has now."""

    kind: ClassVar[str] = "ccd-judged"
    ccd: str
    data_id: dict[str, Any]
    status: str
    caveats: list[dict[str, str]] = field(default_factory=list)  # code, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Event):
    """The run is alive: said every other second; `liveness.life_of` judges its silence."""

    kind: ClassVar[str] = "heartbeat"
    running: list[str] = field(default_factory=list)
    finished: int = 0
    total: int = 0
    failed: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunControlled(Event):
    """The run obeys a request: pause, resume, cancel (what is in hand is finished) or cancel-now."""

    kind: ClassVar[str] = "control"
    request: str
    by: str = ""  # user@host


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The run is over; `counts` gives the number of CCDs by status."""

    kind: ClassVar[str] = "run-finished"
    run: str
    exit_code: int
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


_KINDS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        RunStarted,
        CcdStarted,
        StageStarted,
        LogRecorded,
        MetricsMeasured,
        CcdFinished,
        CcdJudged,
        Heartbeat,
        RunControlled,
        RunFinished,
    )
}


def event_from_json(record: dict[str, Any]) -> Event | None:
    """The event of a journal line; None for a kind that this version does not know.

    Raises `TypeError` when a field that the kind needs is missing.
    """
    cls = _KINDS.get(str(record.get("event")))
    if cls is None:
        return None
    known = {f.name for f in fields(cls)}
    return cls(**{name: value for name, value in record.items() if name in known})
