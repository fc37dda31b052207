"""The filter of a log, on every screen that shows one: a regular expression, live; ``!`` inverts it."""

from __future__ import annotations

from textual.widgets import Input

from safelight.errors import UsageError
from safelight_tui.logs import LineFilter
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.widgets.line_input import LineInput
from safelight_tui.widgets.log_view import LogView

__all__ = ["LogFiltering"]


class LogFiltering(ModeScreen):
    """A screen with one `LogView` and a `LineInput` of the class ``log-filter``."""

    DEFAULT_CSS = """
    LogFiltering .log-filter { display: none; }
    LogFiltering .log-filter.-open { display: block; }
    """

    log_trouble = ""
    """What is wrong with the filter that is being typed; empty: nothing."""

    @staticmethod
    def log_filter() -> LineInput:
        """The line to be yielded among the panes."""
        return LineInput("", placeholder="regular expression; ! inverts", classes="log-filter")

    def log_filter_changed(self) -> None:
        """The filter, or what is wrong with it, is another now: say so."""

    @property
    def _filter_line(self) -> LineInput:
        return self.query_one(".log-filter", LineInput)

    def action_filter(self) -> None:
        """Filter the log."""
        line = self._filter_line
        line.add_class("-open")
        line.focus()

    def on_log_view_filter_requested(self, event: LogView.FilterRequested) -> None:
        """Filter the log."""
        self.action_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed; an expression that is not valid (yet) changes nothing."""
        if event.input is not self._filter_line:
            return
        try:
            wanted = LineFilter(event.value) if event.value else None
            self.log_trouble = ""
        except UsageError as error:
            self.log_trouble = error.message
        else:
            self.query_one(LogView).set_filter(wanted)
        self.log_filter_changed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the log."""
        if event.input is self._filter_line:
            event.input.set_class(bool(event.value), "-open")
            self.query_one(LogView).focus()

    def leave_log_filter(self) -> None:
        """Take the filter away."""
        line = self._filter_line
        line.value = ""
        line.remove_class("-open")
