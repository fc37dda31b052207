"""Turning a plan into results: the one writer of the rerun's ledger, journal, logs and provenance.

Workers compute and write their own files; everything they say comes together here, becomes an event of the journal, and
goes on to a listener (a progress display, the terminal application).
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from safelight.errors import ProcessingError
from safelight.processccd import events
from safelight.processccd.ccd import job_of
from safelight.processccd.control import ControlReader, Request
from safelight.processccd.executor import Control, Executor, Job
from safelight.processccd.interrupts import interrupts
from safelight.processccd.liveness import HEARTBEAT_S
from safelight.processccd.outcome import CcdOutcome, Failure, ccd_key
from safelight.processccd.provenance import Provenance, provenance_path
from safelight.processccd.visitround import VisitRound
from safelight.processccd.voice import Listener, RunVoice
from safelight.processes import process_mark

if TYPE_CHECKING:
    from safelight.processccd.ledger import OutcomeLedger, RecordedCcd
    from safelight.processccd.plan import Plan
    from safelight.processccd.visitstage import VisitStage

__all__ = ["RunSummary", "Runner", "new_run_name"]

CONTROL_POLL_S = 0.5
#: Whoever starts a run may name it, so that he knows where to look for it.
RUN_NAME_VARIABLE = "SAFELIGHT_RUN_NAME"
EXIT_FAILED, EXIT_CANCELLED = 1, 130


def new_run_name() -> str:
    """A name for a run, or the one that its starter gave it; names sort by time."""
    given = os.environ.pop(RUN_NAME_VARIABLE, "")  # for this run only, not for those that it may start
    return given or make_run_name()


def make_run_name() -> str:
    """A name made of the time, to the millisecond, and this process."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}.{time.time_ns() // 1_000_000 % 1000:03d}Z-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended."""

    run: str
    exit_code: int
    counts: dict[str, int]
    outcomes: list[CcdOutcome] = field(repr=False)


