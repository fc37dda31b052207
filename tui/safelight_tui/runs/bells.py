"""What rings: a CCD that fails, a run that ends or dies. Told from one picture of the feed to the next."""

from __future__ import annotations

import time
from dataclasses import dataclass

from safelight_tui.session.reruns import FeedSnapshot, RunView

__all__ = ["Bells", "Ring"]


@dataclass(frozen=True, slots=True)
class Ring:
    """A sentence, and whether it is bad news, and of an alarm."""

    text: str
    bad: bool
    alarm: bool = False


class Bells:
    """Remembers which failures and ends have rung. What had happened before the first picture stays silent."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], int] = {}
        self._live: set[tuple[str, str]] = set()
        self._began: float | None = None
        self.last_ended = ""
        """How the run ended that ended last: ``ended 112/112 2F``; empty while none has."""

    def notice(self, feed: FeedSnapshot) -> list[Ring]:
        """Take a newer picture; what has to be told."""
        rings: list[Ring] = []
        first = self._began is None
        for rerun in feed.reruns.values():
            for run in rerun.runs:
                key = (run.rerun, run.run)
                if not first:
                    rings += self._of(key, run)
                self._failures[key] = run.failures
                (self._live.add if run.live else self._live.discard)(key)
        if self._began is None:
            self._began = time.time()
        return rings

    def _of(self, key: tuple[str, str], run: RunView) -> list[Ring]:
        rings = []
        # A short run may begin and end between two pictures.
        passed_by = not run.live and key not in self._failures and run.started >= (self._began or 0.0)
        ended = passed_by or (key in self._live and not run.live)
        new = run.failures - self._failures.get(key, 0)
        if new > 0 and (run.live or ended):
            failed = [name for name, state in run.ccds.items() if state.status.letter in "FB"]
            last = failed[-1] if failed else ""
            rings.append(Ring(f"{run.rerun}: {new} failed" + (f", {last}" if last else ""), True))
        if ended:
            bad = run.died or bool(run.failures)
            how = "DIED: its process is gone; x in Run resumes it" if run.died else "ended"
            counts = f"{run.succeeded}/{len(run.ccds)} done, {run.failures} failed"
            rings.append(Ring(f"{run.rerun}: run {how}, {counts}", bad))
            failures = f" {run.failures}F" if run.failures else ""
            self.last_ended = f"{'DIED' if run.died else 'ended'} {run.done}/{len(run.ccds)}{failures}"
        return rings
