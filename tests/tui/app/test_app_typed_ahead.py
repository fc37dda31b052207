"""Keys that arrive in one piece act as if they had been typed slowly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key

from safelight_tui.app import SafelightApp

NAMED = {"\r": "enter", "\x07": "ctrl+g", "\x10": "ctrl+p", "\t": "tab", "\x7f": "backspace", "\n": "ctrl+j"}


def keys_of(text: str) -> list[events.Key]:
    return [events.Key(NAMED.get(c, _character_to_key(c)), c) for c in text]


async def send(screen: Any, text: str) -> None:
    """Everything into the queue at once, as a read of many bytes gives it."""
    for key in keys_of(text):
        screen.app.post_message(key)
    await screen.settle()


def state_of(app: SafelightApp) -> dict[str, Any]:
    session = app.session
    assert session is not None
    row = session.cursor_row
    return {
        "mode": app.current_mode,
        "dialogs": [type(screen).__name__ for screen in app.screen_stack[1:]],
        "focus": app.focused.id if app.focused is not None else None,
        "filter": session.filter.text,
        "cursor": None if row is None else session.catalogue.name(row),
        "marked": session.marked.rows().tolist(),
        "theme": app.theme,
    }


SEQUENCES: Sequence[tuple[str, dict[str, Any]]] = (
    ("/filter=HSC-I ccd=16\rgi", {"mode": "image", "filter": "filter=HSC-I ccd=16", "cursor": "visit=903986 ccd=16"}),
    ("/filter=HSC-I ccd=16\rj yg", {"filter": "filter=HSC-I ccd=16", "cursor": "visit=903986 ccd=16"}),
    (":theme safelight\rgj", {"theme": "safelight", "cursor": "visit=903334 ccd=22"}),
    ("t \x07", {"filter": "filter=HSC-I", "dialogs": []}),
    ("\x10facets\r q/", {"filter": "filter=HSC-I", "dialogs": []}),
    ("/| failed\r\rl", {"filter": "| failed", "cursor": "visit=903986 ccd=100"}),
    ("6q3q1/ccd=16\n", {"mode": "browse", "filter": "ccd=16"}),
)


@pytest.mark.parametrize(("text", "expected"), SEQUENCES, ids=[repr(text) for text, _ in SEQUENCES])
async def test_a_burst_of_keys_does_what_the_keys_do_one_by_one(
    opened: Any, repository: Path, text: str, expected: dict[str, Any]
) -> None:
    async with opened(repository) as screen:
        await send(screen, text)
        reached = state_of(screen.app)
    assert reached.items() >= expected.items()


async def test_keys_typed_before_anything_is_read_wait_for_it(repository: Path, tmp_path: Path) -> None:
    app = SafelightApp(repository, state_file=tmp_path / "state.json")
    async with app.run_test(size=(120, 40)) as pilot:
        for key in keys_of("/filter=HSC-I ccd=16\rgj"):
            app.post_message(key)
        for _ in range(500):
            await pilot.pause()
            if app.session is not None and not app.busy and app.session.cursor_row is not None:
                break
        reached = state_of(app)
    assert reached.items() >= {"filter": "filter=HSC-I ccd=16", "cursor": "visit=903988 ccd=16"}.items()


async def test_a_command_that_quits_is_not_lost_in_a_burst(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        for key in keys_of(":q\r"):
            screen.app.post_message(key)
        for _ in range(200):
            if screen.app._exit:
                break
            await screen.pilot._wait_for_screen()
        assert screen.app._exit
