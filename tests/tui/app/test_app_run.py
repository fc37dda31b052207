"""Run and Logs, driven by keys, on runs that the test writes event by event or starts detached."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safelight.instruments import load_instrument
from safelight.processccd import events
from safelight.processccd.control import ControlReader
from safelight.processccd.logs import RunLogs, log_folder
from safelight_tui.runs.bells import Bells
from safelight_tui.runs.camera import camera_cells
from safelight_tui.runs.figures import duration, per_hour, seconds_left, stage_line
from safelight_tui.session.reruns import CcdState, FeedSnapshot, RerunView, RunView
from safelight_tui.widgets.log_model import LogListModel
from safelight_tui.widgets.status import Status

CCDS = [(903986, 16), (903986, 22), (903986, 100), (904014, 1)]


@pytest.fixture
def logs(repository: Path) -> Iterator[RunLogs]:
    """The logs of a run."""
    written = write_logs(repository)
    yield written
    written.close()


def write_logs(repository: Path, run: str = "20260101T000000.000Z-1") -> RunLogs:
    logs = RunLogs(log_folder(repository / "rerun" / "first", run))
    for number in range(30):
        logs.write("", 20, "processCcd", f"of the run, line {number}", time.time())
    logs.write("visit=903986 ccd=16", 20, "isr", "overscan subtracted", time.time())
    logs.write("visit=903986 ccd=16", 30, "wcs", "few [bold]stars", time.time())
    return logs


def play(journal: Any) -> None:
    """One CCD done, one failed, one at work, one waiting."""
    ids = {f"visit={v} ccd={c}": {"visit": v, "ccd": c} for v, c in CCDS}
    a, b, c, _ = ids
    for key in (a, b, c):
        journal.write(events.CcdStarted, ccd=key, data_id=ids[key], worker=1)
        journal.write(events.StageStarted, ccd=key, stage="isr")
    journal.write(events.MetricsMeasured, ccd=a, values={"fwhm_arcsec": 0.72, "bad": None})
    journal.write(events.CcdFinished, ccd=a, data_id=ids[a], status="done", seconds=6.1)
    failure = {"step": "isr", "code": "NO_FLAT", "message": "There is no flat [i]HSC-I.", "hint": "Build one."}
    journal.write(events.CcdFinished, ccd=b, data_id=ids[b], status="failed", failure=failure, seconds=1.0)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_run_started_elsewhere_is_shown_in_the_focal_plane(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any, logs: RunLogs, size: tuple[int, int]
) -> None:
    play(begin(CCDS, process.pid))
    async with opened(repository, size=size, at="3") as screen:
        await screen.shows("rerun first   running   2/4 D1 F1", "016D", "022F", "100i", ".72", "visit 1/2")
        await screen.press("right_square_bracket")  # from the CCD at work, nothing follows; back to the failure
        await screen.press("left_square_bracket")
        await screen.shows("903986 22 | read ok > ISR FAILED > PSF > WCS > ZP > write", "NO_FLAT")
        await screen.press("enter")
        await screen.shows("What happened", "in isr: There is no flat [i]HSC-I.", "Build one.")
        await screen.press("q", "right_parenthesis")
        await screen.shows("visit 2/2", "001.")


async def test_problems_are_gone_through_over_all_visits(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    journal = begin(CCDS, process.pid)
    play(journal)
    last = {"visit": 904014, "ccd": 1}
    failure = {"step": "read", "code": "RAW_EMPTY", "message": "It is empty.", "hint": ""}
    journal.write(events.CcdFinished, ccd="visit=904014 ccd=1", data_id=last, status="failed", failure=failure)
    async with opened(repository, at="3") as screen:
        await screen.shows("rerun first   running   3/4 D1 F2")
        for visit, ccd, code in ((904014, 1, "RAW_EMPTY"), (903986, 22, "NO_FLAT"), (904014, 1, "RAW_EMPTY")):
            await screen.press("right_square_bracket")
            await screen.shows(f"{visit} {ccd} | ", code)
        await screen.press("left_square_bracket")
        await screen.shows("903986 22 | ")


async def test_at_80_columns_the_stage_line_keeps_what_matters(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    journal = begin(CCDS[:1], process.pid)
    data_id = {"visit": 903986, "ccd": 16}
    failure = {"step": "wcs", "code": "FEW_MATCHES_FOR_WCS", "message": "There are few.", "hint": ""}
    fields = {"ccd": "visit=903986 ccd=16", "data_id": data_id}
    journal.write(events.CcdFinished, **fields, status="failed", failure=failure, seconds=12.1)
    async with opened(repository, size=(80, 24), at="3") as screen:
        await screen.shows("903986 16 | WCS FAILED | 12.1s  FEW_MATCHES_FOR_WCS")
    async with opened(repository, at="3") as screen:
        await screen.shows(
            "903986 16 | read ok > ISR ok > PSF ok > WCS FAILED > ZP > write | 12.1s  FEW_MATCHES_FOR_WCS"
        )


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_camera_of_one_ccd_has_a_list_in_place_of_a_focal_plane(
    opened: Any,
    repository: Path,
    begin: Callable[..., Any],
    process: Any,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = camera_cells(load_instrument("generic"))
    assert len(cells) == 1
    monkeypatch.setattr("safelight_tui.runs.camera.camera_cells", lambda instrument: cells)
    play(begin(CCDS, process.pid))
    async with opened(repository, size=size, at="3") as screen:
        await screen.shows("visit ccd state", "fwhm_arcsec", "0.72", "failed", "NO_FLAT: There is no flat")
        assert not screen.app.screen.query_one("#run-plane").display
        assert screen.app.focused.id == "run-table"
        await screen.press("g", "j", "enter")
        await screen.shows("What happened", "FAILED NO_FLAT")


async def test_pause_cancel_and_cancel_now_ask_the_run(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    journal = begin(CCDS, process.pid)
    play(journal)
    asked = ControlReader(repository / "rerun" / "first", "20260101T000000.000Z-1")
    async with opened(repository) as screen:
        await screen.press("3", "P")
        assert [item.word for item in asked.read()] == ["pause"]
        journal.write(events.RunControlled, request="pause")
        await screen.shows("rerun first   paused")
        await screen.press("P")
        journal.write(events.RunControlled, request="resume")
        await screen.shows("rerun first   running")
        await screen.press("X", "X")
        journal.write(events.RunControlled, request="cancel-now")
        await screen.shows("rerun first   stopping")
        assert [item.word for item in asked.read()] == ["resume", "cancel", "cancel-now"]


async def test_a_killed_runner_is_noticed_and_the_end_of_a_run_rings(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    play(begin(CCDS, process.pid))
    async with opened(repository) as screen:
        rung: list[None] = []
        screen.app.bell = lambda: rung.append(None)
        await screen.press("3")
        await screen.shows("running   2/4")
        process.kill()
        process.wait()
        # It has been silent for some seconds by then.
        await screen.settle(lambda: "DIED" in screen.picture and "x resumes" in screen.picture)
        assert rung
        await screen.press("x")  # nothing of it can run: the frames have no files
        await screen.settle()
        assert len(screen.app.screen_stack) == 1


async def test_the_focal_plane_is_coloured_by_a_metric(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    play(begin(CCDS, process.pid))
    async with opened(repository) as screen:
        await screen.press("3", "m")
        await screen.shows("Colour the focal plane by which metric?", "fwhm_arcsec")
        assert "bad  " not in screen.picture  # it has no value anywhere
        await screen.press("j", "enter")
        plane = screen.app.screen.query_one("#run-plane")
        assert plane.scale is not None
        await screen.press("m", "k", "enter")
        assert plane.scale is None


async def test_runs_are_switched(opened: Any, repository: Path, begin: Callable[..., Any], process: Any) -> None:
    begin(CCDS, process.pid)
    begin(CCDS[:1], process.pid, run="20260102T000000.000Z-2")
    async with opened(repository, at="3") as screen:
        await screen.shows("0/1", "+1 live: o")
        await screen.press("o")
        await screen.shows("Runs, wherever they were started", "0/4")
        await screen.press("j", "enter")
        await screen.shows("rerun first   running   0/4")


async def test_logs_of_run_and_ccd_are_filtered_and_followed(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any, logs: RunLogs
) -> None:
    play(begin(CCDS, process.pid))
    async with opened(repository, size=(80, 24)) as screen:
        screen.app.session.cursor_row = None
        await screen.press("4", "shift+tab", "g")
        await screen.shows("run.log", "of the run, line 29", "following")
        await screen.press("slash")
        await screen.type("line 1[0-2]$")
        await screen.shows("line 10", "line 12")
        assert "line 29" not in screen.picture
        await screen.type("(")
        await screen.shows("is not a regular expression")
        await screen.press("ctrl+g")
        await screen.shows("line 29")
        logs.write("", 20, "processCcd", "something new", time.time())
        await screen.shows("something new")
        await screen.press("f")
        await screen.shows("staying")
        await screen.press("shift+tab", "j")
        await screen.shows("visit-903986-ccd-16.log", "few [bold]stars")


async def test_a_run_whose_logs_are_gone_says_so(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    play(begin(CCDS, process.pid))
    shutil.rmtree(repository / "rerun" / "first" / "logs", ignore_errors=True)
    async with opened(repository, at="3") as screen:
        await screen.shows("no log of this CCD")
        await screen.press("4")
        await screen.shows("no log")


async def test_nothing_was_run_yet(opened: Any, repository: Path) -> None:
    shutil.rmtree(repository / "rerun")
    async with opened(repository, size=(80, 24), at="3") as screen:
        await screen.shows("nothing was run in this repository yet")
        await screen.press("P", "R", "m", "o", "ctrl+g", "enter", "4")
        await screen.shows("nothing was run in this repository yet")


# --- without a screen ---


def run_of(*states: CcdState, **fields: Any) -> RunView:
    ccds = {f"visit=1 ccd={number}": state for number, state in enumerate(states)}
    defaults = {"started": 1000.0, "alive": True, "processes": 2, "last_event": 1100.0}
    return RunView("first", "RUN", Path("r/.safelight/journal/RUN.jsonl"), ccds=ccds, **{**defaults, **fields})


DONE = CcdState(Status.DONE, {"visit": 1, "ccd": 0}, started=1000.0, finished=1010.0, seconds=10.0)
WAITING = CcdState(Status.WAITING, {"visit": 1, "ccd": 1})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "--"), (0.4, "0s"), (59, "59s"), (250, "4m10s"), (7500, "2h05m"), (86400 * 3 + 3600 * 4, "3d04h")],
)
def test_durations_are_short(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_the_time_left_is_that_of_the_ccds_done_so_far() -> None:
    run = run_of(DONE, *[WAITING] * 6)
    assert seconds_left(run, 1100.0) == pytest.approx(30.0)  # six of 10 s on two processes
    assert per_hour(run, 1100.0) == pytest.approx(36.0)
    held = replace(WAITING, status=Status.VISIT)  # may be tried a second time
    assert seconds_left(run_of(DONE, held, held), 1100.0) == pytest.approx(10.0)
    assert seconds_left(run_of(*[WAITING] * 4), 1100.0) is None
    assert seconds_left(run_of(*[WAITING] * 4, estimated_seconds=40.0), 1100.0) == pytest.approx(20.0)
    assert seconds_left(run_of(DONE, WAITING, stopping="cancel"), 1100.0) == 0.0
    assert seconds_left(run_of(DONE, alive=False, exit_code=0), 1100.0) == 0.0


def test_the_stages_of_a_ccd_in_one_line() -> None:
    at_work = CcdState(Status.WCS, {}, started=1000.0, stage_since=1005.0)
    assert stage_line(at_work, 1046.0) == "read ok > ISR ok > PSF ok > WCS 41s.. > ZP > write | 46.0s"
    assert stage_line(replace(at_work, attempt=2), 1046.0).startswith("second attempt | read ok > ISR ok")
    assert stage_line(DONE, 2000.0).endswith("write ok | 10.0s")
    assert stage_line(WAITING, 2000.0) == "waiting"


def test_bells_ring_for_new_failures_and_ends_only() -> None:
    bells = Bells()
    failed = replace(DONE, status=Status.FAILED)

    def feed(run: RunView) -> FeedSnapshot:
        return FeedSnapshot({"first": RerunView("first", Path("r"), runs=(run,))})

    assert bells.notice(feed(run_of(failed, WAITING, WAITING))) == []  # that was before
    assert bells.notice(feed(run_of(failed, WAITING, WAITING))) == []
    (ring,) = bells.notice(feed(run_of(failed, failed, WAITING)))
    assert ring.bad
    assert "1 failed, visit=1 ccd=1" in ring.text
    (ring,) = bells.notice(feed(run_of(failed, failed, DONE, alive=False, exit_code=1)))
    assert "ended, 1/3 done, 2 failed" in ring.text
    assert bells.notice(feed(run_of(failed, failed, DONE, alive=False, exit_code=1))) == []


def test_every_camera_has_its_ccds_in_places_of_their_own() -> None:
    for name in ("hsc", "huntsman"):
        cells = camera_cells(load_instrument(name))
        assert len({(cell.column, cell.row) for cell in cells}) == len(cells)
    hsc = camera_cells(load_instrument("hsc"))
    assert [cell.key for cell in hsc if not cell.planned] == list(range(104, 112))


def test_the_list_of_logs_leaves_out_ccds_not_begun() -> None:
    model = LogListModel([run_of(DONE, WAITING)])
    assert len(model) == 2
    assert model.entry(0).path == Path("r/logs/RUN/run.log")
    assert model.entry(1).path == Path("r/logs/RUN/visit-1-ccd-0.log")
    assert model.newest_of("visit=1 ccd=1") is None
    assert os.fspath(model.entry(1).path).endswith("ccd-0.log")
