"""What every screen of the application is: a header line, a body of panes, a footer line, a ``:`` line.

How to add a screen
-------------------
* Subclass `ModeScreen` in a module of its own: set `MODE` (a name of the action table) and `PURPOSE` (a sentence for
  the help page), give ``BINDINGS = ACTIONS.bindings(*contexts)`` for the contexts of the table that the screen itself
  handles (its widgets bring their own), yield panes in `compose_body`, and name the module in
  `safelight_tui.app.SCREENS`; it is imported when first shown.
* `session_changed` is called in the event loop whenever something the screen may show has changed, and with every name
  when the screen comes into view (what happens meanwhile is not told): read `self.session` and hand models to widgets.
  Keep no truth.
* An action ``NAME`` of the table is a method ``action_NAME``; `holding` adds the conditions that hold (``"rows"``,
  ``"plan"`` …), everything else about availability is done by the application, which says the reason.
* Anything that touches a disk, SQL or FITS goes to ``self.shell.controller`` or, directly, to
  ``self.shell.jobs.start(work, then, group=...)``: `work` runs in a thread, `then` in the event loop.
* Data IDs are passed between screens by `Session.chosen_rows` and `Session.chosen_id_text`; the row under the cursor is
  `Session.cursor_row`; the rerun is `Session.rerun`. ``self.shell.go("plan")`` shows another screen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from safelight_tui.actions import ACTIONS
from safelight_tui.terminal.requirements import MINIMUM_SIZE
from safelight_tui.widgets.command_line import CommandLine
from safelight_tui.widgets.footer_line import FooterLine
from safelight_tui.widgets.header_line import HeaderLine
from safelight_tui.widgets.line_input import LineInput

if TYPE_CHECKING:
    from safelight_tui.actions import Action
    from safelight_tui.app import SafelightApp
    from safelight_tui.session.session import Session

__all__ = ["EVERYTHING", "ModeScreen"]

_STEPS = frozenset(
    {"next_problem", "previous_problem", "next_match", "previous_match", "next_visit", "previous_visit"}
    | {"next_ccd", "previous_ccd"}
)
_NOT_UP_OR_DOWN = frozenset({"open", "move_left", "move_right"})

EVERYTHING = frozenset({"session", "catalogue", "feed", "selection", "cursor", "marks"})
"""Names of what can change: see `ModeScreen.session_changed`."""


class ModeScreen(Screen[None]):
    """A screen of the application."""

    MODE: ClassVar[str] = ""
    PURPOSE: ClassVar[str] = ""
    FOOTER: ClassVar[tuple[str, ...]] = ()
    """Actions that the footer of this screen shows first, whether or not it shows them elsewhere."""

    DEFAULT_CSS = """
    ModeScreen { layers: default command; }
    ModeScreen > .too-small { display: none; width: 100%; height: 100%; content-align: center middle; }
    ModeScreen.-too-small > * { display: none; }
    ModeScreen.-too-small > .too-small { display: block; }
    """

    BINDINGS = ACTIONS.bindings("everywhere")

    _pane_before: Widget | None = None
    _intended: str = ""

    @property
    def shell(self) -> SafelightApp:
        """The application."""
        return cast("SafelightApp", self.app)

    @property
    def session(self) -> Session | None:
        """The open repository."""
        return self.shell.session

    # --- for subclasses ---------------------------------------------------------------------------------------------

    def compose_body(self) -> ComposeResult:
        """The panes between header and footer."""
        yield from ()

    def panes_made(self) -> None:
        """Called once, when the panes can be found: a screen of a program that is ending never gets any."""

    def session_changed(self, what: frozenset[str]) -> None:
        """Show what the session holds now.

        Parameters
        ----------
        what : set of str
            What may have changed: ``session`` (another repository), ``catalogue``, ``feed`` (reruns, runs, CCDs),
            ``selection`` (filter or order), ``cursor``, ``marks``.
        """

    def holding(self) -> Collection[str]:
        """Conditions of `safelight_tui.actions.registry.CONDITIONS` that hold because of this screen."""
        return ()

    def log_in_view(self) -> Path | None:
        """The log that a pager is to show: of the CCD under the cursor, in the chosen rerun."""
        session = self.session
        rerun = session.rerun if session is not None else None
        row = session.cursor_row if session is not None else None
        if session is None or rerun is None or row is None or row >= session.catalogue.size:
            return None
        from safelight.processccd.logs import ccd_log, log_folder

        state = session.state(row)
        run = state.run if state is not None else ""
        return log_folder(rerun.path, run) / ccd_log(session.catalogue.name(row)) if run else None

    def followed_panes(self) -> Collection[Widget]:
        """Panes whose cursor goes to the newest visit while that is followed: moving in one of them pauses it."""
        return ()

    def is_movement(self, action: Action) -> bool:
        """Whether an action moves the cursor of a pane that follows."""
        return (
            self.focused in self.followed_panes()
            and (action.context == "moving" or action.name in _STEPS)
            and (action.name not in _NOT_UP_OR_DOWN)
        )

    def on_click(self, event: events.Click) -> None:
        """A click into a pane that follows is a movement."""
        if event.widget is not None and event.widget in self.followed_panes():
            self.shell.night.pause_following()

    @property
    def focus_name(self) -> str:
        """The name under which the action table knows the pane in focus."""
        return self.MODE

    def first_pane(self) -> Widget | None:
        """The pane that gets the focus at first, and when an input is left."""
        return next((widget for widget in self.focus_chain if not isinstance(widget, LineInput)), None)

    def intend(self, action: str) -> None:
        """Do an action of this screen as soon as it has read what the action is about: see `do_intended`."""
        self._intended = action

    @property
    def intended(self) -> str:
        """The action that waits; empty without one."""
        return self._intended

    def do_intended(self) -> None:
        """Do what was intended, or say why not; a screen calls it when it has read what its actions are about."""
        action, self._intended = self._intended, ""
        if action and self.is_current:
            self.call_later(self.shell.perform, action)

    def forget_intended(self) -> None:
        """Give up what was intended: it cannot be done, and that has been said; or another screen is shown."""
        self._intended = ""

    # --- the frame --------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Header, body, footer."""
        yield HeaderLine(self.MODE)
        yield from self.compose_body()
        yield FooterLine()
        yield CommandLine(self.shell.command_words())
        width, height = MINIMUM_SIZE
        yield Static(f"This needs {width}x{height} characters.", classes="too-small", markup=False)

    def on_mount(self) -> None:
        """Begin with the panes, where there are any."""
        if not self.shell.ending:
            self.panes_made()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was shown."""
        self.changed(EVERYTHING)

    def on_resize(self, event: events.Resize) -> None:
        """Below the smallest size only say what is needed."""
        width, height = MINIMUM_SIZE
        self.set_class(event.size.width < width or event.size.height < height, "-too-small")

    def on_descendant_focus(self) -> None:
        """Show the keys of the pane in focus."""
        self.refresh_footer()

    def when_drawn(self, work: Callable[[], object]) -> None:
        """Do `work`, which is about the panes, after the next refresh."""

        def do() -> None:
            if self._has_panes:
                work()

        self.call_after_refresh(do)

    @property
    def _has_panes(self) -> bool:
        """Whether there are panes to show something in: not before they are made, nor while the program ends."""
        return self.is_mounted and self.app.is_running and not self.shell.ending

    @property
    def _is_shown(self) -> bool:
        return self._has_panes and self.is_current

    def changed(self, what: frozenset[str]) -> None:
        """Take note of a change: header, body, footer."""
        if not self._is_shown:
            return
        session = self.session
        header = self.query_one(HeaderLine)
        header.show(session.name if session else "", session.feed if session else None, self.shell.night)
        if session is not None:
            self.session_changed(what)
        self.refresh_footer()

    def refresh_footer(self) -> None:
        """Show the actions of the pane in focus."""
        registry = self.shell.actions
        if not self._is_shown or self.focus_name not in registry.together:
            return
        holding = self.shell.holding()
        shown = [a for a in registry.active(self.focus_name) if a.shown or a.name in self.FOOTER]
        shown.sort(key=lambda a: self.FOOTER.index(a.name) if a.name in self.FOOTER else len(self.FOOTER))
        self.query_one(FooterLine).show([(a, registry.why_not(a.name, holding) is None) for a in shown])

    # --- the ':' line -----------------------------------------------------------------------------------------------

    def action_command_line(self) -> None:
        """Open the ``:`` line."""
        self._pane_before = self.focused
        self.query_one(CommandLine).open()

    async def on_command_line_submitted(self, event: CommandLine.Submitted) -> None:
        """Give the focus back, then do what was entered."""
        pane = self._pane_before or self.first_pane()
        self.set_focus(pane)  # at once: what is entered is about this pane
        if event.text:
            await self.shell.command(event.text)

    def action_next_pane(self) -> None:
        """Focus the next pane."""
        self.focus_next()

    def action_previous_pane(self) -> None:
        """Focus the previous pane."""
        self.focus_previous()

    def action_give_up(self) -> None:
        """Leave an input."""
        pane = self.first_pane()
        if pane is not None:
            pane.focus()
