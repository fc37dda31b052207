"""What rings: a CCD that fails, a run that ends or dies. Told from one picture of the feed to the next."""

from __future__ import annotations

from dataclasses import dataclass

from safelight_tui.session.reruns import FeedSnapshot, RunView

__all__ = ["Bells", "Ring"]


@dataclass(frozen=True, slots=True)
class Ring:
    """A sentence, and whether it is bad news."""

    text: str
    bad: bool


class Bells:
    """Remembers which failures and ends have rung. What had happened before the first picture stays silent."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], int] = {}
        self._live: set[tuple[str, str]] = set()
        self._first = True

    def notice(self, feed: FeedSnapshot) -> list[Ring]:
        """Take a newer picture; what has to be told."""
        rings: list[Ring] = []
        for rerun in feed.reruns.values():
            for run in rerun.runs:
                key = (run.rerun, run.run)
                if not self._first:
                    rings += self._of(key, run)
                self._failures[key] = run.failures
                (self._live.add if run.live else self._live.discard)(key)
        self._first = False
        return rings

    def _of(self, key: tuple[str, str], run: RunView) -> list[Ring]:
        rings = []
        new = run.failures - self._failures.get(key, 0)
        if new > 0 and (run.live or key in self._live):
            failed = [name for name, state in run.ccds.items() if state.status.letter in "FB"]
            last = failed[-1] if failed else ""
            rings.append(Ring(f"{run.rerun}: {new} failed" + (f", {last}" if last else ""), True))
        if key in self._live and not run.live:
            bad = run.died or bool(run.failures)
            how = "DIED: its process is gone; x in Run resumes it" if run.died else "ended"
            rings.append(Ring(f"{run.rerun}: run {how}, {run.done}/{len(run.ccds)} done, {run.failures} failed", bad))
        return rings
