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
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from safelight.errors import ProcessingError
from safelight.processccd import events
from safelight.processccd.ccd import job_of
from safelight.processccd.control import ControlReader, Request
from safelight.processccd.executor import Control, Executor, Job
from safelight.processccd.interrupts import interrupts
from safelight.processccd.journal import JournalWriter, journal_folder
from safelight.processccd.liveness import HEARTBEAT_S
from safelight.processccd.logs import RunLogs, log_folder
from safelight.processccd.outcome import CcdOutcome, Failure, ccd_key
from safelight.processccd.provenance import Provenance, provenance_path
from safelight.processccd.secondattempts import SecondAttempts
from safelight.processccd.visitjudge import JUDGE_CODES
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

Listener = Callable[[events.Event], None]


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
        self._listener = listener
        self._raise_failures = raise_failures
        self._visits = visits
        self._second = SecondAttempts()
        self._said: dict[Any, str] = {}  # of visits
        self._outcomes: list[CcdOutcome] = []
        self._running: dict[str, Job] = {}
        self._control = Control()
        self._interruption_said = False
        self._requests_seen = False
        self._lock = threading.Lock()  # the heartbeat's thread writes the journal too
        self._journal = JournalWriter(journal_folder(plan.output) / f"{self.run_name}.jsonl")
        self._logs = RunLogs(log_folder(plan.output, self.run_name))

    def execute(self, executor: Executor, control: Control) -> RunSummary:
        """Run everything that the plan says; an exception of the executor ends the run and passes through."""
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
            self._give_up(self._second.abandon())
            self._report_cancelled()
            self._end(exit_code, time.monotonic() - began)
        return RunSummary(self.run_name, exit_code, self._counts(), self._outcomes)

    # What an executor tells, in its own thread.

    def started(self, job: Job, worker: int) -> None:
        """A CCD is taken up."""
        self._running[job.key] = job
        self._note(job.key, f"begun in process {worker}")
        self._emit(events.CcdStarted(time=time.time(), ccd=job.key, data_id=job.data_id, worker=worker))

    def stage(self, job: Job, name: str) -> None:
        """A CCD enters a stage."""
        self._note(job.key, f"stage {name}")
        self._emit(events.StageStarted(time=time.time(), ccd=job.key, stage=name))
        self._notice_interruption()
        if self._control.abort and self._control.inline:
            raise KeyboardInterrupt  # the only way out of a task in this thread; signals reach the main thread only

    def log(self, job: Job, level: int, component: str, message: str) -> None:
        """A CCD has something to say."""
        self._record(job.key, level, component, message)

    def finished(self, job: Job, outcome: CcdOutcome) -> None:
        """A CCD is over: ledger first, then the journal, so that who reads the journal finds the ledger ahead of it."""
        self._running.pop(job.key, None)
        self._notice_interruption()
        if outcome.traceback:
            self._logs.attach(outcome.key, outcome.traceback)
        outcome = self._second.settled(outcome)
        self._ledger.record(outcome, self.run_name, self.plan.config_hash)
        if outcome.metrics:
            self._emit(events.MetricsMeasured(time=time.time(), ccd=outcome.key, values=dict(outcome.metrics)))
        if self._may_be_solved(outcome):
            self._hold(outcome)
        else:
            self._close(outcome)
            self._raise_if_asked(outcome)
        if self._visits is not None and self._visits.over(outcome.key, outcome.data_id):
            self._judge(outcome.data_id["visit"])

    # Visits: judged when their CCDs are over; those that lacked stars are tried again with what the others know.

    def _may_be_solved(self, outcome: CcdOutcome) -> bool:
        if self._visits is None or self._second.begun(outcome.key) or self._raise_failures:
            return False
        return self._visits.solvable(outcome)

    def _hold(self, outcome: CcdOutcome) -> None:
        assert outcome.failure is not None
        self._second.hold(outcome)
        self._note(
            outcome.key, f"failed alone: {outcome.failure.message} [{outcome.failure.code}]; waits for its visit"
        )
        self._emit(events.StageStarted(time=time.time(), ccd=outcome.key, stage="visit"))

    def _judge(self, visit: Any) -> None:
        try:
            judged = self._visits.judge(visit) if self._visits is not None else None
        except Exception as error:  # its CCDs are done all the same; what was not kept is judged by the next run
            if self._raise_failures:
                raise
            self._say(logging.ERROR, f"visit={visit} could not be judged: {type(error).__name__}: {error}")
            self._logs.attach("", traceback.format_exc())
            return
        if judged is None:
            return
        for problem in judged.judgement.problems:
            self._say(logging.WARNING, problem)
        said = "; ".join(judged.judgement.summary)
        if said and self._said.get(visit) != said:
            self._said[visit] = said
            self._say(logging.INFO, f"visit={visit}: {said}")
        for ccd in judged.amended:
            self._tell_judged(ccd)
        self._second.learn(judged.judgement.priors)
        for key, why in judged.judgement.refusals.items():
            self._note(key, f"cannot be solved from its visit: {why}")

    def _tell_judged(self, ccd: RecordedCcd) -> None:
        key = ccd_key(ccd.data_id)
        for outcome in self._outcomes:
            if outcome.key == key and outcome.status.startswith("done"):
                outcome.status, outcome.caveats = ("done-with-caveats" if ccd.caveats else "done"), list(ccd.caveats)
                self._provenance.add(outcome)
        for caveat in ccd.caveats:
            if caveat.code in JUDGE_CODES:
                self._record(key, logging.WARNING, "processCcd", f"{caveat.code}: {caveat.message}")
        self._logs.finish(key)
        caveats = [asdict(caveat) for caveat in ccd.caveats]
        self._emit(events.CcdJudged(time=time.time(), ccd=key, data_id=ccd.data_id, status=ccd.status, caveats=caveats))

    def _finish_visits(self, executor: Executor, control: Control) -> None:
        """Judge visits that an earlier run left unjudged; try CCDs again that failed alone and that others can help."""
        for visit in self._visits.idle() if self._visits is not None else ():
            self._judge(visit)
        self._give_up(self._second.helpless())
        timed_out = any(outcome.failure and outcome.failure.code == "TIMEOUT" for outcome in self._outcomes)
        jobs = [] if control.stop or timed_out else self._second.begin(self.plan.with_action("run"))
        if jobs:
            executor.run(jobs, self, control)
        for visit in dict.fromkeys(job.data_id["visit"] for job in jobs):
            self._judge(visit)

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
        self._emit(
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
        self._say(logging.INFO, f"Running: {' '.join(provenance.command_line)}")

    def _end(self, exit_code: int, seconds: float) -> None:
        counts = self._counts()
        self._provenance.finish(exit_code, counts)
        self._provenance.write(provenance_path(self.plan.output, self.run_name))
        self._emit(
            events.RunFinished(
                time=time.time(), run=self.run_name, exit_code=exit_code, counts=counts, seconds=round(seconds, 3)
            )
        )
        self._journal.close()
        self._logs.close()

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
                text += f" {self._logs.path_of(outcome.key)}"
            self._record(outcome.key, logging.ERROR, "processCcd", text)
        if outcome.status.startswith("done"):
            self._note(outcome.key, f"{outcome.status} in {outcome.seconds:.1f} s")
        for caveat in outcome.caveats:
            self._record(outcome.key, logging.WARNING, "processCcd", f"{caveat.code}: {caveat.message}")
        self._emit(
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
        self._logs.finish(outcome.key)

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
                self._say(logging.WARNING, f"Interrupted: {'ending now.' if self._control.abort else first}")

    def _note(self, key: str, message: str) -> None:
        """For the log files only: the journal has an event of its own for it."""
        self._logs.write(key, logging.INFO, "processCcd", message, time.time())

    def _say(self, level: int, message: str) -> None:
        self._record("", level, "processCcd", message)

    def _record(self, key: str, level: int, component: str, message: str) -> None:
        from safelight.processccd.logs import level_name

        now = time.time()
        self._logs.write(key, level, component, message, now)
        self._emit(events.LogRecorded(time=now, ccd=key, level=level_name(level), component=component, message=message))

    def _emit(self, event: events.Event) -> None:
        with self._lock:
            self._journal.write(event)
        self._listener(event)

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
        with self._lock:
            self._journal.write(pulse)

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
        with self._lock:
            self._journal.write(event)
        if control.abort and control.inline and runs_in == threading.main_thread().ident:
            signal.pthread_kill(runs_in, signal.SIGTERM)  # the task is in the middle of something
