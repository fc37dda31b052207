"""Plan, what a person chooses there: CCDs left out, configuration files, large plans given up; the command says it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safelight.butler.butler import Butler
from safelight.commands.taskoptions import TaskParser, parse_task_options
from safelight.commands.taskrun import prepare, select
from safelight.errors import ConfigurationError
from safelight.processccd.marks import MarkJournal
from safelight.processccd.plan import Plan, PlannedCcd
from safelight.processccd.planner import _Planner
from safelight_tui.runs.planning import make_picture
from safelight_tui.runs.request import RunRequest
from safelight_tui.session.session import id_text
from safelight_tui.widgets.config_files import check_files

BARE = {f"isr.do{kind}": "False" for kind in ("Bias", "Dark", "Flat", "Defect")} | {"doCalibrate": "False"}


def typed_into_a_shell(line: str) -> list[str]:
    """The words that a shell makes of a line, from the real shell."""
    script = "nice() { shift 2; printf '%s\\0' \"$@\"; }; processCcd.py() { printf '%s\\0' processCcd.py \"$@\"; }\n"
    done = subprocess.run(["bash", "-c", script + line], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def plan_of(words: Sequence[str]) -> Plan:
    """As processCcd.py would plan, given these words."""
    assert words[0] == "processCcd.py"
    task = prepare(parse_task_options(TaskParser("processCcd.py", "", ""), words[1:]))
    return task.plan(select(task))


def same(first: Plan, second: Plan) -> bool:
    def facts(plan: Plan) -> Any:
        return sorted((ccd.key, ccd.action, ccd.code, ccd.reason, str(ccd.outputs)) for ccd in plan.ccds)

    return (
        facts(first) == facts(second)
        and first.config_hash == second.config_hash
        and first.output == second.output
        and first.estimated_seconds == second.estimated_seconds
        and first.disk_needed_bytes == second.disk_needed_bytes
    )


async def test_ccds_left_out_are_neither_counted_nor_in_the_command(opened: Any, with_files: Path) -> None:
    async with opened(with_files, at="2") as screen:
        await screen.shows("BLOCKED 20")
        await screen.press("g", "space", "space")
        await screen.shows("BLOCKED 18 OUT 2", "2 left out")
        plan = screen.app.screen
        gone = [ccd.key for ccd in plan.ccds[:2]]
        assert plan.left_out == set(gone)
        copied: list[str] = []
        screen.app.controller.copy = lambda text, what: copied.append(text)
        await screen.press("Y")
        again = plan_of(typed_into_a_shell(copied[0]))
        assert same(again, plan.chosen.plan)
        assert {ccd.key for ccd in again.ccds} == {ccd.key for ccd in plan.ccds} - set(gone)
        await screen.press("greater_than_sign", "s", "slash")  # sorted and filtered, the marks stay with their CCDs
        await screen.type("out")
        await screen.press("enter")
        assert len(plan.query_one("#plan-table").model) == 2
        await screen.press("g", "space")
        assert len(plan.left_out) == 1
        await screen.press("ctrl+g", "A")
        await screen.shows("RUN 0 SKIP 0 BLOCKED 0 OUT 20")
        copied.clear()
        await screen.press("Y", "x")
        assert copied == []
        assert len(screen.app.screen_stack) == 1
        await screen.press("A")
        await screen.shows("BLOCKED 20")
        assert "OUT" not in screen.picture


async def test_ccds_marked_bad_in_triage_are_shown_and_left_out_by_a_key(opened: Any, with_files: Path) -> None:
    bad = {"visit": 903988, "ccd": 16}
    MarkJournal(with_files / "rerun" / "first", "ann").mark([bad], "bad")
    async with opened(with_files, at="2") as screen:
        await screen.shows("BLOCKED 20")
        await screen.press("b")
        await screen.shows("BLOCKED 19 OUT 1")
        plan = screen.app.screen
        assert plan.left_out == {"visit=903988 ccd=16"}
        place = next(k for k, ccd in enumerate(plan.ccds) if ccd.key in plan.left_out)
        plan.query_one("#plan-table").move_to(place)
        await screen.shows("marked BAD in Triage")
        await screen.press("o")  # the same selection, planned again
        await screen.shows("BLOCKED 19 OUT 1", "REDO")
        await screen.press("1", "slash")
        await screen.type("ccd=16")
        await screen.press("enter", "2")
        await screen.shows("BLOCKED 3")
        assert "OUT" not in screen.picture


async def test_configuration_files_are_checked_shown_and_in_the_command(
    opened: Any, with_files: Path, tmp_path: Path
) -> None:
    path = tmp_path / "my values.py"
    path.write_text("".join(f"config.{name} = {value}\n" for name, value in BARE.items()))
    (tmp_path / "wrong.py").write_text("config.isr.doNothing = True\n")
    async with opened(with_files) as screen:
        await screen.press("slash")
        await screen.type("visit=903986 ccd=16^22")
        await screen.press("enter", "2")
        await screen.shows("BLOCKED 2")
        await screen.press("r")
        await screen.type("other")
        await screen.press("enter")
        await screen.shows("rerun other (new)")
        await screen.press("C")
        await screen.type(str(tmp_path / "wrong.py"))
        await screen.press("enter")
        await screen.shows("There is no configuration field isr.doNothing")
        await screen.press("ctrl+u")
        await screen.type(str(path))
        await screen.press("enter")
        await screen.settle(lambda: str(path)[:40] in screen.picture)
        await screen.press("enter")
        await screen.shows("RUN 2 SKIP 0 BLOCKED 0", "1 file with -C")
        plan = screen.app.screen
        words = typed_into_a_shell(plan.chosen.request.command())
        assert words[words.index("-C") + 1] == str(path)
        assert same(plan_of(words), plan.chosen.plan)
        await screen.press("e")
        await screen.shows("my values.py:1")
        await screen.press("slash")
        await screen.type("isr.doBias")
        await screen.press("enter", "enter", "ctrl+u")
        await screen.type("True")
        await screen.press("enter")
        assert plan.app.screen.value_of(plan.app.screen.field) == "True"
        await screen.press("u")
        assert plan.app.screen.value_of(plan.app.screen.field) == "False"  # what the file says, not the default
        await screen.press("q", "C", "tab", "u", "q")
        await screen.shows("BLOCKED 2", "config: the camera's")


async def test_a_large_plan_is_made_in_the_background_and_can_be_given_up(
    opened: Any, with_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safelight.processccd.planner._CHUNK", 4)
    gate, planned = threading.Semaphore(0), []
    original = _Planner.plan

    def slow(self: Any, row: dict[str, Any]) -> PlannedCcd:
        gate.acquire()
        planned.append(row)
        return original(self, row)

    monkeypatch.setattr(_Planner, "plan", slow)

    async def until(screen: Any, text: str) -> None:
        for _ in range(1000):
            await screen.pilot.pause(0.01)
            if text in screen.picture:
                return
        raise AssertionError(screen.picture)

    async with opened(with_files) as screen:
        await screen.pilot.press("2")
        gate.release(9)
        await until(screen, "planning 8 of 20; ^G gives up")
        await until(screen, "903334")  # what is planned can be read
        await screen.pilot.press("ctrl+g")
        await until(screen, "given up after 8 of 20 CCDs; p plans again")
        gate.release(3)  # to the end of the chunk: it does not go on
        await screen.settle()
        assert len(planned) == 12
        await screen.pilot.press("p")
        gate.release(100)
        await screen.shows("BLOCKED 20")


_SELECTIONS = st.sampled_from(
    ["", "filter=HSC-I", "ccd=16^22..23", "visit=903986..904014:2 ccd!=16", "field~STRIPE* dateObs>=2013-11-01",
     "visit=903986 ccd=16 or visit=903988", "* or ccd=16", "field='STRIPE82L'"]
)  # fmt: skip
_CONFIGS = st.lists(
    st.sampled_from(
        [*BARE.items(), ("isr.overscanFitType", "MEDIAN"), ("isr.minPixelToMask", "40000.0"),
         ("calibrate.astromRefObjLoader.ref_dataset_name", "my 'cat' $HOME")]
    ), max_size=4,
)  # fmt: skip


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_SELECTIONS, _CONFIGS, st.booleans(), st.booleans(), st.booleans(), st.sets(st.integers(0, 19), max_size=5))
def test_every_command_typed_into_a_shell_gives_the_same_plan(
    odd_place: Path, ids: str, config: list[tuple[str, str]], chained: bool, with_file: bool, redo: bool, out: set[int]
) -> None:
    request = RunRequest(
        odd_place,
        "new one" if chained else "first",
        parent="first" if chained else "",
        id_text=ids,
        config=dict(config),
        config_files=(odd_place / "it's a file.py",) if with_file else (),
        redo=redo,
        processes=3,
        nice=5 if redo else 0,
    )
    picture = make_picture(request)
    left_out = {ccd.key for place, ccd in enumerate(picture.plan.ccds) if place in out}
    kept = [ccd.data_id for ccd in picture.plan.ccds if ccd.key not in left_out]
    if left_out and kept:
        picture = picture.without(left_out, id_text([dict(data_id) for data_id in kept], ("visit", "ccd")))
    words = typed_into_a_shell(picture.request.command())
    assert same(plan_of(words), picture.plan)


@pytest.fixture
def odd_place(with_files: Path) -> Path:
    """The repository at a place that wants quotes."""
    root = with_files.rename(with_files.parent / 'an "odd" $place; it\'s')
    (root / "it's a file.py").write_text("config.isr.doLinearize = False\n")
    return root


def test_a_dry_run_leaves_bytes_and_times_as_they_were(with_files: Path) -> None:
    def tree() -> dict[str, Any]:
        found = sorted(with_files.rglob("*"))
        return {str(p): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in found}

    before = tree()
    for rerun, parent in (("first", ""), ("new", ""), ("new", "first")):
        make_picture(RunRequest(with_files, rerun, parent=parent, config=BARE))
    assert tree() == before


def test_a_plan_without_some_ccds_is_the_plan_of_the_others(with_files: Path) -> None:
    request = RunRequest(with_files, "first", config=BARE)
    picture = make_picture(request)
    keys = {ccd.key for ccd in picture.plan.ccds if ccd.data_id["ccd"] == 16}
    others = make_picture(replace(request, id_text="ccd!=16"))
    assert same(picture.without(keys, "ccd!=16").plan, others.plan)


def test_neighbouring_numbers_become_a_range(with_files: Path) -> None:
    ids = [{"visit": visit, "ccd": ccd} for visit in (1, 2, 3, 7) for ccd in (4, 0, 1, 2, 9, 10)]
    text = id_text(ids, ("visit", "ccd"))
    assert text == "visit=1..3^7 ccd=0..2^4^9^10"
    found = Butler(with_files).query(id_text([{"visit": 903344, "ccd": ccd} for ccd in (0, 5, 11)], ("visit", "ccd")))
    assert len(found.rows) == 3


def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        check_files([tmp_path / "absent.py"])
