"""The question before leaving while a run works in this very program: it would end with it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from safelight_tui.runs.workers import Workers
from safelight_tui.widgets.run_dialog import RunDialog

__all__ = ["QuitDialog"]

_POLL_S = 0.1


class QuitDialog(RunDialog[bool]):
    """Gives True back when the application may end: no run works in it any more, or it was told to end at once."""

    HEADING = "A run works in this program and would end with it"
    KEYS = "w: wait, then quit   c: cancel after this CCD   n: cancel now   ^G: stay"

    DEFAULT_CSS = """
    QuitDialog .facts { height: auto; margin: 1 0; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("w", "wait", "Wait"),
        ("c", "cancel", "Cancel"),
        ("n", "cancel_now", "Cancel now"),
    ]

    def __init__(self, workers: Workers) -> None:
        super().__init__()
        self._workers = workers
        self._leaving = ""

    def compose_dialog(self) -> ComposeResult:
        """Which runs, and what is being done about them."""
        yield Static("", classes="facts", markup=False, id="facts")

    def on_mount(self) -> None:
        """Look at the runs until they are over."""
        self._show()
        self.set_interval(_POLL_S, self._look)

    def _show(self) -> None:
        names = ", ".join(worker.request.rerun for worker in self._workers.in_program)
        lines = [f"rerun {names}"] if names else []
        lines.append(self._leaving or "Detached runs go on by themselves; this one was asked to run in this program.")
        self.query_one("#facts", Static).update("\n".join(lines))

    def _look(self) -> None:
        if self._workers.in_program:
            self._show()
        elif self.is_current:
            self.dismiss(bool(self._leaving))

    def action_wait(self) -> None:
        """Quit when they are over."""
        self._leaving = "Waiting for its end, then quitting. ^G: stay after all."
        self._show()

    def action_cancel(self) -> None:
        """Quit when the CCDs at work are done."""
        self._end(now=False)
        self._leaving = "Cancelling: the CCD at work is finished, then this program ends. n: now"
        self._show()

    def action_cancel_now(self) -> None:
        """Quit as soon as the stage at work is over."""
        self._end(now=True)
        self._leaving = "Ending now, at the next stage of the CCD at work; what is missing can be resumed."
        self._show()

    def _end(self, *, now: bool) -> None:
        for worker in self._workers.in_program:
            worker.cancel(now=now)

    def action_give_up(self) -> None:
        """Stay."""
        self.dismiss(False)
