"""Follows one rerun: its ledger when that changes, its journals past the last byte seen. Used by the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import SafelightError
from safelight.processccd import events
from safelight.processccd.journal import JournalReader, journals
from safelight.processccd.liveness import life_of
from safelight_tui.session.reruns import CcdState, RerunView, RunView, status_of
from safelight_tui.widgets.status import Status

if TYPE_CHECKING:
    from safelight.processccd.ledger import RecordedCcd

__all__ = ["JOURNALS_READ", "RerunReader"]

JOURNALS_READ = 30
"""Runs of a rerun whose journals are read, the newest; what older ones left stands in the ledger."""


class RerunReader:
    """One rerun, read again and again.

    Parameters
    ----------
    name : str
        As in ``--rerun``.
    path : Path
        Its directory.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.view = RerunView(name, path)
        self._runs: dict[Path, _RunFollower] = {}
        self._recorded: dict[str, CcdState] = {}
        self._ledger_stamp: tuple[int, int] | None = None
        self._parents: tuple[str, ...] | None = None

    def read(self) -> RerunView:
        """The rerun as it is now: the same object when nothing has changed."""
        try:
            changed = self._read_parents()
            changed |= self._read_journals()
            changed |= self._read_ledger()
        except (SafelightError, OSError) as error:
            trouble = error.message if isinstance(error, SafelightError) else f"{self.path} cannot be read: {error}."
            if trouble != self.view.trouble:
                self.view = replace(self.view, trouble=trouble)
            return self.view
        if changed or self.view.trouble:
            runs = tuple(follower.view for follower in self._runs.values())
            self.view = RerunView(self.name, self.path, self._parents or (), self._states(runs), runs)
        return self.view

    def _read_parents(self) -> bool:
        if self._parents is not None:
            return False
        from safelight.butler.repository import open_repository

        self._parents = tuple(str(path) for path in open_repository(self.path).parents)
        return True

    def _read_journals(self) -> bool:
        changed = False
        found = journals(self.path)[-JOURNALS_READ:]
        for path in found:
            if path not in self._runs:
                self._runs[path] = _RunFollower(self.name, path)
                changed = True
            changed |= self._runs[path].read()
        for path in self._runs.keys() - set(found):
            del self._runs[path]
            changed = True
        return changed

    def _read_ledger(self) -> bool:
        from safelight.butler.datasets import LEDGER_PATH
        from safelight.processccd.ledger import OutcomeLedger

        try:
            status = (self.path / LEDGER_PATH).stat()
        except FileNotFoundError:
            changed = bool(self._recorded)
            self._recorded, self._ledger_stamp = {}, None
            return changed
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self._ledger_stamp:
            return False
        with OutcomeLedger(self.path) as ledger:
            self._recorded = {_name(ccd.data_id): _state(ccd) for ccd in ledger.ccds()}
        self._ledger_stamp = stamp
        return True

    def _states(self, runs: tuple[RunView, ...]) -> Mapping[str, CcdState]:
        states = dict(self._recorded)
        for run in runs:
            if not run.live:
                continue
            for name, state in run.ccds.items():
                before = states.get(name)
                # What a live run has passed over keeps what the rerun holds.
                if state.status is Status.SKIPPED and before is not None:
                    continue
                if before is None or state.status is not Status.WAITING:
                    states[name] = state if state.metrics or before is None else replace(state, metrics=before.metrics)
        return states


