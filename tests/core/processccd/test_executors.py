"""Executors: inline and the pool of processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from safelight.errors import SafelightError
from safelight.processccd.executor import Control, InlineExecutor, Job, TaskSpec
from safelight.processccd.outcome import CcdOutcome
from safelight.processccd.pool import ProcessPool

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def importable_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))


class Listener:
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.logs: list[str] = []
        self.outcomes: dict[str, CcdOutcome] = {}
        self.on_stage = lambda: None

    def started(self, job: Job, worker: int) -> None:
        assert worker > 0

    def stage(self, job: Job, name: str) -> None:
        self.stages.append(f"{job.key} {name}")
        self.on_stage()

    def log(self, job: Job, level: int, component: str, message: str) -> None:
        self.logs.append(message)

    def finished(self, job: Job, outcome: CcdOutcome) -> None:
        assert job.key not in self.outcomes, "a job ends once"
        self.outcomes[job.key] = outcome


def jobs(**wishes: str) -> list[Job]:
    from pool_tasks import SmallJob  # type: ignore[import-not-found]

    return [SmallJob(key, {"wish": wish}) for key, wish in wishes.items()]


SPEC = TaskSpec("pool_tasks:build", "context")


def run_pool(todo: list[Job], control: Control | None = None, *, timeout_s: float | None = None) -> Listener:
    listener = Listener()
    ProcessPool(SPEC, 2, timeout_s=timeout_s).run(todo, listener, control or Control())
    return listener


def test_the_inline_executor_runs_jobs_in_order_and_turns_an_unexpected_exception_into_a_failure() -> None:
    listener = Listener()
    InlineExecutor(SPEC).run(jobs(a="", b="raise", c=""), listener, Control())
    assert listener.stages == ["a read", "b read", "c read"]
    assert [o.status for o in listener.outcomes.values()] == ["done", "failed", "done"]
    failure = listener.outcomes["b"].failure
    assert failure is not None
    assert failure.code == "INTERNAL_ERROR"
    assert "ValueError: not a number" in listener.outcomes["b"].traceback


def test_the_inline_executor_lets_exceptions_through_when_told_to() -> None:
    with pytest.raises(ValueError, match="not a number"):
        InlineExecutor(SPEC, raise_errors=True).run(jobs(a="raise"), Listener(), Control())


def test_the_pool_runs_every_job_once_and_relays_stages_and_log_records() -> None:
    listener = run_pool(jobs(**{f"j{k}": "" for k in range(7)}))
    assert sorted(listener.outcomes) == [f"j{k}" for k in range(7)]
    assert {o.status for o in listener.outcomes.values()} == {"done"}
    assert sorted(listener.logs) == [f"context j{k}" for k in range(7)]
    assert sorted(listener.stages) == [f"j{k} read" for k in range(7)]


def test_workers_are_other_processes_that_stay_and_compute_with_one_thread() -> None:
    listener = run_pool(jobs(**{f"j{k}": "pids" for k in range(6)}))
    pids = {o.data_id["pid"] for o in listener.outcomes.values()}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2, "two workers do six jobs"
    assert {o.data_id["threads"] for o in listener.outcomes.values()} == {os.environ.get("OMP_NUM_THREADS", "1")}


def test_a_worker_that_is_killed_fails_only_its_job_and_is_replaced() -> None:
    listener = run_pool(jobs(a="die", b="", c="die", d="", e=""))
    assert {key: o.status for key, o in listener.outcomes.items()} == {
        "a": "failed",
        "b": "done",
        "c": "failed",
        "d": "done",
        "e": "done",
    }
    failure = listener.outcomes["a"].failure
    assert failure is not None
    assert (failure.code, failure.step) == ("WORKER_DIED", "read")
    assert "memory" in failure.hint


def test_what_a_task_prints_does_not_reach_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    run_pool(jobs(a="print"))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "noise on stdout" in captured.err


def test_the_time_limit_ends_running_jobs_and_reports_those_that_were_not_begun() -> None:
    listener = run_pool(jobs(a="sleep", b="sleep", c=""), timeout_s=1.0)
    codes = {key: o.failure.code for key, o in listener.outcomes.items() if o.failure}
    assert codes == {"a": "TIMEOUT", "b": "TIMEOUT", "c": "TIMEOUT"}


def test_a_stop_finishes_the_jobs_in_hand_and_begins_nothing_new() -> None:
    control = Control()
    listener = Listener()
    listener.on_stage = lambda: setattr(control, "stop", True)
    ProcessPool(SPEC, 1).run(jobs(a="", b="", c=""), listener, control)
    assert {key: o.status for key, o in listener.outcomes.items()} == {"a": "done"}


def test_an_abort_ends_the_jobs_in_hand_as_cancelled() -> None:
    control = Control()
    listener = Listener()
    listener.on_stage = lambda: setattr(control, "abort", True)
    ProcessPool(SPEC, 1).run(jobs(a="sleep", b=""), listener, control)
    assert {key: o.status for key, o in listener.outcomes.items()} == {"a": "cancelled"}


@pytest.mark.parametrize(("factory", "words"), [("broken", "cannot be built"), ("stillborn", "die at once")])
def test_workers_that_cannot_start_end_the_run_with_a_sentence(factory: str, words: str) -> None:
    with pytest.raises(SafelightError, match=words) as caught:
        ProcessPool(TaskSpec(f"pool_tasks:{factory}", ""), 2).run(jobs(a=""), Listener(), Control())
    assert caught.value.code == "WORKER_BROKEN"


def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from pool_tasks import SmallJob
from safelight.processccd.executor import Control, TaskSpec
from safelight.processccd.pool import ProcessPool

class Teller:
    def started(self, job, worker): print(worker, flush=True)
    def stage(self, job, name): pass
    def log(self, job, *record): pass
    def finished(self, job, outcome): pass

jobs = [SmallJob(str(k), {{"wish": "sleep"}}) for k in range(2)]
ProcessPool(TaskSpec("pool_tasks:build", ""), 2).run(jobs, Teller(), Control())
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(_lives(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in workers)


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