class Runner:
    """Runs the CCDs of one plan; an `Observer` of its executor."""

    def __init__(
        self,
        plan: Plan,
        ledger: OutcomeLedger,
        provenance: Provenance,
        *,
        listener: Listener = lambda event: None,
        raise_failures: bool = False,
        visits: VisitStage | None = None,
    ) -> None:
        self.plan = plan
        self.run_name = provenance.run
        self._ledger = ledger
        self._provenance = provenance
        self._raise_failures = raise_failures
        self._voice = RunVoice(plan.output, self.run_name, listener)
        self._visits = VisitRound(
            plan, ledger, self.run_name, self._voice, visits, self._amended, raise_failures=raise_failures
        )
        self._outcomes: list[CcdOutcome] = []
        self._running: dict[str, Job] = {}
        self._control = Control()
        self._interruption_said = False
        self._requests_seen = False

    def execute(self, executor: Executor, control: Control) -> RunSummary:
        """Run everything that the plan says; an exception of the executor ends the run and passes through."""
        with closing(self._voice):
            return self._execute(executor, control)

    def _execute(self, executor: Executor, control: Control) -> RunSummary:
        began = time.monotonic()
        exit_code = EXIT_FAILED
        self._control = control
        self._begin()
        try:
            with self._heartbeat(), interrupts(control):
                self._report_unrunnable()
                jobs = [job_of(ccd) for ccd in self.plan.with_action("run")]
                if jobs:
                    executor.run(jobs, self, control)
                self._finish_visits(executor, control)
            exit_code = self._exit_code(control)
        except KeyboardInterrupt:
            exit_code = EXIT_CANCELLED
        finally:
            self._give_up(self._visits.abandon())
            self._visits.close()
            self._report_cancelled()
            self._end(exit_code, time.monotonic() - began)
        return RunSummary(self.run_name, exit_code, self._counts(), self._outcomes)

    # What an executor tells, in its own thread.

    def started(self, job: Job, worker: int) -> None:
        """A CCD is taken up."""
        self._running[job.key] = job
        self._voice.note(job.key, f"begun in process {worker}")
        self._voice.emit(events.CcdStarted(time=time.time(), ccd=job.key, data_id=job.data_id, worker=worker))

    def stage(self, job: Job, name: str) -> None:
        """A CCD enters a stage."""
        self._voice.note(job.key, f"stage {name}")
        self._voice.emit(events.StageStarted(time=time.time(), ccd=job.key, stage=name))
        self._notice_interruption()
        if self._control.abort and self._control.inline:
            raise KeyboardInterrupt  # the only way out of a task in this thread; signals reach the main thread only

    def log(self, job: Job, level: int, component: str, message: str) -> None:
        """A CCD has something to say."""
        self._voice.record(job.key, level, component, message)

    def finished(self, job: Job, outcome: CcdOutcome) -> None:
        """A CCD is over: ledger first, then the journal, so that who reads the journal finds the ledger ahead of it."""
        self._running.pop(job.key, None)
        self._notice_interruption()
        if self._visits.revise(outcome):
            return
        if outcome.traceback:
            self._voice.logs.attach(outcome.key, outcome.traceback)
        outcome = self._visits.settled(outcome)
        self._ledger.record(outcome, self.run_name, self.plan.config_hash)
        if outcome.metrics:
            self._voice.emit(events.MetricsMeasured(time=time.time(), ccd=outcome.key, values=dict(outcome.metrics)))
        if not self._visits.hold(outcome):
            self._close(outcome)
            self._raise_if_asked(outcome)
        self._visits.over(outcome)

    # Visits: judged when their CCDs are over; some are tried again with what the others know.

    def _amended(self, ccd: RecordedCcd) -> None:
        """The judgement of its visit has changed what a CCD of this run came to."""
        key = ccd_key(ccd.data_id)
        for outcome in self._outcomes:
            if outcome.key == key and outcome.status.startswith("done"):
                outcome.status, outcome.caveats = ("done-with-caveats" if ccd.caveats else "done"), list(ccd.caveats)
                self._provenance.add(outcome)

    def _finish_visits(self, executor: Executor, control: Control) -> None:
        """Judge visits that an earlier run left unjudged; try CCDs again that others can help."""
        self._visits.judge_idle()
        self._give_up(self._visits.helpless())
        timed_out = any(outcome.failure and outcome.failure.code == "TIMEOUT" for outcome in self._outcomes)
        jobs = [] if control.stop or timed_out else self._visits.begin()
        if jobs:
            executor.run(jobs, self, control)
        for visit in dict.fromkeys(job.data_id["visit"] for job in jobs):
            self._visits.judge(visit)

    def _give_up(self, failures: list[CcdOutcome]) -> None:
        """Held failures that nothing can be done about are failures."""
        for outcome in failures:
            self._close(outcome)
            self._raise_if_asked(outcome)

    def _raise_if_asked(self, outcome: CcdOutcome) -> None:
        if self._raise_failures and outcome.failure is not None:
            failure = outcome.failure
            text = failure.message + (f"\n{outcome.traceback}" if outcome.traceback else "")
            raise ProcessingError(failure.code, text, failure.hint, outcome.data_id)

    # The run as a whole.

    def _begin(self) -> None:
        provenance, plan = self._provenance, self.plan
        provenance.write(provenance_path(plan.output, self.run_name))
        self._voice.emit(
            events.RunStarted(
                time=time.time(),
                run=self.run_name,
                command_line=provenance.command_line,
                repository=str(plan.repository),
                rerun=str(plan.output),
                host=platform.node(),
                pid=os.getpid(),
                processes=provenance.processes,
                versions=provenance.versions,
                config_hash=plan.config_hash,
                ccds=[
                    {name: getattr(ccd, name) for name in ("key", "data_id", "action", "code", "reason", "state")}
                    for ccd in plan.ccds
                ],
                estimated_seconds=plan.estimated_seconds,
                directory=provenance.directory,
                process=process_mark(os.getpid()),
            )
        )
        self._voice.say(logging.INFO, f"Running: {' '.join(provenance.command_line)}")

    def _end(self, exit_code: int, seconds: float) -> None:
        counts = self._counts()
        self._provenance.finish(exit_code, counts)
        self._provenance.write(provenance_path(self.plan.output, self.run_name))
        self._voice.emit(
            events.RunFinished(
                time=time.time(), run=self.run_name, exit_code=exit_code, counts=counts, seconds=round(seconds, 3)
            )
        )

    def _report_unrunnable(self) -> None:
        """CCDs that the plan skips or cannot run are over before they begin; the latter have failed."""
        for ccd in self.plan.ccds:
            outcome = CcdOutcome(ccd.key, ccd.data_id, "skipped")
            if ccd.action == "blocked":
                outcome.status = "failed"
                outcome.failure = Failure("plan", ccd.code, ccd.reason, ccd.hint)
                self._ledger.record(outcome, self.run_name, self.plan.config_hash)
            if ccd.action != "run":
                self._close(outcome)
                self._raise_if_asked(outcome)

    def _report_cancelled(self) -> None:
        finished = {outcome.key for outcome in self._outcomes}
        for ccd in self.plan.with_action("run"):
            if ccd.key not in finished:
                self._close(CcdOutcome(ccd.key, ccd.data_id, "cancelled"))

    def _close(self, outcome: CcdOutcome) -> None:
        self._outcomes.append(outcome)
        self._provenance.add(outcome)
        failure = outcome.failure
        if failure is not None:
            where = f" in {failure.step}" if failure.step else ""
            hint = f" ({failure.hint})" if failure.hint else ""
            text = f"failed{where}: {failure.message} [{failure.code}]{hint}"
            if outcome.traceback and failure.code == "INTERNAL_ERROR":
                text += f" {self._voice.logs.path_of(outcome.key)}"
            self._voice.record(outcome.key, logging.ERROR, "processCcd", text)
        if outcome.status.startswith("done"):
            self._voice.note(outcome.key, f"{outcome.status} in {outcome.seconds:.1f} s")
        for caveat in outcome.caveats:
            self._voice.record(outcome.key, logging.WARNING, "processCcd", f"{caveat.code}: {caveat.message}")
        self._voice.emit(
            events.CcdFinished(
                time=time.time(),
                ccd=outcome.key,
                data_id=outcome.data_id,
                status=outcome.status,
                caveats=[asdict(caveat) for caveat in outcome.caveats],
                failure=asdict(failure) if failure else None,
                seconds=round(outcome.seconds, 3),
            )
        )
        self._voice.logs.finish(outcome.key)

    def _exit_code(self, control: Control) -> int:
        if control.stop or control.abort:
            return EXIT_CANCELLED
        return EXIT_FAILED if any(outcome.status == "failed" for outcome in self._outcomes) else 0

    def _counts(self) -> dict[str, int]:
        return dict(Counter(outcome.status for outcome in self._outcomes))

    def _notice_interruption(self) -> None:
        if self._control.stop and not self._interruption_said:
            self._interruption_said = True
            if not self._requests_seen:
                first = "the CCDs in hand are finished first; Ctrl+C again ends them now."
                self._voice.say(logging.WARNING, f"Interrupted: {'ending now.' if self._control.abort else first}")

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Says that the run lives and looks for requests, in a thread of its own."""
        over = threading.Event()
        requests = ControlReader(self.plan.output, self.run_name)
        runs_here = threading.get_ident()

        def beat() -> None:
            last = time.monotonic()
            while not over.wait(CONTROL_POLL_S):
                for request in requests.read():
                    self._obey(request, runs_here)
                if time.monotonic() - last >= HEARTBEAT_S:
                    last = time.monotonic()
                    self._pulse()

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _pulse(self) -> None:
        outcomes = list(self._outcomes)
        pulse = events.Heartbeat(
            time=time.time(),
            running=list(self._running),
            finished=len(outcomes),
            total=len(self.plan.ccds),
            failed=sum(outcome.status == "failed" for outcome in outcomes),
            paused=self._control.pause and not self._control.stop,
        )
        self._voice.write(pulse)

    def _obey(self, request: Request, runs_in: int) -> None:
        """Called in the heartbeat's thread; `runs_in` is the thread in which the run works."""
        self._requests_seen = True
        control = self._control
        if request.word in ("pause", "resume"):
            control.pause = request.word == "pause"
        else:
            control.stop = True
            control.abort = control.abort or request.word == "cancel-now"
        event = events.RunControlled(time=time.time(), request=request.word, by=request.by)
        self._voice.write(event)
        if control.abort and control.inline and runs_in == threading.main_thread().ident:
            signal.pthread_kill(runs_in, signal.SIGTERM)  # the task is in the middle of something
