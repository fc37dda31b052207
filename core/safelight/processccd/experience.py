"""What CCDs cost so far, for the estimate of a plan: in this rerun or, where it has none, in the last used one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from safelight.butler.datasets import LEDGER_PATH
from safelight.butler.rerun import list_reruns
from safelight.errors import SafelightError
from safelight.processccd.ledger import OutcomeLedger, RecordedCcd

__all__ = ["Experience", "experience"]


@dataclass(frozen=True, slots=True)
class Experience:
    """Typical costs of a CCD; None where nothing is known."""

    seconds: float | None = None  # in one process
    bytes: float | None = None  # on disk


def experience(root: Path, ledger: OutcomeLedger, recorded: Iterable[RecordedCcd]) -> Experience:
    """The costs in the rerun of `ledger`; else in that rerun of the repository `root` where something was done last."""
    here = _costs(ledger, recorded)
    return here if here.seconds is not None else next(_elsewhere(root), here)


def _costs(ledger: OutcomeLedger, recorded: Iterable[RecordedCcd]) -> Experience:
    times = [ccd.seconds for ccd in recorded if ccd.seconds and ccd.status.startswith("done")]
    return Experience(median(times), ledger.bytes_per_ccd()) if times else Experience()


def _elsewhere(root: Path) -> Iterator[Experience]:
    ledgers = [path for path in (root / "rerun" / name / LEDGER_PATH for name in list_reruns(root)) if path.is_file()]
    for newest in sorted(ledgers, key=lambda path: path.stat().st_mtime, reverse=True):
        path = newest.parents[len(LEDGER_PATH.parts) - 1]
        try:
            with OutcomeLedger(path) as ledger:
                costs = _costs(ledger, ledger.ccds())
        except (SafelightError, OSError):  # another rerun's trouble: it only cannot tell
            continue
        if costs.seconds is not None:
            yield costs
