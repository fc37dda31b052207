"""``safelight [REPOSITORY]``: start the application on this terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_USAGE = """\
usage: safelight tui [REPOSITORY] [--read-only] [--safe]

Browse a repository, plan and follow runs, judge their results. Without a repository the recent ones are offered.

  --read-only   start no runs and write no marks
  --safe        ignore key map, settings and what was remembered
  --keys        write a documented key map, all commented out, and say where

example:
  safelight DATA

`safelight settings --create` writes the settings (alarms, bell, theme …), documented and commented out.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the application; returns the exit code.

    Raises
    ------
    UsageError
        Not a terminal, or one too simple; a wrong option.
    ConfigurationError
        The key map or the settings cannot be used.
    """
    options = {word for word in arguments if word.startswith("-")}
    places = [word for word in arguments if not word.startswith("-")]
    if options & {"-h", "--help"}:
        print(_USAGE, end="")
        return 0
    _check(options, places)
    if "--keys" in options:
        return _write_keys()
    from safelight_tui.terminal.requirements import require_terminal

    require_terminal(os.environ)
    root = Path(os.path.abspath(places[0])) if places else None  # noqa: PTH100 - links stay links
    return _run(root, read_only="--read-only" in options, safe="--safe" in options)


def _check(options: set[str], places: list[str]) -> None:
    from safelight.errors import UsageError

    unknown = options - {"--read-only", "--safe", "--keys"}
    if unknown or len(places) > 1:
        wrong = sorted(unknown)[0] if unknown else places[1]
        raise UsageError("BAD_OPTION", f"{wrong!r} is not understood.", "safelight tui --help")


def _write_keys() -> int:
    from safelight_tui.actions import ACTIONS
    from safelight_tui.actions.keymap import keymap_path, write_default_keymap

    path = keymap_path()
    try:
        write_default_keymap(path, ACTIONS)
        print(f"wrote {path}")
    except FileExistsError:
        print(f"{path} is there already; it is yours, and was not changed")
    return 0


def _run(root: Path | None, *, read_only: bool, safe: bool) -> int:
    from safelight.processccd.runtime import limit_threads

    limit_threads()
    from safelight.settings import Settings, read_settings, settings_path
    from safelight_tui.actions import ACTIONS
    from safelight_tui.actions.keymap import keymap_path, read_keymap
    from safelight_tui.app import SafelightApp
    from safelight_tui.state import save_state
    from safelight_tui.terminal.driver import DeltaDriver

    # Threads that code rows or parse journals give way to keys after a millisecond, not five.
    sys.setswitchinterval(0.001)
    actions = ACTIONS if safe else read_keymap(keymap_path(), ACTIONS)
    app = SafelightApp(
        root,
        read_only=read_only,
        actions=actions,
        remember=not safe,
        settings=Settings() if safe else read_settings(settings_path()),
        driver_class=DeltaDriver,
    )
    app.run()
    app.run_workers.end(within=DeltaDriver.GRACE_SECONDS)  # told to end by a signal, it has asked nobody
    if app.state_file is not None:
        save_state(app.state_file, app.remembered)
    return app.return_code or 0


if __name__ == "__main__":
    from safelight.commands.shell import guarded

    sys.exit(guarded("safelight", lambda: main(sys.argv[1:])))
