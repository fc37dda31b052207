"""What can be entered after ``:``: the actions by name, and a few words that take something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safelight_tui.themes import THEMES

if TYPE_CHECKING:
    from safelight_tui.app import SafelightApp

__all__ = ["command_words", "do_command"]


def command_words(app: SafelightApp) -> list[str]:
    """What the ``:`` line completes."""
    return [
        *(action.name for action in app.actions),
        *(f"theme {name}" for name in THEMES),
        "open ",
        "rerun ",
        "alarm ",
    ]


async def do_command(app: SafelightApp, text: str) -> None:
    """Do what was entered after the colon."""
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    if word == "q":
        app.leave()
    elif word == "theme" and rest in THEMES:
        app.choose_theme(rest)
    elif word == "theme":
        app.say(f"Themes: {', '.join(THEMES)}.", severity="warning")
    elif word == "open" and rest:
        app.open(Path(rest).expanduser())
    elif word == "alarm":
        app.night.alarm_command(rest)
    elif word == "rerun":
        app.controller.choose_rerun(rest or None)
    elif word in app.actions and not rest:
        await app.perform(word)
    else:
        _say_unknown(app, word)


def _say_unknown(app: SafelightApp, word: str) -> None:
    import difflib

    near = difflib.get_close_matches(word, [action.name for action in app.actions], n=1)
    hint = f" Did you mean {near[0]}?" if near else " ^P lists all."
    app.say(f"There is no action {word!r}.{hint}", severity="warning")
