"""Every action of the registry is done by its key and from the palette, on a repository where it can be done."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from astropy.io import fits
from textual.events import Key

from safelight.butler.butler import Butler
from safelight.butler.datasets import CcdRecord
from safelight.commands.main import main
from safelight.processccd import events
from safelight.processccd.journal import JournalWriter, journal_folder
from safelight_tui.actions import ACTIONS, Action
from safelight_tui.actions.keys import textual_key
from safelight_tui.actions.palette import ActionProvider
from safelight_tui.app import MODES, SafelightApp
from safelight_tui.screens.compare import CompareScreen
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.widgets.log_view import LogView
from safelight_tui.widgets.text_pane import TextPane
from safelight_tui.widgets.tree_view import TreeView

REFUSED = {"suspend_to_shell", "page_log", "full_screen", "blink"}
"""Need a terminal to hand over, or a second image that is there; without it a sentence says so."""

LAST = ("send_samp", "next_kind", "mosaic", "previous_ccd", "next_ccd")
"""Show another image, for which the actions after them would have to wait."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames, two reruns, one of them with a failure and a run that goes on."""
    folder = tmp_path_factory.mktemp("frames")
    for number in (1, 2):
        card = {"DATE-OBS": f"2020-03-01T02:0{number}:00", "EXPTIME": 30.0, "FILTER": "r", "OBJECT": "field",
                "IMAGETYP": "Light", "GAIN": 2.0}  # fmt: skip
        image = np.random.default_rng(number).normal(300.0, 5.0, (60, 80)).astype("u2")
        fits.writeto(folder / f"frame-{number}.fits", image, fits.Header(card))
    root = folder / "DATA"
    names = [str(folder / f"frame-{number}.fits") for number in (1, 2)]
    assert main(["ingest", "images", str(root), *names, "--instrument", "generic"]) == 0
    for rerun in ("first", "second"):
        butler = Butler(root, rerun=rerun)
        good, bad = sorted(butler.query("").rows, key=lambda row: row["visit"])
        output = butler.create_output()
        butler.ledger.record_ccd(CcdRecord(good, "done", metrics={"fwhm_arcsec": 2.0, "zeropoint_mag": 27.0}))
        butler.ledger.record_ccd(CcdRecord(bad, "failed", step="isr", code="NO_FLAT", message="No flat.", hint="-"))
        butler.ledger.close()
    _begin_run(root, output, good)
    return root


def _begin_run(root: Path, output: Path, data_id: dict[str, Any]) -> None:
    run, name = "20260101T000000.000Z-1", f"visit={data_id['visit']} ccd={data_id['ccd']}"
    planned = [{"key": name, "data_id": data_id, "action": "run", "code": "NEW", "reason": "new", "state": "absent"}]
    writer = JournalWriter(journal_folder(output) / f"{run}.jsonl")
    began = events.RunStarted(
        time=time.time(), run=run, command_line=["processCcd.py", "DATA"], repository=str(root), rerun=str(output),
        host=platform.node(), pid=os.getpid(), processes=1, ccds=planned,
    )  # fmt: skip
    writer.write(began)
    writer.close()
    folder = output / "logs" / run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.log").write_text("INFO: begins\nWARN: one\nWARN: two\n")


