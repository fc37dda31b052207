"""The application: modes, the open repository, and what every screen has in common."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual.app import App
from textual.driver import Driver
from textual.events import Event, Key, Paste
from textual.screen import Screen

from safelight.errors import SafelightError
from safelight.settings import Settings
from safelight_tui.actions import ACTIONS, Action, Registry
from safelight_tui.commands import command_words, do_command
from safelight_tui.controller import Controller
from safelight_tui.everywhere import EverywhereActions
from safelight_tui.feed import CatalogueChanged, Feed, FeedChanged
from safelight_tui.jobs import JobEnded, Jobs
from safelight_tui.night import NightWatch
from safelight_tui.runs.workers import Workers
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.session.session import Session
from safelight_tui.state import Remembered, load_state, save_state, state_path
from safelight_tui.terminal.typed import OrderedKeys
from safelight_tui.themes import choose_theme
from safelight_tui.widgets.header_line import HeaderLine
from safelight_tui.widgets.line_table import LineTable

if TYPE_CHECKING:
    from safelight.butler.butler import Butler

__all__ = ["MODES", "SCREENS", "SafelightApp"]

MODES = ("browse", "plan", "run", "logs", "image", "triage")

SCREENS: Mapping[str, str] = {
    "browse": "safelight_tui.screens.browse:BrowseScreen",
    "plan": "safelight_tui.screens.plan:PlanScreen",
    "run": "safelight_tui.screens.run:RunScreen",
    "logs": "safelight_tui.screens.logs:LogsScreen",
    "image": "safelight_tui.screens.image:ImageScreen",
    "triage": "safelight_tui.screens.triage:TriageScreen",
    "start": "safelight_tui.screens.start:StartScreen",
}
"""Module and class of each screen; imported when first shown."""


def _screen(mode: str) -> Screen[Any]:
    """Import and make the screen of a mode."""
    module, _, name = SCREENS[mode].partition(":")
    screen: Screen[Any] = getattr(importlib.import_module(module), name)()
    return screen


class SafelightApp(EverywhereActions, inherit_bindings=False):
    """The terminal application.

    Parameters
    ----------
    root : Path, optional
        The repository to open; without one the start screen offers the recent ones.
    read_only : bool
        Start no runs and write no marks.
    actions : Registry
        With the user's keys.
    state_file : Path, optional
        Where what is remembered is kept.
    remember : bool
        False: nothing is remembered from one start to the next.
    settings : Settings, optional
        The user's; the defaults, kept nowhere, without.
    driver_class : type of Driver, optional
        How to talk to the terminal.
    """

    TITLE = "safelight"
    ENABLE_COMMAND_PALETTE = False  # Textual's own; ours is made from the action table
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        mode: partial(_screen, mode) for mode in (*MODES, "start")
    }
    CSS = """
    ModeScreen { background: $surface; color: $foreground; }
    Toast { max-width: 76; }
    """
    BINDINGS = ACTIONS.bindings("everywhere")

    def __init__(
        self,
        root: Path | None = None,
        *,
        read_only: bool = False,
        actions: Registry = ACTIONS,
        state_file: Path | None = None,
        remember: bool = True,
        settings: Settings | None = None,
        driver_class: type[Driver] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(driver_class=driver_class)
        self.actions = actions
        self.read_only = read_only
        self.clock = clock
        self.jobs = Jobs(self.post_message)
        self.controller = Controller(self)
        self.run_workers = Workers()
        self.session: Session | None = None
        self.feed: Feed | None = None
        self.root = root
        self.state_file = (state_file or state_path()) if remember else None
        self.remembered: Remembered = load_state(self.state_file) if self.state_file is not None else Remembered()
        self.opening: Path | None = None
        self.night = NightWatch(self, settings or Settings())
        self._modes_before: list[str] = []
        self._typed = OrderedKeys(self, self._hand_on)
        self.typed_at = 0.0
        self.ending = False
        """Whether the program is on its way out: screens that are being made then never get their panes."""
        self.theme = choose_theme(self._theme_wanted, os.environ)

    # --- beginning and end ------------------------------------------------------------------------------------------

    def on_load(self) -> None:
        """Before there is any widget."""
        self._typed.watch()

    def on_mount(self) -> None:
        """Show a first screen, then open the repository."""
        from safelight_tui.actions.keymap import textual_keymap

        if self.actions is not ACTIONS:
            self.set_keymap(textual_keymap(self.actions))
        if self.root is None:
            self.switch_mode("start")
        else:
            self.switch_mode("browse")
            self.open(self.root)
        self.set_interval(30.0, self.save_state)  # a killed application is remembered too

    def open(self, root: Path) -> None:
        """Open a repository, leaving the one that is open."""
        self.opening = root
        self._typed.hold()
        self.controller.open_repository(root)

    def repository_opened(self, result: tuple[Path, Butler]) -> None:
        """A repository is open: follow it and show it."""
        root, butler = result
        self._leave()
        self.opening = None
        session = Session(root, read_only=self.read_only)
        session.butler = butler
        state = self.remembered.of(root)
        mode = state.mode  # before the state of now is noted
        self.remembered.opened(root)
        session.choose_rerun(state.rerun)
        session.want_filter(state.filter)
        self.session = session
        self.night.opened(root)
        self.feed = Feed(butler, self.post_message)
        self.feed.start()
        self.save_state()
        if self.current_mode != "browse":
            self.switch_mode("browse")
        self.tell("session", "catalogue", "feed", "selection", "cursor", "marks")
        if mode in MODES and mode != "browse":
            self.go(mode)

    def repository_refused(self, error: SafelightError) -> None:
        """A repository cannot be opened: say why, and offer others when none is open."""
        self.opening = None
        self._typed.release()
        self.show_error(error)
        if self.session is None:
            self.switch_mode("start")

    def _leave(self) -> None:
        self.night.left()
        if self.feed is not None:
            self.feed.stop()
        if self.session is not None:
            self.note_state()
        self.session = self.feed = None

    def on_unmount(self) -> None:
        """End the feed; runs go on."""
        self._leave()

    def note_state(self) -> None:
        """Note how the repository is being left."""
        session = self.session
        if session is None:
            return
        state = self.remembered.of(session.root)
        state.filter = session.filter_text
        state.rerun = session.chosen_rerun
        state.mode = self.current_mode if self.current_mode in MODES else "browse"
        if session.cursor_row is not None and session.cursor_row < session.catalogue.size:
            row = session.cursor_row
            state.cursor = {key: session.catalogue.value(row, key) for key in session.catalogue.identity}

    def save_state(self) -> None:
        """Write what is remembered, in a thread."""
        self.note_state()
        path = self.state_file
        if path is not None:
            self.jobs.start(lambda job: save_state(path, self.remembered), group="state")

    async def _hand_on(self, event: Event) -> None:
        self.typed_at = event.time
        await super().on_event(event)

    async def on_event(self, event: Event) -> None:
        """Keys go one after another; everything else as usual."""
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            await self._typed.take(event)
        else:
            await super().on_event(event)

    # --- messages from threads --------------------------------------------------------------------------------------

    def on_job_ended(self, event: JobEnded) -> None:
        """Hand a job's result on; while the program ends there is nothing left to show it in."""
        if not self.is_running:
            event.job.cancelled.set()
        self.jobs.settle(event.job)

    def on_catalogue_changed(self, event: CatalogueChanged) -> None:
        """More raw frames are known."""
        if self.session is not None and event.feed is self.feed:
            self.session.set_catalogue(event.catalogue)
            self.tell("catalogue", "selection")
            self.night.follow()

    def on_feed_changed(self, event: FeedChanged) -> None:
        """Reruns or runs have changed."""
        if self.session is None or event.feed is not self.feed:
            return
        before, now = self.session.feed.trouble, event.snapshot.trouble
        selection = self.session.set_feed(event.snapshot)
        if now != before:
            self.say(now or "The repository can be read again.", severity="error" if now else "information")
        self.tell("feed", *(("selection",) if selection else ()))
        self._typed.release()  # frames and reruns are known
        self.night.take(event.snapshot)

    def tell(self, *what: str) -> None:
        """Tell the screen in view what has changed."""
        screen = self.mode_screen
        if screen is not None:
            screen.changed(frozenset(what))

    @property
    def busy(self) -> bool:
        """Whether something is still being read; tests wait until not."""
        if self.jobs.busy or self.opening is not None or self._typed.busy:
            return True
        return self.feed is not None and (self.feed.rounds == 0 or not self.session_complete)

    @property
    def session_complete(self) -> bool:
        """Whether the whole registry is in memory."""
        return self.session is not None and self.session.catalogue.complete

    # --- modes ------------------------------------------------------------------------------------------------------

    def go(self, mode: str, *, intend: str = "") -> None:
        """Show a mode; there, do an action as soon as what it is about has been read."""
        if mode == self.current_mode:
            return
        if self.session is None and mode != "start":
            self.notify("Open a repository first.", severity="warning")
            return
        if self.current_mode in MODES:
            self._modes_before = [*(m for m in self._modes_before if m != mode), self.current_mode]
        self.switch_mode(mode)
        if intend and isinstance(self.screen, ModeScreen):
            self.screen.intend(intend)

    def on_header_line_mode_wanted(self, event: HeaderLine.ModeWanted) -> None:
        """A mode was clicked."""
        self.go(event.mode)

    async def action_back(self) -> None:
        """Go back; in Browse (or where nothing is open), quit."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.current_mode in ("browse", "start") and (self.session is None or self.current_mode == "browse"):
            self.leave()
        else:
            self.switch_mode(self._modes_before.pop() if self._modes_before else "browse")

    def exit(self, *arguments: Any, **rest: Any) -> None:
        """End, whatever is being shown."""
        self.ending = True
        super().exit(*arguments, **rest)

    def leave(self) -> None:
        """Quit; first ask where a run works in this very program and would end with it."""
        if not self.run_workers.in_program:
            self.exit()
            return
        from safelight_tui.widgets.run_quit import QuitDialog

        self.push_screen(QuitDialog(self.run_workers), lambda over: self.exit() if over else None)

    async def action_close(self) -> None:
        """Go back, but never out."""
        if len(self.screen_stack) > 1 or self._modes_before:
            await self.action_back()

    # --- actions ----------------------------------------------------------------------------------------------------

    def holding(self) -> Collection[str]:
        """Names of the conditions that hold now."""
        holds: set[str] = set()
        session = self.session
        if not self.read_only:
            holds.add("writable")
        if self._driver is not None and self._driver.can_suspend:
            holds.add("suspendable")
        if session is not None:
            rerun = session.rerun
            flags = {
                "data_ids": bool(session.filter.view),
                "rerun": rerun is not None,
                "two_reruns": len(session.feed.reruns) > 1,
                "run_live": bool(session.feed.live_runs),
                "run_failed": rerun is not None and any(s.status.letter == "F" for s in rerun.states.values()),
            }
            holds.update(name for name, on in flags.items() if on)
        screen = self.mode_screen
        # A table of a dialog has rows, too; under the palette it is the screen below that counts.
        focused = (self.screen.focused, screen.focused if screen is not None else None)
        if any(isinstance(table, LineTable) and len(table.model) for table in focused):
            holds.add("rows")
        if screen is not None:
            holds.update(screen.holding())
        return holds

    async def run_action(
        self, action: Any, default_namespace: Any = None, namespaces: Mapping[str, Any] | None = None
    ) -> bool:
        """Do an action, or say why it is not available."""
        name = action if isinstance(action, str) else action[1]
        if name in self.actions:
            why_not = self.actions.why_not(name, self.holding())
            if why_not is not None:
                self.notify(f"{why_not}.", severity="warning", markup=False)
                return True
            self._note_movement(self.actions[name])
        return await super().run_action(action, default_namespace, namespaces)

    def _note_movement(self, action: Action) -> None:
        screen = self.screen
        if isinstance(screen, ModeScreen) and screen.is_movement(action):
            self.night.pause_following()

    async def perform(self, name: str) -> None:
        """Do an action of the table where the focus is; say why not when it is not available."""
        node: Any = self.screen.focused or self.screen
        while node is not None:
            if hasattr(node, f"action_{name}"):
                await self.run_action(name, node)
                return
            node = node.parent if not isinstance(node, App) else None
        self.say(f"{self.actions[name].title} works in {self.actions.where(name)}, not here.", severity="warning")

    def command_words(self) -> list[str]:
        """What the ``:`` line completes."""
        return command_words(self)

    async def command(self, text: str) -> None:
        """Do what was entered after the colon."""
        await do_command(self, text)

    @property
    def _theme_wanted(self) -> str:
        """The theme chosen in the application, else that of the settings."""
        chosen = self.remembered.theme
        return self.night.settings.theme if chosen == "auto" else chosen

    def choose_theme(self, name: str) -> None:
        """Change the colours, and remember it."""
        self.theme = name
        self.remembered.theme = name
        self.save_state()

    def show_error(self, error: SafelightError) -> None:
        """Show an error as its sentence and hint."""
        text = error.message + (f"\n{error.hint}" if error.hint else "")
        self.notify(text, title=error.code, severity="error", timeout=12, markup=False)

    def write_control(self, sequence: str) -> None:
        """Write a control sequence to the terminal."""
        if self._driver is not None:
            self._driver.write(sequence)

    def say(self, text: str, *, severity: Literal["information", "warning", "error"] = "information") -> None:
        """Show a sentence for a moment; it is never markup."""
        self.notify(text, severity=severity, markup=False)
