"""Searching, leaving Browse for another screen with something in mind, and repositories one after another."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.gen2 import Frame, add_frames

from safelight.butler.butler import Butler
from safelight_tui.widgets.run_confirm import ConfirmRun

BARE = {**{f"isr.do{step}": "False" for step in ("Bias", "Dark", "Flat", "Defect")}, "doCalibrate": "False"}


async def test_n_goes_through_what_the_last_filter_selects_after_it_was_taken_away(
    opened: Any, repository: Path
) -> None:
    async with opened(repository) as screen:
        await screen.press("n")
        await screen.shows("Next match: nothing has been searched for here")
        await screen.press("slash")
        await screen.type("filter=HSC-I ccd=16")
        await screen.press("enter", "g", "n")
        await screen.shows("2 of 20", ">903988  16")  # all in view match
        await screen.press("slash", "backspace", "enter", "g", "n")
        await screen.shows("20 of 20", ">903986  16")
        await screen.press("n")
        await screen.shows(">903988  16")
        await screen.press("n")
        await screen.shows(">903986  16", "From the top again.")
        await screen.press("N")
        await screen.shows(">903988  16", "From the end again.")


async def test_n_in_the_tree_goes_to_the_branches_that_hold_a_match(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type("ccd=100")
        await screen.press("enter", "slash", "backspace", "enter", "shift+tab", "j", "l", "j", "l", "j", "l", "g", "n")
        assert screen.app.screen.tree_pane.key[-1] == ("visit", 903334)
        await screen.press("n")
        assert screen.app.screen.tree_pane.key[-1] == ("dateObs", "2013-11-02")


async def test_the_tree_of_directories_narrows_with_the_filter_and_n_finds_what_it_holds(
    opened: Any, repository: Path
) -> None:
    butler = Butler(repository)
    paths = [butler.path_for("raw", {"visit": visit, "ccd": 16}) for visit in (903334, 903986)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (paths[0].parent / "stray.fits").touch()
    async with opened(repository) as screen:
        await screen.press("T", "shift+tab")
        await screen.shows("> STRIPE82L/")
        tree = screen.app.screen.tree_pane
        for path in (repository / "STRIPE82L", repository / "STRIPE82L" / "2013-06-17"):
            tree.move_to(tree.keys.index(("disk", path)))
            await screen.press("l")
            await screen.settle(lambda path=path: any(key[1].parent == path for key in tree.keys))
        nights = [("disk", repository / "STRIPE82L" / night) for night in ("2013-06-17", "2013-11-02")]
        assert set(nights) <= set(tree.keys)
        await screen.enter("visit=903986", at="slash")
        assert nights[0] not in tree.keys  # its files are of other visits
        assert nights[1] in tree.keys
        await screen.press("slash", "backspace", "enter", "shift+tab", "g", "n")
        assert tree.key == nights[1]


async def test_the_palette_lists_what_the_pane_in_focus_does_and_what_holds_there(
    opened: Any, repository: Path
) -> None:
    async with opened(repository) as screen:
        await screen.press("ctrl+p")
        await screen.settle(lambda: "Facets" in screen.picture)
        assert screen.app.focus_name == "browse table"
        assert {"rows", "data_ids"} <= set(screen.app.holding())  # of the screen below
        await screen.press("ctrl+g")


async def test_x_plans_the_selection_and_asks_with_the_command(opened: Any, repository: Path) -> None:
    butler = Butler(repository)
    for visit in (903986, 903988):
        path = butler.path_for("raw", {"visit": visit, "ccd": 16})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type("visit=903986 ccd=16")
        await screen.press("enter", "x")
        await screen.shows("Nothing in this plan can run.")  # without calibrations; that is said, and nothing is asked
        assert len(screen.app.screen_stack) == 1
        plan = screen.app.screen
        plan.plan(replace(plan.request, rerun="bare", config=BARE))
        await screen.shows("RUN 1")
        await screen.press("1", "slash")
        await screen.type("filter=HSC-I ccd=16")
        await screen.press("enter", "x")  # another selection than the one that was planned
        await screen.settle(lambda: isinstance(screen.app.screen, ConfirmRun))
        await screen.shows("processCcd.py", "--rerun bare", "filter=HSC-I ccd=16")
        await screen.press("ctrl+g")
        assert screen.app.current_mode == "plan"


async def test_d_compares_from_browse_and_from_plan(
    opened: Any, repository: Path, add_rerun: Callable[..., Path]
) -> None:
    async with opened(repository) as screen:
        await screen.press("d")
        await screen.shows("Compare: there is no second rerun to compare with")
    add_rerun(repository, "second")
    async with opened(repository) as screen:
        for start in ("1", "2"):
            await screen.press(start)
            await screen.press("d")
            await screen.settle(lambda: screen.app.current_mode == "triage" and len(screen.app.screen_stack) == 2)
            await screen.shows("second")
            await screen.press("q")


async def test_another_repository_begins_without_the_marks_and_the_tree_of_the_one_before(
    opened: Any, repository: Path
) -> None:
    other = repository.parent / "OTHER"
    shutil.copytree(repository, other)
    add_frames(other, [Frame(904020, 3, "HSC-Z", "2013-11-03")])
    async with opened(repository) as screen:
        await screen.press("g", "space", "T")
        await screen.shows("v DATA/", "*")
        assert screen.app.session.marked
        await screen.enter(f"open {other}", at="colon")
        await screen.shows("OTHER", "21 of 21", "> STRIPE82L", ">904020")
        assert not screen.app.session.marked
        assert not screen.app.screen.table.marks


async def test_the_directories_show_files_that_appear(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("T")
        await screen.shows("v DATA/", "registry.sqlite3")
        (repository / "stray.fits").write_bytes(b"x")
        screen.app.feed.nudge()
        await screen.shows("? stray.fits")
