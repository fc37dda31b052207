"""Runs that belong to nobody's terminal: started, followed, asked, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.gen2 import frames_of, make_repository
from tests.support.terminal import PATIENCE_S

from safelight.butler.atomic import make_directory
from safelight.processccd import events
from safelight.processccd.control import ControlReader, control_path, request
from safelight.processccd.detached import DetachedRun, start
from safelight.processccd.executor import Control, Job, Observer
from safelight.processccd.journal import JournalReader
from safelight.processccd.ledger import OutcomeLedger
from safelight.processccd.liveness import life_of
from safelight.processccd.plan import Plan, PlannedCcd
from safelight.processccd.provenance import Provenance
from safelight.processccd.runlist import latest_run, runs_of
from safelight.processccd.runner import Runner, RunSummary
from safelight.processes import process_mark

_BARE = ["isr.doBias=False", "isr.doDark=False", "isr.doFlat=False", "isr.doDefect=False", "doCalibrate=False"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three frames of the sky whose files are empty: each fails as soon as it is read."""
    return make_repository(tmp_path / "DATA", frames_of([903334], (16, 22, 23)))


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `debug` that keeps a run started with --debug busy until the file is removed."""
    folder = tmp_path / "modules"
    folder.mkdir()
    gate = folder / "gate"
    gate.touch()
    (folder / "debug.py").write_text(f"import os, time\nwhile os.path.exists({str(gate)!r}):\n    time.sleep(0.05)\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return gate


@pytest.fixture
def started() -> Iterator[list[DetachedRun]]:
    """Runs to end when the test is over."""
    runs: list[DetachedRun] = []
    yield runs
    for run in runs:
        run.process.kill()
        run.process.wait()


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def told(run: DetachedRun, kind: type[events.Event]) -> list[events.Event]:
    return [event for event in JournalReader(run.journal).read() if isinstance(event, kind)]


def launch(root: Path, started: list[DetachedRun], *more: str) -> DetachedRun:
    words = [str(root), "--rerun", "r", "--id", "-c", *_BARE, *more]
    started.append(start(root / "rerun" / "r", words))
    return started[-1]


def phase(root: Path) -> str:
    found = latest_run(root / "rerun" / "r")
    return found.phase if found else "none"


def test_a_detached_run_is_a_run_like_any_other_in_a_session_of_its_own(
    repository: Path, started: list[DetachedRun]
) -> None:
    run = launch(repository, started)
    assert os.getsid(run.process.pid) == run.process.pid != os.getsid(0)
    assert run.process.wait(60) == 1  # all three files are empty
    (begin,) = told(run, events.RunStarted)
    assert isinstance(begin, events.RunStarted)
    assert begin.run == run.run
    assert begin.command_line[:4] == ["processCcd.py", str(repository), "--rerun", "r"]
    found = latest_run(repository / "rerun" / "r")
    assert found is not None
    assert (found.phase, found.total, found.finished, found.failed) == ("failed", 3, 3, 3)
    assert "RAW_EMPTY" in run.console.read_text()
    assert run.refused() is None


def test_a_run_that_is_refused_says_why(repository: Path, started: list[DetachedRun]) -> None:
    run = launch(repository, started, "isr.doNothing=True")
    assert not run.wait_for_begin(60.0)
    assert run.process.wait(60) == 2
    said = run.refused()
    assert said is not None
    assert "isr.doNothing" in said
    assert not (repository / "rerun").exists(), "a run that never began leaves nothing"


def test_a_run_that_the_rerun_refuses_leaves_the_rerun_as_it_was(repository: Path, started: list[DetachedRun]) -> None:
    launch(repository, started).process.wait(60)
    before = sorted(str(path) for path in (repository / "rerun").rglob("*"))
    run = launch(repository, started, "isr.doLinearize=False")
    assert run.process.wait(60) == 3
    assert "isr.doLinearize" in (run.refused() or "")
    assert sorted(str(path) for path in (repository / "rerun").rglob("*")) == before


def test_a_run_outlives_the_program_that_started_it(repository: Path, slow: Path, started: list[DetachedRun]) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom safelight.processccd.detached import start\n"
        "start(Path(sys.argv[1]), sys.argv[2:])\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = [str(repository), "--rerun", "r", "--id", "-c", *_BARE, "--debug"]
    killed = subprocess.run([sys.executable, "-c", code, str(repository / "rerun" / "r"), *words], check=False)
    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: phase(repository) == "running")
    slow.unlink()
    wait_until(lambda: phase(repository) == "failed")


def test_a_killed_run_is_called_dead_once_it_has_been_silent(
    repository: Path, slow: Path, started: list[DetachedRun]
) -> None:
    run = launch(repository, started, "--debug")
    wait_until(lambda: phase(repository) == "running")
    run.process.kill()
    wait_until(lambda: phase(repository) == "dead")
    run.process.wait()
    assert told(run, events.RunFinished) == []


def test_a_paused_run_begins_nothing_until_it_is_resumed(
    repository: Path, slow: Path, started: list[DetachedRun]
) -> None:
    run = launch(repository, started, "--debug", "-j", "2")
    wait_until(lambda: phase(repository) == "running")
    request(run.output, run.run, "pause")
    wait_until(lambda: phase(repository) == "paused")
    slow.unlink()  # the workers are ready now
    beats = len(told(run, events.Heartbeat))
    wait_until(lambda: len(told(run, events.Heartbeat)) > beats + 1)
    assert told(run, events.CcdStarted) == []
    request(run.output, run.run, "resume")
    wait_until(lambda: phase(repository) == "failed")
    assert len(told(run, events.CcdStarted)) == 3


@pytest.mark.parametrize("processes", ["1", "2"])
def test_cancelling_now_ends_a_run_that_is_busy(
    repository: Path, slow: Path, started: list[DetachedRun], processes: str
) -> None:
    run = launch(repository, started, "--debug", "-j", processes)
    wait_until(lambda: phase(repository) == "running")
    request(run.output, run.run, "cancel-now")
    wait_until(lambda: told(run, events.RunControlled))
    if processes == "1":
        slow.unlink()  # an import before the first CCD is not torn
    wait_until(lambda: phase(repository) == "cancelled")
    assert run.process.wait(30) == 130
    (answer,) = told(run, events.RunControlled)
    assert isinstance(answer, events.RunControlled)
    assert answer.request == "cancel-now"
    assert "@" in answer.by


def test_two_reruns_go_on_at_once(repository: Path, slow: Path, started: list[DetachedRun]) -> None:
    for name in ("a", "b"):
        words = [str(repository), "--rerun", name, "--id", "-c", *_BARE, "--debug"]
        started.append(start(repository / "rerun" / name, words))
    wait_until(lambda: all((found := latest_run(run.output)) and found.phase == "running" for run in started))
    slow.unlink()
    assert [run.process.wait(60) for run in started] == [1, 1]


def test_runs_are_listed_newest_first(repository: Path, started: list[DetachedRun]) -> None:
    first = launch(repository, started)
    first.process.wait(60)
    second = launch(repository, started, "--failed")
    second.process.wait(60)
    assert [run.run for run in runs_of(repository / "rerun" / "r")] == [second.run, first.run]


def test_a_second_run_in_a_busy_rerun_is_refused(repository: Path, slow: Path, started: list[DetachedRun]) -> None:
    launch(repository, started, "--debug")
    wait_until(lambda: phase(repository) == "running")
    other = launch(repository, started)
    assert other.process.wait(60) == 5
    assert "Another run is at work" in (other.refused() or "")


def test_a_rerun_that_cannot_be_written_refuses_the_run(repository: Path, started: list[DetachedRun]) -> None:
    (repository / "rerun").mkdir()
    (repository / "rerun" / "r").touch()
    run = launch(repository, started)
    assert run.process.wait(60) == 5
    assert "NOT_A_DIRECTORY" in (run.refused() or "")


def test_requests_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    path = control_path(tmp_path, "RUN")
    make_directory(path.parent)
    path.write_bytes(b'garbage\n{"request": "explode"}\n[]\n{"request": "pause", "by": "a@b"}\n{"request": "can')
    reader = ControlReader(tmp_path, "RUN")
    assert [(item.word, item.by) for item in reader.read()] == [("pause", "a@b")]
    assert reader.read() == []
    with path.open("ab") as file:
        file.write(b'cel"}\n')
    assert [item.word for item in reader.read()] == ["cancel"]


def test_a_process_id_that_was_given_to_another_process_is_no_sign_of_life() -> None:
    here = os.uname().nodename
    mark = process_mark(os.getpid())
    assert life_of(here, os.getpid(), mark, 10.0) == "silent"
    assert life_of(here, os.getpid(), mark + "0", 10.0) == "dead"
    assert life_of("elsewhere", 1, "", 10.0) == "silent"
    assert life_of("elsewhere", 1, "", 100.0) == "dead"
    assert life_of("elsewhere", 1, "", 1.0) == "live"


def test_only_the_thread_at_work_is_forwarded(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    from safelight.processccd.executor import ForwardingHandler

    class Said:
        def __init__(self) -> None:
            self.messages: list[str] = []

        def stage(self, name: str) -> None: ...

        def log(self, level: int, component: str, message: str) -> None:
            self.messages.append(message)

    said = Said()
    handler = ForwardingHandler(said)
    logger = logging.getLogger("test.forwarding")
    logger.addHandler(handler)
    try:
        logger.warning("mine")
        thread = threading.Thread(target=logger.warning, args=("another's",))
        thread.start()
        thread.join()
    finally:
        logger.removeHandler(handler)
    assert said.messages == ["mine"]


class _Endless:
    """An executor whose only CCD goes from stage to stage for ever, in the thread it is called in."""

    def run(self, jobs: Sequence[Job], observer: Observer, control: Control) -> None:
        observer.started(jobs[0], os.getpid())
        control.inline = True
        while True:
            observer.stage(jobs[0], "isr")
            time.sleep(0.02)


def test_a_run_in_a_thread_is_cancelled_between_two_stages(tmp_path: Path) -> None:
    ccd = PlannedCcd("visit=1 ccd=2", {"visit": 1, "ccd": 2}, "run", "NEW", "not done", "absent", raw=tmp_path / "raw")
    plan = Plan(tmp_path, tmp_path / "r", "hsc", (ccd,), "hash")
    said = ["processCcd.py"]
    provenance = Provenance("RUN", said, str(tmp_path), str(tmp_path), str(plan.output), "hsc", 1, {}, {}, "")
    summaries: list[RunSummary] = []
    with OutcomeLedger(plan.output) as ledger:
        runner = Runner(plan, ledger, provenance)
        thread = threading.Thread(target=lambda: summaries.append(runner.execute(_Endless(), Control())))
        thread.start()
        request(plan.output, "RUN", "cancel-now")
        thread.join(30)
    (summary,) = summaries
    assert summary.exit_code == 130
    assert summary.counts == {"cancelled": 1}
    assert "stage isr" in (plan.output / "logs" / "RUN" / "visit-1-ccd-2.log").read_text()
