"""Alarms while runs go on: which CCDs are beyond a threshold, and what of it has not been told yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from safelight.processccd.alarms import Alarm, UsualValues
from safelight_tui.runs.bells import Ring
from safelight_tui.session.reruns import CcdState, FeedSnapshot, RerunView, RunView

__all__ = ["AlarmWatch"]

_USUAL_S = 2.0
"""How long usual values are kept: a large rerun need not be looked through at every CCD of a live run."""


class AlarmWatch:
    """Tells each alarm once a visit. What was measured before the first picture stays silent.

    Parameters
    ----------
    alarms : tuple of Alarm
    clock : callable
        Seconds, for what is kept for a while.
    """

    def __init__(self, alarms: tuple[Alarm, ...] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self.alarms = alarms
        self._clock = clock
        self._usual: dict[str, tuple[float, UsualValues]] = {}
        self._seen: dict[tuple[str, str], set[str]] = {}
        self._told: set[tuple[str, Any, Alarm]] = set()
        self._live: set[tuple[str, str]] = set()
        self._began: float | None = None

    def change(self, alarms: tuple[Alarm, ...], feed: FeedSnapshot) -> int:
        """Take other alarms; what the runs have measured so far does not ring. How many CCDs of the reruns are beyond
        one now."""
        self.alarms = alarms
        self._usual.clear()
        self._note_all(feed)
        return sum(bool(self.of(rerun, state)) for rerun in feed.reruns.values() for state in rerun.states.values())

    def of(self, rerun: RerunView | None, state: CcdState) -> list[tuple[Alarm, str]]:
        """The alarms that a CCD is beyond, with their sentences."""
        if not self.alarms or not state.metrics:
            return []
        usual = self._usual_of(rerun) if rerun is not None else UsualValues((), ())
        return usual.ringing(self.alarms, state.data_id, state.metrics)

    def _usual_of(self, rerun: RerunView) -> UsualValues:
        kept = self._usual.get(rerun.name)
        now = self._clock()
        if kept is not None and now - kept[0] < _USUAL_S:
            return kept[1]
        metrics = {alarm.metric for alarm in self.alarms if alarm.relative}
        usual = UsualValues(((state.data_id, state.metrics) for state in rerun.states.values()), metrics)
        self._usual[rerun.name] = (now, usual)
        return usual

    # --- what is new ------------------------------------------------------------------------------------------------

    def notice(self, feed: FeedSnapshot) -> list[Ring]:
        """Take a newer picture; what has to be told."""
        if self._began is None:
            self._began = time.time()
            self._note_all(feed)
            return []
        rings: list[Ring] = []
        for rerun in feed.reruns.values():
            for run in rerun.runs:
                key = (run.rerun, run.run)
                if run.live or key in self._live or (key not in self._seen and run.started >= self._began):
                    rings += self._of_run(key, rerun, run)
                (self._live.add if run.live else self._live.discard)(key)
        return rings

    def _note_all(self, feed: FeedSnapshot) -> None:
        for rerun in feed.reruns.values():
            for run in rerun.runs:
                key = (run.rerun, run.run)
                self._seen[key] = {name for name, state in run.ccds.items() if state.metrics}
                if run.live:
                    self._live.add(key)

    def _of_run(self, key: tuple[str, str], rerun: RerunView, run: RunView) -> list[Ring]:
        seen = self._seen.setdefault(key, set())
        rings = []
        for name, state in run.ccds.items():
            if not state.metrics or name in seen:
                continue
            seen.add(name)
            for alarm, sentence in self.of(rerun, state):
                visit = _visit(state.data_id)
                if (run.rerun, visit, alarm) not in self._told:
                    self._told.add((run.rerun, visit, alarm))
                    rings.append(Ring(f"{run.rerun}: {name}: {sentence}", True, alarm=True))
        return rings


def _visit(data_id: Mapping[str, Any]) -> Any:
    return data_id["visit"] if "visit" in data_id else repr(sorted(data_id.items()))
