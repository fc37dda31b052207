"""Plan, driven by keys: what would run and why not, the configuration, the rerun, the command, the launch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from safelight.commands.taskline import options_of, task_words
from safelight.commands.taskoptions import TaskParser, parse_task_options
from safelight.commands.taskrun import prepare, select
from safelight.errors import UsageError
from safelight.instruments import load_instrument
from safelight.processccd.cameraconfig import camera_layers
from safelight.processccd.obstacles import Obstacle
from safelight.processccd.plan import MasterChoice, PlannedCcd
from safelight.processccd.savedconfig import saved_text
from safelight_tui.runs.request import RunRequest, calib_of, free_rerun_name, valid_rerun_name
from safelight_tui.widgets.plan_model import PlanModel
from safelight_tui.widgets.run_confirm import ConfirmRun

BARE = ["isr.doBias=False", "isr.doDark=False", "isr.doFlat=False", "isr.doDefect=False", "doCalibrate=False"]


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(root.rglob("*"))}


async def set_value(screen: Any, path: str, value: str) -> None:
    """In the configuration editor."""
    await screen.press("slash")
    await screen.press("ctrl+u")
    await screen.type(path)
    await screen.press("enter", "enter", "ctrl+u")
    await screen.type(value)
    await screen.press("enter")


async def test_the_plan_says_what_cannot_run_and_why_and_writes_nothing(opened: Any, with_files: Path) -> None:
    before = snapshot(with_files)
    async with opened(with_files, size=(80, 24), at="2") as screen:
        await screen.shows("rerun first", "BLOCKED 20", "disk", "$ processCcd.py")
        await screen.press("right_square_bracket")
        await screen.shows("BLOCKED")
        await screen.press("q")
    assert snapshot(with_files) == before


async def test_the_plan_begins_at_the_ccd_that_was_looked_at(opened: Any, with_files: Path) -> None:
    async with opened(with_files) as screen:
        await screen.press("g", "j", "j")
        looked_at = screen.app.session.catalogue.name(screen.app.session.cursor_row)
        await screen.press("2")
        await screen.shows("BLOCKED 20")
        assert screen.app.screen.ccd.key == looked_at
        assert screen.app.screen.query_one("#plan-table").cursor > 0


async def test_the_filter_of_the_plan_takes_data_ids_and_actions(opened: Any, with_files: Path) -> None:
    async with opened(with_files, at="2") as screen:
        await screen.shows("BLOCKED 20")
        await screen.press("slash")
        await screen.type("ccd=16 filter=HSC-I")
        table = screen.app.screen.query_one("#plan-table")
        assert len(table.model) == 2
        await screen.press("ctrl+g")
        assert len(table.model) == 20
        await screen.press("slash")
        await screen.type("run")
        assert len(table.model) == 0


async def test_an_edited_configuration_is_checked_explained_and_run_in_a_new_rerun(
    opened: Any, with_files: Path
) -> None:
    first = with_files / "rerun" / "first"
    (first / "config").mkdir(exist_ok=True)
    layers = camera_layers(load_instrument("hsc"))
    layers.set_text("isr.doFlat=False", "-c")
    frozen = saved_text(layers.build(), layers)
    (first / "config" / "processCcd.py").write_text(frozen)
    async with opened(with_files) as screen:
        await screen.press("slash")
        await screen.type("visit=903986 ccd=16^22")
        await screen.press("enter", "2")
        await screen.shows("rerun first", "isr.doFlat=False", "BLOCKED 2")  # as the rerun has it
        await screen.press("e")
        await screen.shows("Configuration", "the rerun has")
        await set_value(screen, "isr.doBias", "maybe")
        await screen.shows("isr.doBias refuses 'maybe'")
        await screen.press("ctrl+g")
        for item in BARE:
            await set_value(screen, *item.split("="))
        await screen.shows("-c")
        await screen.press("q")
        await screen.shows("Write to which new rerun?", "first-2")
        await screen.press("enter")
        await screen.shows("rerun first-2 (new)", "RUN 2 SKIP 0 BLOCKED 0")
        await screen.press("x")
        await screen.shows("Run this?", "New rerun first-2", "nice", "detached")
        await screen.press("ctrl+u")
        await screen.type("1")
        await screen.press("enter")
        await screen.settle(
            lambda: "rerun first-2   failed   2/2 F2" in screen.picture and "RAW_EMPTY" in screen.picture, 40.0
        )
        assert screen.app.current_mode == "run"
        await screen.press("enter")
        await screen.shows("What happened", "the end of its log")
        await screen.press("q", "4")
        await screen.shows("processCcd", "first-2")
    assert (first / "config" / "processCcd.py").read_text() == frozen


async def test_a_run_in_this_program_ends_like_a_detached_one(opened: Any, with_files: Path) -> None:
    async with opened(with_files) as screen:
        await screen.press("slash")
        await screen.type("visit=903986 ccd=16")
        await screen.press("enter", "2")
        await screen.shows("BLOCKED 1")
        await screen.press("e")
        for item in BARE:
            await set_value(screen, *item.split("="))
        await screen.press("q")
        await screen.shows("RUN 1")
        await screen.press("t")
        await screen.shows("New rerun scratch/903986-16", "in this program")
        await screen.press("enter")
        await screen.settle(lambda: "rerun scratch/903986-16   failed   1/1 F1" in screen.picture, 40.0)


async def test_the_copied_command_gives_the_same_plan(opened: Any, with_files: Path) -> None:
    async with opened(with_files) as screen:
        await screen.press("slash")
        await screen.type("filter=HSC-I ccd=16..23")
        await screen.press("enter", "2")
        await screen.shows("BLOCKED")
        copied: list[str] = []
        screen.app.controller.copy = lambda text, what: copied.append(text)
        await screen.press("Y")
        (text,) = copied
        plan = screen.app.screen.picture.plan
    words = shlex.split(text)
    assert words[0] == "processCcd.py"
    task = prepare(parse_task_options(TaskParser("processCcd.py", "", ""), words[1:]))
    again = task.plan(select(task))
    assert [(ccd.key, ccd.action, ccd.code) for ccd in again.ccds] == [
        (ccd.key, ccd.action, ccd.code) for ccd in plan.ccds
    ]
    assert again.config_hash == plan.config_hash
    assert again.output == plan.output


async def test_the_plan_is_written_to_a_file(
    opened: Any, with_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(with_files, at="2") as screen:
        await screen.shows("BLOCKED 20")
        await screen.press("w")
        await screen.shows("Wrote 20 rows")
    lines = (tmp_path / "DATA-plan.csv").read_text().splitlines()
    assert lines[0].startswith("visit,ccd,action,why")
    assert len(lines) == 21


async def test_read_only_runs_nothing(opened: Any, with_files: Path) -> None:
    async with opened(with_files, read_only=True, at="2") as screen:
        await screen.shows("BLOCKED 20")
        await screen.press("x")
        await screen.shows("--read-only")
        await screen.press("e")
        assert len(screen.app.screen_stack) == 1


async def test_a_rerun_is_chosen_named_or_chained(opened: Any, with_files: Path) -> None:
    async with opened(with_files, at="2") as screen:
        await screen.shows("rerun first")
        await screen.press("r")
        await screen.shows("Write to which rerun?", "reads from")
        await screen.type("..")  # what is typed is a name, without another key
        await screen.press("enter")
        await screen.shows("cannot be the name of a rerun")
        await screen.press("ctrl+u")
        await screen.type("other")
        await screen.press("enter")
        await screen.shows("rerun other (new)")
        await screen.press("c")
        await screen.shows("Read from rerun first")
        await screen.press("enter")
        await screen.shows("rerun first:first-2 (new)", "--rerun first:first-2")
        await screen.press("r", "down")
        assert screen.app.screen.query_one("#name").value == "first"
        await screen.press("enter")
        await screen.shows("rerun first  ", "--rerun first ")


async def test_a_disk_that_is_too_small_is_said_and_asked_about(
    opened: Any, with_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safelight.processccd.planner._free_bytes", lambda path: 1_500_000)
    async with opened(with_files, at="2") as screen:
        await screen.shows("RUN 0")
        screen.app.screen.plan(
            RunRequest(with_files, "bare", id_text="visit=903986 ccd=16", config=dict(item.split("=") for item in BARE))
        )
        await screen.shows("DISK FULL", "0.00GB", "The disk is too small: about")
        await screen.press("x")
        await screen.settle(lambda: isinstance(screen.app.screen, ConfirmRun))
        await screen.shows("The disk is too small: about")
        await screen.press("enter")
        await screen.shows("It will not fit on the disk. Enter again runs it all the same.")
        assert isinstance(screen.app.screen, ConfirmRun)
        await screen.press("ctrl+g")
    assert not (with_files / "rerun" / "bare").exists()


async def test_n_in_the_plan_goes_through_what_its_last_filter_selects(opened: Any, with_files: Path) -> None:
    async with opened(with_files, at="2") as screen:
        await screen.shows("BLOCKED 20")
        await screen.press("slash")
        await screen.type("ccd=100")
        await screen.press("enter", "slash", "ctrl+u", "enter", "g", "n")
        await screen.shows("> 903334 100")
        await screen.press("n", "n")
        await screen.shows("> 903334 100", "From the top again.")


@pytest.mark.parametrize(
    "line",
    [
        "processCcd.py DATA --rerun a:b --id visit=1 ccd=1^2..3:2 --id filter=HSC-I -c isr.doFlat=False "
        "-C file.py -c doCalibrate=False --failed -j 3",
        "processCcd.py DATA --output P --calib C --id -L debug isr=WARN --redo --clobber-config --no-versions "
        "--no-backup-config -t 30 --show config=isr.* data --reuse-outputs-from all",
    ],
)
def test_options_become_the_words_they_came_from(line: str) -> None:
    options = options_of(shlex.split(line))
    assert options_of(["processCcd.py", *task_words(options)]) == options


def test_a_request_becomes_a_command_that_a_shell_takes(tmp_path: Path) -> None:
    request = RunRequest(tmp_path, "a b", id_text="field='x y' ccd=1", config={"isr.doFlat": "False"}, nice=5)
    words = shlex.split(request.command())
    assert words[:4] == ["nice", "-n", "5", "processCcd.py"]
    options = options_of(words[3:])
    assert options.rerun == "a b"
    assert options.ids == [["field=x y", "ccd=1"]]
    assert options.overrides == [("-c", "isr.doFlat=False")]
    assert request.with_value("isr.doFlat", None).config == {}


def test_a_run_is_resumed_with_the_calibrations_it_was_given() -> None:
    line = ["processCcd.py", "DATA", "--rerun", "r", "--calib", "masters", "--id", "-j", "2"]
    assert calib_of(line, "/home/ann") == "/home/ann/masters"
    assert calib_of([*line[:4], "--id"], "/home/ann") == ""
    assert calib_of(["other", "program"], "") == ""
    request = RunRequest(Path("DATA"), "r", calib="/home/ann/masters")
    assert options_of(shlex.split(request.command())).calib == "/home/ann/masters"


@pytest.mark.parametrize("name", ["", " ", "..", "a/../b", "a:b", "-x", ".hidden", "a\nb"])
def test_names_that_are_no_directory_below_rerun_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        valid_rerun_name(name)


def test_a_free_name_counts_up() -> None:
    assert free_rerun_name({}, "first") == "first"
    assert free_rerun_name({"first-2": 1}, "first-2") == "first-3"
    assert free_rerun_name({"a": 1, "a-2": 1}, "a") == "a-3"
    assert free_rerun_name({"scratch/903986-16": 1}, "scratch/903986-16") == "scratch/903986-16-2"


def test_calibrations_are_ok_missing_or_off(tmp_path: Path) -> None:
    dates = ("2013-11-03", "2013-05-07", "2014-05-02", "")
    ready = PlannedCcd("a", {"visit": 1, "ccd": 2}, "run", "NEW", "not done", "absent",
                       masters=(MasterChoice("bias", tmp_path, *dates),))  # fmt: skip
    reason = "No flat in /a/b has ccd=3."
    stuck = PlannedCcd("b", {"visit": 1, "ccd": 3}, "blocked", "NO_FLAT", reason, "absent", masters=ready.masters,
                       obstacles=(Obstacle("flat", "NO_FLAT", reason),))  # fmt: skip
    model = PlanModel([ready, stuck], width=78, wanted={"bias": True, "dark": False, "flat": True})
    first, second = ([cell.text for cell in row] for row in model.window(0, 2))
    assert first[4:7] == ["ok", "off", ""]
    assert second[2:7] == ["BLOCKED", "No flat has ccd=3.", "ok", "off", "--"]
    assert sum(column.width + 1 for column in model.columns) <= 90


def test_visits_of_many_digits_are_shown_whole() -> None:
    ccd = PlannedCcd("a", {"visit": 393213854, "ccd": 0}, "run", "NEW", "not done", "absent")
    assert PlanModel([ccd], width=77).columns[0].width == 9
