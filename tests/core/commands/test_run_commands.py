"""safelight runs, pause, cancel, retry and logs."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from safelight.butler.butler import Butler
from safelight.commands.main import main
from safelight.errors import UsageError
from safelight.processccd import events
from safelight.processccd.control import ControlReader
from safelight.processccd.journal import JournalWriter, journal_folder
from safelight.processccd.logs import RunLogs, log_folder

RUN = "20260101T000000.000Z-1"


@pytest.fixture
def journal(listing: Path, process: subprocess.Popen[bytes]) -> Iterator[JournalWriter]:
    """A run of two CCDs, one of them failed, that goes on."""
    output = Butler(listing, rerun="first").create_output()
    ccds = [{"key": f"visit=903986 ccd={c}", "data_id": {"visit": 903986, "ccd": c}} for c in (16, 22)]
    writer = JournalWriter(journal_folder(output) / f"{RUN}.jsonl")
    writer.write(
        events.RunStarted(
            time=time.time() - 60,
            run=RUN,
            command_line=[
                "processCcd.py",
                "elsewhere",
                "--rerun",
                "first",
                "--id",
                "-c",
                "isr.doFlat=False",
                "-j",
                "2",
            ],
            repository=str(listing),
            rerun=str(output),
            host=platform.node(),
            pid=process.pid,
            processes=2,
            ccds=ccds,
        )
    )
    writer.write(events.CcdFinished(time=time.time(), ccd=ccds[0]["key"], data_id={}, status="failed"))  # type: ignore[arg-type]
    logs = RunLogs(log_folder(output, RUN))
    logs.write("", 20, "processCcd", "of the run", time.time())
    logs.write("visit=903986 ccd=16", 40, "isr", "of the CCD", time.time())
    logs.close()
    yield writer
    writer.close()


def end(journal: JournalWriter, exit_code: int = 1) -> None:
    counts = {"failed": 1, "done": 1}
    journal.write(events.RunFinished(time=time.time(), run=RUN, exit_code=exit_code, counts=counts, seconds=61.0))


def test_runs_tells_what_they_are_doing(call: Any, listing: Path, journal: JournalWriter) -> None:
    assert call(main, "runs", listing).out.splitlines()[1].split()[:4] == ["first", "running", "1/2", "1"]
    end(journal)
    (record,) = json.loads(call(main, "runs", listing, "--format", "json").out)
    assert (record["state"], record["finished"], record["failed"], record["seconds"]) == ("failed", 2, 1, 61.0)


def test_runs_calls_a_killed_one_dead(
    call: Any, listing: Path, journal: JournalWriter, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    process.kill()
    process.wait()
    now = time.time()
    monkeypatch.setattr("safelight.processccd.runlist.time.time", lambda: now + 10)
    assert "dead" in call(main, "runs", listing, "--rerun", "first").out


def test_no_runs_are_no_error(call: Any, listing: Path) -> None:
    assert call(main, "runs", listing) == (0, "no runs\n", "")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["pause"], "pause"),
        (["pause", "--resume"], "resume"),
        (["cancel"], "cancel"),
        (["cancel", "--now"], "cancel-now"),
    ],
)
def test_requests_wait_for_the_answer(
    call: Any, listing: Path, journal: JournalWriter, words: list[str], asked: str
) -> None:
    reader = ControlReader(listing / "rerun" / "first", RUN)

    def answer() -> None:
        while not (found := reader.read()):
            time.sleep(0.02)
        journal.write(events.RunControlled(time=time.time(), request=found[0].word))

    runner = threading.Thread(target=answer)
    runner.start()
    result = call(main, words[0], listing, "--rerun", "first", *words[1:])
    runner.join()
    assert result == (0, f"run {RUN}: {asked}\n", "")


def test_a_run_that_is_over_cannot_be_paused(call: Any, listing: Path, journal: JournalWriter) -> None:
    end(journal)
    result = call(main, "pause", listing, "--rerun", "first")
    assert result.code == 2
    assert "RUN_OVER" in result.err
    assert call(main, "pause", listing, "--rerun", "other").code == 5


def test_logs_of_a_run_and_of_a_ccd(call: Any, listing: Path, journal: JournalWriter) -> None:
    assert "of the run" in call(main, "logs", listing, "--rerun", "first").out
    chosen = call(main, "logs", listing, "--rerun", "first", "--id", "ccd=16")
    assert "of the CCD" in chosen.out
    assert "of the run" not in chosen.out
    path = call(main, "logs", listing, "--rerun", "first", "--id", "ccd=16", "--path").out.strip()
    assert Path(path).name == "visit-903986-ccd-16.log"
    assert "NO_LOG" in call(main, "logs", listing, "--rerun", "first", "--id", "ccd=22").err
    assert "NO_SUCH_RUN" in call(main, "logs", listing, "--rerun", "first", "--run", "x").err


def test_following_a_log_ends_with_the_run(call: Any, listing: Path, journal: JournalWriter) -> None:
    def go_on() -> None:
        time.sleep(0.3)
        with (log_folder(listing / "rerun" / "first", RUN) / "run.log").open("a") as file:
            file.write("the last line\n")
        end(journal)

    runner = threading.Thread(target=go_on)
    runner.start()
    result = call(main, "logs", listing, "--rerun", "first", "-f")
    runner.join()
    assert result.out.endswith("the last line\n")


def test_retry_repeats_the_last_command_with_its_configuration(
    call: Any, listing: Path, journal: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(journal)
    ran: list[list[str]] = []
    runner: Callable[[Any, list[str]], int] = lambda options, command: ran.append(command) or 0  # type: ignore[func-returns-value]  # noqa: E731
    monkeypatch.setattr("safelight.commands.taskrun.run_task", runner)
    assert call(main, "retry", listing, "--rerun", "first", "-j", "3").code == 0
    assert ran == [
        ["processCcd.py", str(listing), "--rerun", "first", "--id", "-c", "isr.doFlat=False", "--failed", "-j", "3"]
    ]


@pytest.mark.parametrize("command", ["runs", "pause", "cancel", "retry", "logs"])
def test_each_command_has_an_example(call: Any, command: str) -> None:
    assert f"safelight {command} DATA" in call(main, command, "--help").out


def test_a_detached_run_is_named_and_goes_on_by_itself(call: Any, listing: Path) -> None:
    result = call(main, "run", listing, "--rerun", "night", "--id", "visit=903986", "-j", "1", "--detach")
    assert (result.code, result.err) == (0, "")
    name = result.out.split()[1]
    output = listing / "rerun" / "night"
    assert f"safelight logs {listing} --rerun night -f" in result.out
    assert f"its logs: {output / 'logs' / name}" in result.out
    followed = call(main, "logs", listing, "--rerun", "night", "-f")  # ends with the run
    assert followed.code == 0
    (record,) = json.loads(call(main, "runs", listing, "--format", "json").out)
    assert (record["run"], record["state"], record["total"]) == (name, "failed", 4)  # there are no calibrations
    assert record["command_line"][:3] == ["processCcd.py", str(listing), "--rerun"]
    assert record["pid"] != os.getpid()


def test_a_detached_run_that_is_refused_says_why_and_leaves_nothing(call: Any, listing: Path) -> None:
    result = call(main, "run", listing, "--rerun", "night", "--id", "vist=1", "--detach")
    assert result.code == 2
    assert "Did you mean visit?" in result.err
    assert result.out == ""
    assert not (listing / "rerun").exists()


def test_a_failure_is_retried_detached(call: Any, listing: Path) -> None:
    assert call(main, "run", listing, "--rerun", "night", "--id", "visit=903986").code == 1
    result = call(main, "retry", listing, "--rerun", "night", "--detach")
    assert result.code == 0
    assert "works on its own" in result.out
    call(main, "logs", listing, "--rerun", "night", "-f")
    runs = json.loads(call(main, "runs", listing, "--all", "--format", "json").out)
    assert [run["total"] for run in runs] == [4, 4]
    assert "--failed" in runs[1]["command_line"]


def test_a_run_whose_workers_cannot_be_made_says_why_and_leaves_no_run(
    call: Any, listing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UsageError("NO_WORKERS", "There are no workers.")

    monkeypatch.setattr("safelight.processccd.session._executor", refuse)
    result = call(main, "run", listing, "--rerun", "night", "--id", "visit=903986")
    assert (result.code, "There are no workers." in result.err) == (2, True)
    assert json.loads(call(main, "runs", listing, "--all", "--format", "json").out) == []
    assert not list((listing / "rerun" / "night").rglob("*.jsonl"))
    gc.collect()  # a journal that is open still would warn, and warnings are errors


def test_a_run_that_cannot_begin_closes_its_journal_and_logs(
    call: Any, listing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UsageError("DISK_FULL", "There is no room.")

    monkeypatch.setattr("safelight.processccd.provenance.Provenance.write", refuse)
    result = call(main, "run", listing, "--rerun", "night", "--id", "visit=903986")
    assert (result.code, "There is no room." in result.err) == (2, True)
    opened = [descriptor.resolve() for descriptor in Path("/proc/self/fd").iterdir()]
    assert not [path for path in opened if path.is_relative_to(listing / "rerun")]


@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_a_retry_of_nothing_says_so_and_starts_nothing(
    call: Any, listing: Path, journal: JournalWriter, detach: tuple[str, ...]
) -> None:
    end(journal)
    result = call(main, "retry", listing, "--rerun", "first", *detach)
    assert (result.code, result.out) == (0, "")
    assert "Nothing that is selected (33 CCDs) has failed in rerun first: no run was started." in result.err
    (run,) = json.loads(call(main, "runs", listing, "--all", "--format", "json").out)
    assert run["run"] == RUN
