"""Actions that work on every screen: going to one, the palette, help, what hands the terminal to another program."""

from __future__ import annotations

import contextlib
import os
from abc import abstractmethod
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

from textual.app import App

from safelight_tui.screens.mode import ModeScreen
from safelight_tui.themes import ThemedApp

if TYPE_CHECKING:
    from safelight_tui.night import NightWatch
    from safelight_tui.session.session import Session

__all__ = ["EverywhereActions"]


class EverywhereActions(ThemedApp[None], inherit_bindings=False):
    """The part of the application that does them; `safelight_tui.app.SafelightApp` has the rest."""

    session: Session | None
    night: NightWatch

    @abstractmethod
    def go(self, mode: str, *, intend: str = "") -> None:
        """Show a mode."""

    @abstractmethod
    def say(self, text: str, *, severity: Literal["information", "warning", "error"] = "information") -> None:
        """Show a sentence for a moment."""

    @abstractmethod
    def holding(self) -> Collection[str]:
        """Names of the conditions that hold now."""

    @property
    def mode_screen(self) -> ModeScreen | None:
        """The screen in view, below dialogs and the palette."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, ModeScreen)), None)

    @property
    def focus_name(self) -> str:
        """The pane in focus, as the table of actions calls it; empty where there is none."""
        screen = self.mode_screen
        return screen.focus_name if screen is not None else ""

    # --- screens ----------------------------------------------------------------------------------------------------

    def action_show_browse(self) -> None:
        """Go to Browse."""
        self.go("browse")

    def action_show_plan(self) -> None:
        """Go to Plan."""
        self.go("plan")

    def action_show_run(self) -> None:
        """Go to Run."""
        self.go("run")

    def action_show_logs(self) -> None:
        """Go to Logs."""
        self.go("logs")

    def action_show_image(self) -> None:
        """Go to Image."""
        self.go("image")

    def action_show_triage(self) -> None:
        """Go to Triage."""
        self.go("triage")

    # --- what stands over a screen, and other programs --------------------------------------------------------------

    def action_palette(self) -> None:
        """Open the palette."""
        from textual.command import CommandPalette

        from safelight_tui.actions.palette import ActionPalette

        if not CommandPalette.is_open(cast(App[object], self)):
            self.push_screen(ActionPalette())

    def action_help(self) -> None:
        """Show the keys and the purpose of the pane in focus."""
        from safelight_tui.screens.help import HelpScreen

        screen = self.screen
        if isinstance(screen, ModeScreen):
            self.push_screen(HelpScreen(screen.MODE, screen.PURPOSE, screen.focus_name, self.holding()))

    def action_redraw(self) -> None:
        """Paint the whole screen again."""
        repaint = getattr(self._driver, "repaint", None)
        if repaint is not None:
            repaint()
        self.screen.refresh(layout=True)

    @contextlib.contextmanager
    def suspend(self, *, keep_screen: bool = False) -> Iterator[None]:
        """Hand the terminal over; it is taken back and painted anew also when the body raises.

        Parameters
        ----------
        keep_screen : bool
            The body draws on the alternate screen, and leaves it to the application.
        """
        from safelight_tui.terminal.driver import DeltaDriver
        from safelight_tui.terminal.handover import taking_back

        driver = self._driver if isinstance(self._driver, DeltaDriver) else None
        if driver is not None:
            driver.keep_screen = keep_screen
        try:
            with taking_back(super().suspend()):
                yield
        finally:
            if driver is not None:
                driver.keep_screen = False
            self.action_redraw()

    def action_messages(self) -> None:
        """Show what has rung."""
        from safelight_tui.widgets.notices_dialog import NoticesDialog

        self.push_screen(NoticesDialog(list(self.night.notices)))

    def action_page_log(self) -> None:
        """Hand the terminal to $PAGER on a log."""
        from safelight_tui.screens.paging import page_log

        page_log(cast(Any, self))

    def action_suspend_to_shell(self) -> None:
        """Hand the terminal to a shell in the repository."""
        from safelight_tui.terminal.handover import run_program

        directory = self.session.root if self.session is not None else None
        trouble = run_program(self, [os.environ.get("SHELL") or "/bin/sh"], directory)
        if trouble:
            self.say(trouble, severity="error")

    def action_next_pane(self) -> None:
        """Focus the next pane."""
        cast(Any, self.screen).focus_next()

    def action_previous_pane(self) -> None:
        """Focus the previous pane."""
        cast(Any, self.screen).focus_previous()

    def action_give_up(self) -> None:
        """Leave a dialog."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def action_command_line(self) -> None:
        """The ``:`` line is the mode screens' own."""