class Desk:
    """An application that notes what is done in it and what it says."""

    def __init__(self, app: SafelightApp, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = app
        self.done: list[str] = []
        self.said: list[str] = []
        dispatch, notify = app._dispatch_action, app.notify

        async def dispatched(namespace: Any, name: str, params: Any) -> bool:
            self.done.append(name)
            return await dispatch(namespace, name, params)

        def notified(text: str, **rest: Any) -> None:
            self.said.append(text)
            notify(text, **rest)

        monkeypatch.setattr(app, "_dispatch_action", dispatched)
        monkeypatch.setattr(app, "notify", notified)
        monkeypatch.setattr(app, "exit", lambda *rest, **more: None)
        monkeypatch.setattr(app, "choose_theme", lambda name: None)

    async def settle(self, *, jobs: bool = False) -> None:
        """Until no key is on its way (and nothing is being read)."""
        for _ in range(2000):
            await self.app._typed.settle()
            if not self.app._typed.busy and not (jobs and self.app.busy):
                return
            await asyncio.sleep(0.003)
        raise AssertionError("it never came to rest")

    async def key(self, key: str) -> None:
        """A key as the terminal sends it."""
        taken = asyncio.Event()
        self.app.post_message(Key(textual_key(key), key if len(key) == 1 else None))
        self.app.call_later(taken.set)
        await asyncio.wait_for(taken.wait(), 20.0)
        await self.settle()

    async def reach(self, focus: str) -> None:
        """Go where actions of a focus apply, with no dialog and no input open."""
        app = self.app
        wanted = focus.split()[0] if focus != "compare" else "triage"
        while len(app.screen_stack) > 1 and not (focus == "compare" and isinstance(app.screen, CompareScreen)):
            app.pop_screen()
            await self.settle()
        if focus == "compare" and isinstance(app.screen, CompareScreen):
            pass
        elif app.current_mode != wanted:
            app.go(wanted)
            await self.settle(jobs=True)
        if focus == "compare" and not isinstance(app.screen, CompareScreen):
            app.screen.set_focus(cast(ModeScreen, app.screen).first_pane())
            await app.perform("compare")
            await self.settle(jobs=True)
        screen: Any = app.screen
        pane = screen.first_pane()
        if focus == "browse tree":
            pane = screen.query_one(TreeView)
        elif focus == "browse detail":
            pane = screen.query_one("#detail TextPane", TextPane)
        elif focus == "logs":
            pane = screen.query_one(LogView)
        screen.set_focus(pane)
        assert screen.focus_name == focus

    def refusal(self, action: Action) -> str | None:
        """Why the action cannot be done now."""
        return self.app.actions.why_not(action.name, self.app.holding())


@asynccontextmanager
async def desk(root: Path | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    app = SafelightApp(root, state_file=folder / "state.json")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        made = Desk(app, monkeypatch)
        await made.settle(jobs=root is not None)
        if root is not None:
            app.remembered.add_to_history(app.session.root, "visit>0")  # type: ignore[union-attr]
        yield made


def places_of(action: Action) -> list[str]:
    """The foci where an action applies: all of them that can be opened on a repository."""
    return [focus for focus, contexts in ACTIONS.together.items() if action.context in contexts and focus != "start"]


async def _each_action(desk_: Desk, how: Any) -> dict[str, str]:
    """Do every action once in each kind of pane where it applies first; those that were refused, with the sentence."""
    refused: dict[str, str] = {}
    for action in sorted(ACTIONS, key=lambda action: LAST.index(action.name) if action.name in LAST else -1):
        places = places_of(action)
        assert places or action.context == "start"
        for focus in places[:1]:
            await desk_.reach(focus)
            why_not = desk_.refusal(action)
            desk_.done.clear()
            desk_.said.clear()
            try:
                await asyncio.wait_for(how(action), 20.0)
            except TimeoutError:
                pytest.fail(f"{action.name} in {focus} does not come to an end")
            if why_not is not None:
                assert f"{why_not}." in desk_.said, f"{action.name} in {focus} is not refused in a sentence"
                refused[action.name] = why_not
            else:
                assert action.name in desk_.done, f"{action.name} in {focus} is not done: {desk_.said}"
    return refused


async def test_every_action_is_done_by_its_key(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(repository, tmp_path, monkeypatch) as at:

        async def by_key(action: Action) -> None:
            await at.key(action.keys[0])

        refused = await _each_action(at, by_key)
    assert refused.keys() == REFUSED


async def test_every_action_is_done_from_the_palette(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(repository, tmp_path, monkeypatch) as at:
        provider = ActionProvider(at.app.screen)

        async def by_palette(action: Action) -> None:
            commands: list[Any] = [hit.command async for hit in provider.discover()]
            assert sorted(command.args[0] for command in commands) == sorted(other.name for other in ACTIONS)
            await next(command for command in commands if command.args[0] == action.name)()
            await at.settle()

        refused = await _each_action(at, by_palette)
    assert refused.keys() == REFUSED


async def test_the_actions_of_the_start_screen_are_done_by_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(None, tmp_path, monkeypatch) as at:
        for name in ("move_down", "move_up", "type_path", "help", "next_pane", "command_line"):
            at.done.clear()
            await at.key(ACTIONS[name].keys[0])
            assert name in at.done
            await at.key("ctrl+g")
        for mode in MODES:
            await at.key(ACTIONS[f"show_{mode}"].keys[0])
        assert at.said.count("Open a repository first.") == len(MODES)
