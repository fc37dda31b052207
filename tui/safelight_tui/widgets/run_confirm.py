"""The question before a run: its command, how many processes, how nice, and what could go wrong."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from safelight_tui.runs.figures import duration, gigabytes
from safelight_tui.runs.planning import PlanPicture
from safelight_tui.runs.request import RunRequest
from safelight_tui.widgets.line_input import LineInput
from safelight_tui.widgets.run_dialog import RunDialog

__all__ = ["ConfirmRun"]


class ConfirmRun(RunDialog[RunRequest | None]):
    """Enter gives the request back, with the numbers as they were last typed."""

    HEADING = "Run this?"
    KEYS = "Enter: run   Tab: next field   ^T: detached or in this program   ^G: give up"

    DEFAULT_CSS = """
    ConfirmRun .facts { height: auto; }
    ConfirmRun .command { height: auto; color: $text-accent; margin: 1 0; }
    ConfirmRun Horizontal { height: 1; }
    ConfirmRun LineInput { width: 8; }
    ConfirmRun .warning { height: auto; color: $text-warning; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+t", "place", "Detached or here")]

    def __init__(self, picture: PlanPicture) -> None:
        super().__init__()
        self._picture = picture
        self._asked_at = 0.0
        self._valid = True
        self._warned = False  # that the disk is too small
        self.request = picture.request

    def compose_dialog(self) -> ComposeResult:
        """Facts, command, fields."""
        yield Static("", classes="facts", markup=False, id="facts")
        yield Static("", classes="command", markup=False, id="command")
        with Horizontal():
            yield Static("processes -j ", classes="label")
            yield LineInput(str(self.request.processes), type="integer", id="processes")
            yield Static("   nice ", classes="label")
            yield LineInput(str(self.request.nice), type="integer", id="nice")
        yield Static("", classes="facts", markup=False, id="place")
        logout = self._picture.safety.warning if self._picture.safety else ""
        warnings = [warning for warning in (self._picture.disk_warning, logout) if warning]
        yield Static("\n".join(warnings), classes="warning", markup=False)

    def on_mount(self) -> None:
        """Show it."""
        self._asked_at = time.monotonic()
        self._show()
        self.query_one("#processes", LineInput).focus()

    def _show(self) -> None:
        plan, request = self._picture.plan, self.request
        counts = plan.counts()
        seconds = plan.estimated_seconds
        about = "time unknown" if seconds is None else f"about {duration(seconds / max(1, request.processes))}"
        self.query_one("#facts", Static).update(
            f"{'Rerun' if self._picture.exists else 'New rerun'} {request.rerun}: run {counts['run']}, "
            f"skip {counts['skip']}, blocked {counts['blocked']}; {about}; "
            f"{gigabytes(plan.disk_needed_bytes)} of {gigabytes(plan.disk_free_bytes)} GB free"
        )
        self.query_one("#command", Static).update(f"$ {request.command()}")
        here = "in this program, one CCD after the other; ends with it"
        there = "detached: it goes on when this program or the line ends"
        self.query_one("#place", Static).update(f"where: {here if request.in_process else there}")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Take the numbers."""
        event.stop()
        self._valid = False
        try:
            processes = int(self.query_one("#processes", LineInput).value or "1")
            nice = int(self.query_one("#nice", LineInput).value or "0")
        except ValueError:
            self.say("Whole numbers, please.")
            return
        if not 1 <= processes <= 512 or not 0 <= nice <= 19:
            self.say("Processes: 1 to 512; nice: 0 to 19.")
            return
        self.say("")
        self._valid = True
        self.request = replace(self.request, processes=processes, nice=nice)
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Run. An Enter that was on its way before the question (pasted lines, typing ahead) is no answer to it."""
        event.stop()
        if getattr(self.app, "typed_at", self._asked_at) < self._asked_at:
            self.say("Enter again runs it: the first came before the question.")
            return
        if not self._valid:
            return
        if self._picture.disk_warning and not self._warned:
            self._warned = True
            self.say("It will not fit on the disk. Enter again runs it all the same.")
            return
        self.dismiss(self.request)

    def action_place(self) -> None:
        """Detached, or in this program."""
        self.request = replace(self.request, in_process=not self.request.in_process)
        self._show()
