"""--read-only: whatever is tried, no byte and no time of the repository changes, and each refusal is a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from safelight_tui.actions import ACTIONS, Action
from safelight_tui.terminal import clipboard

WRITERS = ("write_file", "night_summary", "save_image")
MODES = ("browse", "plan", "run", "logs", "image", "triage")
LEAVES = {"back", "close", "give_up", "command_line", "palette", "help", "messages"}
"""Tried by other tests; here they would only lead away from the screen."""


def picture_of(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below a directory: mode and time of change of each entry, and the bytes of files."""
    found = {}
    for directory, _, names in os.walk(root):
        for path in (Path(directory), *(Path(directory, name) for name in names)):
            status = path.lstat()
            found[str(path)] = (status.st_mode, status.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


async def try_actions(screen: Any, mode: str, actions: Iterable[Action]) -> None:
    """Each action in one mode, and Enter to what it asks."""
    if mode != screen.app.current_mode:
        screen.app.switch_mode(mode)
        await screen.settle()
    for action in actions:
        await screen.app.perform(action.name)
        await screen.pilot.press("enter")  # accepts what was asked for, if anything was
        while len(screen.app.screen_stack) > 1:
            screen.app.pop_screen()
            await screen.pilot.pause()
        if screen.app.current_mode != mode:
            screen.app.switch_mode(mode)
            await screen.settle()


async def test_no_action_that_writes_anywhere_changes_the_repository(
    opened: Any, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)  # where files are written unless another place is named
    before = picture_of(repository)
    async with opened(repository, read_only=True) as screen:
        for mode in ("plan", "run", "triage", "browse"):
            contexts = set(ACTIONS.together.get(mode, ACTIONS.together.get(f"{mode} table", ())))
            writes = [a for a in ACTIONS if a.context in contexts and ("writable" in a.needs or a.name in WRITERS)]
            await try_actions(screen, mode, writes)
        await screen.settle()
    assert picture_of(repository) == before


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_no_action_of_any_screen_changes_the_repository(
    opened: Any, repository: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setattr(clipboard, "_to_tmux", lambda text, environment: False)
    before = picture_of(repository)
    async with opened(repository, read_only=True) as screen:
        tried = [a for a in ACTIONS if a.name not in LEAVES and not a.name.startswith("show_")]
        await try_actions(screen, mode, tried)
        await screen.settle()
    assert picture_of(repository) == before


async def test_marks_runs_and_files_inside_are_refused_with_a_sentence(
    opened: Any, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    async with opened(repository, read_only=True, at="6") as screen:
        await screen.shows("903986")
        for key, title in (("+", "Good"), ("-", "Bad"), ("=", "Look"), (";", "Comment"), ("u", "Undo"), ("x", "Run")):
            name = {"+": "plus", "-": "minus", "=": "equals_sign", ";": "semicolon"}.get(key, key)
            await screen.press(name)
            await screen.settle(lambda title=title: f"{title}: " in screen.picture)
        assert screen.picture.count("was started with --read-only") >= 5
        screen.app.clear_notifications()
        await screen.press("M", "enter")
        await screen.shows("READ_ONLY", "lies in the repository")
        await screen.press("M", "ctrl+u")
        await screen.type(str(tmp_path / "night.md"))
        await screen.press("enter")
        await screen.settle(lambda: (tmp_path / "night.md").is_file())
    assert not (repository / "rerun" / "first" / ".safelight" / "marks").exists()
