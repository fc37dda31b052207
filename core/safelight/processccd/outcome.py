"""What became of one CCD: status, caveats, failure, metrics, files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from safelight.caveats import Caveat

__all__ = ["CcdOutcome", "Failure", "InputFile", "OutputFile", "Status", "ccd_key"]

Status = Literal["done", "done-with-caveats", "failed", "skipped", "cancelled"]


def ccd_key(data_id: dict[str, Any]) -> str:
    """A short name for one CCD of a run, e.g. ``"visit=903986 ccd=16"``."""
    return " ".join(f"{key}={data_id[key]}" for key in ("visit", "ccd") if key in data_id)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a CCD has no result."""

    step: str  # the stage in which it failed
    code: str  # stable, upper case
    message: str  # one sentence
    hint: str = ""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a result was made from, as it was then."""

    role: str  # raw, bias, dark, flat, fringe, bfKernel, defects, astrometry, photometry
    path: str
    size: int
    mtime_ns: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that was written."""

    dataset_type: str
    path: Path
    size: int
    sha256: str


@dataclass(slots=True)
class CcdOutcome:
    """The result of one CCD, without its pixels."""

    key: str
    data_id: dict[str, Any]
    status: Status
    caveats: list[Caveat] = field(default_factory=list)
    failure: Failure | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    inputs: list[InputFile] = field(default_factory=list)
    outputs: list[OutputFile] = field(default_factory=list)
    worker: int = 0
    traceback: str = ""  # of an unexpected exception; goes to the CCD's log