class _RunFollower:
    """Folds one journal into a `RunView`."""

    def __init__(self, rerun: str, path: Path) -> None:
        self._reader = JournalReader(path)
        self._ccds: dict[str, CcdState] = {}
        self.view = RunView(rerun, path.stem, path)
        self._size = -1

    def read(self) -> bool:
        """Take what has come; whether the view is another now."""
        if self.view.exit_code is not None:
            return False
        changed = self._read_events()
        view = self.view
        age = time.time() - view.heard
        alive = view.started > 0.0 and life_of(view.host, view.pid, view.process, age) != "dead"
        if view.alive and not alive:
            self._read_events()  # what it wrote between the reading and its end
        alive = alive and self.view.exit_code is None
        if not changed and alive == view.alive:
            return False
        self.view = replace(self.view, alive=alive, ccds=self._shown_ccds(alive))
        return True

    def _read_events(self) -> bool:
        size = self._reader.path.stat().st_size
        if size == self._size:
            return False
        self._size = size
        heard = 0.0
        for event in self._reader.read():
            heard = event.time
            self._take(event)
        if heard:
            first = self.view.last_event == 0.0  # what is read at first may have been written long ago
            now = time.time()
            self.view = replace(self.view, last_event=heard, heard=min(heard, now) if first else now)
        return bool(heard)

    def _shown_ccds(self, live: bool) -> Mapping[str, CcdState]:
        """The CCDs; of a run that is no more, those that it was at are interrupted."""
        if live:
            return dict(self._ccds)
        return {name: _interrupted(state) for name, state in self._ccds.items()}

    def _start(self, event: events.CcdStarted) -> None:
        state = self._ccds.get(event.ccd)
        attempt = 2 if state is not None and state.status is Status.VISIT else 1
        self._change(event.ccd, status=Status.READ, started=event.time, stage_since=event.time, attempt=attempt)

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.RunStarted):
            self._begin(event)
        elif isinstance(event, events.CcdStarted):
            self._start(event)
        elif isinstance(event, events.StageStarted):
            self._change(event.ccd, status=status_of(event.stage), stage_since=event.time)
        elif isinstance(event, events.MetricsMeasured):
            self._change(event.ccd, metrics=event.values)
        elif isinstance(event, events.CcdFinished):
            self._finish(event)
        elif isinstance(event, events.CcdJudged):
            self._judge(event)
        elif isinstance(event, events.Heartbeat):
            self.view = replace(self.view, paused=event.paused)
        elif isinstance(event, events.RunControlled):
            self._obey(event.request)
        elif isinstance(event, events.RunFinished):
            self.view = replace(self.view, finished=event.time, exit_code=event.exit_code, alive=False)

    def _obey(self, word: str) -> None:
        if word in ("pause", "resume"):
            self.view = replace(self.view, paused=word == "pause")
        else:
            self.view = replace(self.view, stopping=word)

    def _begin(self, event: events.RunStarted) -> None:
        for ccd in event.ccds:
            status = {"run": Status.WAITING, "skip": Status.SKIPPED}.get(ccd["action"], Status.BLOCKED)
            blocked = status is Status.BLOCKED
            self._ccds[ccd["key"]] = CcdState(
                status,
                ccd["data_id"],
                event.run,
                code=ccd["code"] if blocked else "",
                message=ccd["reason"] if blocked else "",
            )
        self.view = replace(
            self.view,
            run=event.run,
            started=event.time,
            command_line=tuple(event.command_line),
            directory=event.directory,
            host=event.host,
            pid=event.pid,
            process=event.process,
            processes=event.processes,
            config_hash=event.config_hash,
            estimated_seconds=event.estimated_seconds,
        )

    def _finish(self, event: events.CcdFinished) -> None:
        failure = event.failure or {}
        self._ccds.setdefault(event.ccd, CcdState(Status.WAITING, event.data_id, self.view.run))
        was_blocked = self._ccds[event.ccd].status is Status.BLOCKED
        status = Status.BLOCKED if was_blocked and event.status == "failed" else status_of(event.status)
        self._change(
            event.ccd,
            status=status,
            caveats=tuple((c.get("code", ""), c.get("message", "")) for c in event.caveats),
            step=failure.get("step", ""),
            code=failure.get("code", ""),
            message=failure.get("message", ""),
            hint=failure.get("hint", ""),
            finished=event.time,
            seconds=event.seconds,
        )

    def _judge(self, event: events.CcdJudged) -> None:
        state = self._ccds.get(event.ccd)
        if state is not None and state.status is not Status.SKIPPED:  # what was passed over stands in the ledger
            caveats = tuple((c.get("code", ""), c.get("message", "")) for c in event.caveats)
            self._change(event.ccd, status=status_of(event.status), caveats=caveats)

    def _change(self, name: str, **changes: Any) -> None:
        state = self._ccds.get(name)
        if state is not None:
            self._ccds[name] = replace(state, **changes)


def _interrupted(state: CcdState) -> CcdState:
    if not (state.status.at_work or state.status is Status.VISIT):
        return state
    return replace(state, status=Status.INTERRUPTED, message=f"the run was killed at: {state.word}")


def _name(data_id: Mapping[str, Any]) -> str:
    from safelight.processccd.outcome import ccd_key

    return ccd_key(dict(data_id))


def _state(ccd: RecordedCcd) -> CcdState:
    failure = ccd.failure
    return CcdState(
        status_of(ccd.status),
        ccd.data_id,
        ccd.run,
        caveats=tuple((caveat.code, caveat.message) for caveat in ccd.caveats),
        step=failure.step if failure else "",
        code=failure.code if failure else "",
        message=failure.message if failure else "",
        hint=failure.hint if failure else "",
        metrics=ccd.metrics,
        started=_unix(ccd.started),
        finished=_unix(ccd.finished),
        seconds=ccd.seconds,
    )


def _unix(iso: str) -> float:
    try:
        return datetime.fromisoformat(iso).timestamp()
    except ValueError:
        return 0.0
