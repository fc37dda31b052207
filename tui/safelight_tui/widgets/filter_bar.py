"""The filter bar: a line of the data-ID language, what it selects, what is wrong with it, what could stand there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.highlighter import Highlighter
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from safelight.errors import DataIdError
from safelight_tui.session.completion import Completion
from safelight_tui.widgets.line_input import LineInput

__all__ = ["FilterBar"]


class _Underline(Highlighter):
    """Underlines the characters that an error is about."""

    def __init__(self) -> None:
        self.span: tuple[int, int] | None = None

    def highlight(self, text: Text) -> None:
        """Underline them; an error at the end of the text underlines its last character."""
        if self.span is not None and len(text):
            start, stop = self.span
            start = min(start, len(text) - 1)
            text.stylize("underline bold", start, max(stop, start + 1))


class FilterBar(Vertical):
    """One row; while it is typed in, a second one below for errors and completions.

    Tab completes (again: the next one), the arrows recall, Enter keeps, Ctrl+G or Escape gives up.
    """

    DEFAULT_CSS = """
    FilterBar { height: auto; max-height: 5; background: $panel; }
    FilterBar Horizontal { height: 1; }
    FilterBar .prompt { width: 2; color: $text-accent; text-style: bold; background: $panel; }
    FilterBar LineInput { width: 1fr; background: $panel; }
    FilterBar LineInput:focus { background: $surface; }
    FilterBar .count { width: auto; padding: 0 1; background: $panel; color: $text-muted; }
    FilterBar .hint { height: auto; max-height: 4; display: none; background: $panel; color: $text-muted;
        padding: 0 0 0 2; }
    FilterBar .hint.-shown { display: block; }
    """

    class Changed(Message):
        """Another text stands in the bar."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Kept(Changed):
        """Enter was pressed on a valid text."""

    class GivenUp(Changed):
        """The text from before is to stand; the bar shows it already."""

    def __init__(self, complete: Callable[[str, int], Completion], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._complete = complete
        self._underline = _Underline()
        self._error: DataIdError | None = None
        self._before = ""
        self._history: Sequence[str] = ()
        self._recalled = 0
        self._cycle: tuple[str, Completion, int] | None = None
        self._count = ""
        self._return_to: Widget | None = None

    def compose(self) -> ComposeResult:
        """Prompt, input, count; below them the hint."""
        with Horizontal():
            yield Static("/", classes="prompt", markup=False)
            yield LineInput(highlighter=self._underline, placeholder="everything", select_on_focus=False)
            yield Static("", classes="count", markup=False)
        yield Static("", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Tab must pass the bar by until it is opened."""
        self.input.can_focus = False

    @property
    def input(self) -> LineInput:
        """The input."""
        return self.query_one(LineInput)

    @property
    def text(self) -> str:
        """What stands in the bar."""
        return self.input.value

    @property
    def hint(self) -> str:
        """What the second row says; empty while it is hidden."""
        hint = self.query_one(".hint", Static)
        return str(hint.content) if hint.has_class("-shown") else ""

    @property
    def is_open(self) -> bool:
        """Whether it is being typed in."""
        return self.input.can_focus

    # --- opening and closing ----------------------------------------------------------------------------------------

    def open(self, history: Sequence[str] = ()) -> None:
        """Take the focus; what stands there is selected, so that typing replaces it."""
        self._before = self.text
        self._history = history
        self._recalled = len(history)
        self._return_to = self.screen.focused
        self.input.can_focus = True
        self.screen.set_focus(self.input)  # at once: the next key may be here already
        self.input.action_select_all()

    def _close(self) -> None:
        self._cycle = None
        if self.input.has_focus and self._return_to is not None:
            self.screen.set_focus(self._return_to)
        self.input.can_focus = False
        self._show_hint("")
        self._show_count()

    def on_descendant_focus(self) -> None:
        """Show what could stand there."""
        self._show_count()
        if self._error is None:
            self._show_hint(self._candidates())

    def on_descendant_blur(self) -> None:
        """A click elsewhere keeps a valid text and gives up an invalid one."""
        if self.input.can_focus:
            if self._error is not None:
                self._restore()
            else:
                self._close()

    def set_text(self, text: str) -> None:
        """Show another text without saying that it changed."""
        if text != self.text:
            with self.prevent(LineInput.Changed):
                self.input.value = text
            self.show_error(None)

    def _restore(self) -> None:
        self._close()
        self.set_text(self._before)
        self.show_error(None)
        self.post_message(self.GivenUp(self._before))

    # --- what the owner tells ---------------------------------------------------------------------------------------

    def show_count(self, selected: int, total: int, *, narrowed: int | None = None) -> None:
        """Say how many rows the text selects, and how many of them are left in view."""
        self._count = f"{selected} of {total}" if narrowed is None else f"{narrowed} in {selected} of {total}"
        self._show_count()

    def show_error(self, error: DataIdError | None) -> None:
        """Underline what is wrong and say it; None: nothing is wrong."""
        self._error = error
        self._underline.span = (error.span or (0, len(self.text))) if error is not None else None
        self.input.refresh()
        if error is not None:
            self._show_hint(self._candidates() if self.is_open else "", f"{error.message} {error.hint}".strip())
        self._show_count()

    def show_note(self, sentence: str) -> None:
        """Say what could stand at the cursor, and why a valid text selects nothing."""
        candidates = self._candidates() if self.is_open else ""
        self._show_hint("\n".join(filter(None, (candidates, sentence))))

    def _show_count(self) -> None:
        if self._error is not None:
            text = "invalid"
        else:
            text = self._count + ("  Enter keep" if self.is_open else "")
        self.query_one(".count", Static).update(text)

    def _show_hint(self, text: str, wrong: str = "") -> None:
        """Say what could stand there, or why nothing is selected; below it, what is wrong."""
        hint = self.query_one(".hint", Static)
        hint.set_class(bool(text or wrong), "-shown")
        lines = [Content(text), Content.styled(wrong, "$text-error")]
        hint.update(Content("\n").join(line for line in lines if line))

    def _candidates(self) -> str:
        completion = self._complete(self.text, self.input.cursor_position)
        chosen = None
        if self._cycle is not None and self._cycle[0] == self.text:
            completion, chosen = self._cycle[1], self._cycle[2]
        words, room = [], max(20, self.size.width - 12)
        first = max(0, (chosen or 0) - 3)
        for index, (text, count) in enumerate(completion.candidates[first:], start=first):
            word = text if count is None else f"{text} {count}"
            word = f"[{word}]" if index == chosen else word
            if room < len(word) + 2:
                words.append("…")
                break
            room -= len(word) + 2
            words.append(word)
        return "Tab: " + "  ".join(words) if words else ""

    # --- keys -------------------------------------------------------------------------------------------------------

    def on_input_changed(self, event: LineInput.Changed) -> None:
        """Tell the owner, who evaluates it."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: LineInput.Submitted) -> None:
        """Keep a valid text; an invalid one stays in the bar with its sentence."""
        event.stop()
        if self._error is None:
            self._close()
            self.post_message(self.Kept(event.value))

    def on_key(self, event: events.Key) -> None:
        """Complete, recall, give up."""
        if not self.is_open:
            return
        if event.key in ("tab", "shift+tab"):
            self._next_candidate(1 if event.key == "tab" else -1)
        elif event.key in ("up", "down"):
            self._recall(-1 if event.key == "up" else 1)
        elif event.key in ("escape", "ctrl+g"):
            self._restore()
        else:
            return
        event.stop()
        event.prevent_default()

    def _next_candidate(self, step: int) -> None:
        if self._cycle is not None and self._cycle[0] == self.text:
            _, completion, index = self._cycle
            index = (index + step) % len(completion.candidates)
            text = self.text
            stop = self.input.cursor_position
        else:
            text, stop = self.text, self.input.cursor_position
            completion = self._complete(text, stop)
            if not completion.candidates:
                return
            index = 0
        candidate = completion.candidates[index][0]
        value = text[: completion.start] + candidate + text[stop:]
        if len(completion.candidates) > 1:
            self._cycle = (value, completion, index)
        self.input.value = value
        self.input.cursor_position = completion.start + len(candidate)
        if value == text:
            self._show_hint(self._candidates())

    def _recall(self, step: int) -> None:
        self._recalled = max(0, min(len(self._history), self._recalled + step))
        text = self._history[self._recalled] if self._recalled < len(self._history) else self._before
        self.input.value = text
        self.input.cursor_position = len(text)
