"""A tree whose branches are asked for when they are opened: one line-API widget, whatever the size."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from safelight_tui.actions import ACTIONS
from safelight_tui.terminal.text import fit, width_of
from safelight_tui.widgets.moving import MovingByLines
from safelight_tui.widgets.styling import ComponentStyles

__all__ = ["TreeItem", "TreeModel", "TreeView"]


@dataclass(frozen=True, slots=True)
class TreeItem:
    """A line of a tree. `key` names it for good: an open branch stays open when the tree is another. `note` stands
    before the count where there is room for all of it."""

    key: Hashable
    label: str
    count: str = ""
    tone: str = ""
    branch: bool = False
    note: str = ""


class TreeModel(Protocol):
    """Where a tree's lines come from. It is called in the event loop and must answer out of memory."""

    def roots(self) -> Sequence[TreeItem]:
        """The topmost lines."""

    def children(self, key: Hashable) -> Sequence[TreeItem]:
        """The lines below a branch."""


class _Line(NamedTuple):
    item: TreeItem
    depth: int


class TreeView(MovingByLines, ScrollView, can_focus=True):
    """Lines with ``>`` for a closed branch and ``v`` for an open one."""

    TONES: ClassVar[tuple[str, ...]] = ("title", "good", "bad", "caveat", "dim", "new")

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tree--cursor",
        "tree--count",
        "tree--title",
        "tree--good",
        "tree--bad",
        "tree--caveat",
        "tree--dim",
        "tree--new",
    }

    DEFAULT_CSS = """
    TreeView {
        background: $surface;
        color: $foreground;
        scrollbar-size: 1 1;
        overflow-x: hidden;
        & .tree--cursor { background: $block-cursor-blurred-background; }
        &:focus .tree--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & .tree--count { color: $text-muted; }
        & .tree--title { text-style: bold; }
        & .tree--good { color: $text-success; }
        & .tree--bad { color: $text-error; text-style: bold; }
        & .tree--caveat { color: $text-warning; }
        & .tree--dim { color: $text-muted; }
        & .tree--new { color: $text-accent; }
    }
    """

    BINDINGS = ACTIONS.bindings("moving")

    cursor: reactive[int] = reactive(0, repaint=False)
    """Place of the line under the cursor."""

    class CursorMoved(Message):
        """The cursor is on another line."""

        def __init__(self, tree: TreeView, key: Hashable) -> None:
            super().__init__()
            self.tree, self.key = tree, key

        @property
        def control(self) -> TreeView:
            """The tree."""
            return self.tree

    class ItemOpened(CursorMoved):
        """Enter was pressed on a line."""

    class BranchOpened(CursorMoved):
        """A branch was opened: the owner may have to read what is below it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._model: TreeModel | None = None
        self._lines: list[_Line] = []
        self.opened: set[Hashable] = set()
        self._style = ComponentStyles(self, "tree")

    @property
    def key(self) -> Hashable | None:
        """The line under the cursor; None in an empty tree."""
        return self._lines[self.cursor].item.key if self.cursor < len(self._lines) else None

    @property
    def keys(self) -> list[Hashable]:
        """All lines in view, open branches with what is below them."""
        return [line.item.key for line in self._lines]

    def show(self, model: TreeModel) -> None:
        """Show another tree; open branches stay open and the cursor stays on its line, where those are still there."""
        key = self.key
        self._model = model
        self._rebuild()
        places = {line.item.key: place for place, line in enumerate(self._lines)}
        before = self.cursor
        self.cursor = places.get(key, min(self.cursor, max(0, len(self._lines) - 1))) if key is not None else 0
        if self.cursor == before and key not in (None, self.key):  # another line has come under the cursor
            self.watch_cursor()
        self.refresh()

    def open_branch(self, *keys: Hashable) -> None:
        """Open branches."""
        self.opened.update(keys)
        self._rebuild()
        self.refresh()

    def _rebuild(self) -> None:
        lines: list[_Line] = []
        model = self._model
        if model is not None:
            pending = [_Line(item, 0) for item in reversed(model.roots())]
            while pending:
                line = pending.pop()
                lines.append(line)
                if line.item.branch and line.item.key in self.opened:
                    pending += [_Line(item, line.depth + 1) for item in reversed(model.children(line.item.key))]
        self._lines = lines
        self.virtual_size = Size(0, len(lines))

    # --- drawing ----------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Forget styles when the theme or the focus changes."""
        super().notify_style_update()
        self._style.clear()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        place = y + self.scroll_offset.y
        if place >= len(self._lines):
            return Strip.blank(width, self._style())
        item, depth = self._lines[place]
        layers = ["cursor"] if place == self.cursor else []
        tone = [item.tone] if item.tone in self.TONES else []
        marker = ("v " if item.key in self.opened else "> ") if item.branch else "  "
        count = f" {item.count}" if item.count else ""
        text = " " * depth + marker + item.label
        if item.note and width_of(text) + 1 + width_of(item.note) + width_of(count) <= width:
            count = f" {item.note}{count}"
        label = fit(text, max(width - width_of(count), 4))
        count_style = self._style(*layers) if layers else self._style("count")
        return Strip([Segment(label, self._style(*layers, *tone)), Segment(count, count_style)]).adjust_cell_length(
            width, self._style(*layers)
        )

    # --- moving -----------------------------------------------------------------------------------------------------

    def move_to(self, place: int) -> None:
        """Put the cursor on a line, the nearest one that exists."""
        self.cursor = max(0, min(place, len(self._lines) - 1))

    @property
    def page(self) -> int:
        """Lines in view."""
        return max(1, self.size.height)

    def move_by(self, lines: int) -> None:
        """Move the cursor by so many lines."""
        self.move_to(self.cursor + lines)

    def watch_cursor(self) -> None:
        """Keep the cursor in view and say where it is."""
        if not self.is_mounted or self.key is None:
            return
        top, height = self.scroll_offset.y, self.page
        if not top <= self.cursor < top + height:
            target = self.cursor if self.cursor < top else self.cursor - height + 1
            self.scroll_to(y=target, animate=False, force=True, immediate=True)
        self.refresh()
        self.post_message(self.CursorMoved(self, self.key))

    def action_move_first(self) -> None:
        """To the first line."""
        self.move_to(0)

    def action_move_last(self) -> None:
        """To the last line."""
        self.move_to(len(self._lines) - 1)

    def action_move_right(self) -> None:
        """Open the branch, or go into the open one."""
        if self.cursor >= len(self._lines):
            return
        item = self._lines[self.cursor].item
        if not item.branch:
            return
        if item.key in self.opened:
            self.move_to(self.cursor + 1)
            return
        self.opened.add(item.key)
        self.post_message(self.BranchOpened(self, item.key))
        self._rebuild()
        self.refresh()

    def action_move_left(self) -> None:
        """Close the branch, or go to the one that this line is in."""
        if self.cursor >= len(self._lines):
            return
        item, depth = self._lines[self.cursor]
        if item.branch and item.key in self.opened:
            self.opened.discard(item.key)
            self._rebuild()
            self.refresh()
            return
        above = [place for place in range(self.cursor) if self._lines[place].depth < depth]
        if above:
            self.move_to(above[-1])

    def action_open(self) -> None:
        """Say that the line is to be opened."""
        if self.key is not None:
            self.post_message(self.ItemOpened(self, self.key))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the line clicked; a click on its marker opens or closes it."""
        place = event.y + self.scroll_offset.y
        if place >= len(self._lines):
            return
        self.move_to(place)
        item, depth = self._lines[place]
        if item.branch and event.x in (depth, depth + 1):
            self.action_move_left() if item.key in self.opened else self.action_move_right()
        elif event.chain > 1:
            self.action_open()
