"""The focal plane: every CCD in its real place with its state and a metric; a list for a camera of few CCDs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from safelight_tui.actions import ACTIONS
from safelight_tui.terminal.text import fit
from safelight_tui.widgets.focal_layout import PlaneCell, neighbour
from safelight_tui.widgets.status import ALARM_SIGN, Status, short_number
from safelight_tui.widgets.styling import ComponentStyles

__all__ = ["CellState", "FocalPlane", "MetricScale"]


@dataclass(frozen=True, slots=True)
class CellState:
    """What is shown of one CCD: its status, the value of the metric chosen (None: not there yet), and whether it is
    beyond an alarm's threshold."""

    status: Status = Status.WAITING
    value: float | None = None
    alarm: bool = False

    @property
    def tone(self) -> str:
        """What it is coloured with."""
        return "bad" if self.alarm else self.status.tone


@dataclass(frozen=True, slots=True)
class MetricScale:
    """Colours CCDs by metric instead of status: `low` and below is level 0, `high` and above level 4.

    Only three characters of a number have room. What is written is (value - `zero`) x `factor`: a zeropoint says more
    as hundredths of a magnitude from the median (``zero=27.13, factor=100``) than as 27.
    """

    low: float
    high: float
    zero: float = 0.0
    factor: float = 1.0

    def written(self, value: float | None) -> float | None:
        """The number that is written on the CCD."""
        return None if value is None else (value - self.zero) * self.factor

    def level(self, value: float | None) -> str:
        """Name of the level's tone; empty without a value."""
        if value is None or value != value:
            return ""
        span = self.high - self.low
        part = (value - self.low) / span if span else 0.5
        return f"level-{min(4, max(0, int(5 * part)))}"


class FocalPlane(Widget, can_focus=True):
    """One widget for all CCDs. A cell is 4x2 characters where there is room (68x16 for HSC), else 4x1, else 2x1."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "focal-plane--dim",
        "focal-plane--running",
        "focal-plane--good",
        "focal-plane--caveat",
        "focal-plane--skipped",
        "focal-plane--bad",
        "focal-plane--cursor",
        "focal-plane--level-0",
        "focal-plane--level-1",
        "focal-plane--level-2",
        "focal-plane--level-3",
        "focal-plane--level-4",
    }

    DEFAULT_CSS = """
    FocalPlane {
        height: 16;
        min-width: 34;
        background: $surface;
        color: $foreground;
        & .focal-plane--dim { color: $text-muted; }
        & .focal-plane--running { color: $text-accent; text-style: bold; }
        & .focal-plane--good { color: $text-success; background: $success-muted; }
        & .focal-plane--caveat { color: $text-warning; background: $warning-muted; }
        & .focal-plane--skipped { color: $text-success; }
        & .focal-plane--bad { color: $text-error; background: $error-muted; text-style: bold; }
        & .focal-plane--cursor { text-style: reverse bold; }
        & .focal-plane--level-0 { color: $foreground; background: $primary 6%; }
        & .focal-plane--level-1 { color: $foreground; background: $primary 16%; }
        & .focal-plane--level-2 { color: $foreground; background: $primary 28%; }
        & .focal-plane--level-3 { color: $foreground; background: $primary 40%; }
        & .focal-plane--level-4 { color: $foreground; background: $primary 55%; }
    }
    """

    BINDINGS = ACTIONS.bindings("moving")

    CELL_SIZES: ClassVar[tuple[tuple[int, int], ...]] = ((4, 2), (4, 1), (2, 1))

    cursor: reactive[int | None] = reactive(None, repaint=False)
    """Number of the CCD under the cursor; None without CCDs."""

    class CursorMoved(Message):
        """The cursor is on another CCD."""

        def __init__(self, plane: FocalPlane, key: int) -> None:
            super().__init__()
            self.plane, self.key = plane, key

        @property
        def control(self) -> FocalPlane:
            """The focal plane."""
            return self.plane

    class CellOpened(CursorMoved):
        """Enter was pressed, or a CCD was clicked twice."""

    def __init__(
        self,
        cells: Sequence[PlaneCell] = (),
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.scale: MetricScale | None = None
        self._style = ComponentStyles(self, "focal-plane")
        self._states: dict[int, CellState] = {}
        self._cells: dict[int, PlaneCell] = {}
        self._rows: dict[int, list[PlaneCell]] = {}
        self.show(cells)

    # --- what it shows ----------------------------------------------------------------------------------------------

    def show(self, cells: Sequence[PlaneCell]) -> None:
        """Show another camera."""
        self._cells = {cell.key: cell for cell in cells}
        self._rows = {}
        for cell in sorted(cells, key=lambda cell: (cell.row, cell.column)):
            self._rows.setdefault(cell.row, []).append(cell)
        self._states = {cell.key: CellState(Status.WAITING if cell.planned else Status.ABSENT) for cell in cells}
        if self.cursor not in self._cells:
            self.set_reactive(FocalPlane.cursor, min(self._cells, default=None))
        self.refresh()

    def update_cells(self, states: Mapping[int, CellState]) -> None:
        """Take new states; only the lines of CCDs that changed are drawn. CCDs not of this camera are passed over."""
        changed = [key for key, state in states.items() if key in self._cells and self._states[key] != state]
        for key in changed:
            self._states[key] = states[key]
        if self.listed:
            self.refresh()
        else:
            height = self.cell_size[1]
            lines = {self._cells[key].row * height for key in changed}
            if lines:
                self.refresh(*(Region(0, line, self.size.width, height) for line in lines))

    def show_metric(self, scale: MetricScale | None) -> None:
        """Colour by the metric's value on a scale, or by status with None."""
        self.scale = scale
        self.refresh()

    def state(self, key: int) -> CellState:
        """What is shown of a CCD."""
        return self._states[key]

    @property
    def cell_size(self) -> tuple[int, int]:
        """(width, height) of a CCD in characters: the largest with which all fit."""
        wide = max((cell.column + 1 for cell in self._cells.values()), default=1)
        high = max(self._rows, default=0) + 1
        for width, height in self.CELL_SIZES:
            if wide * width <= self.size.width and high * height <= self.size.height:
                return width, height
        return self.CELL_SIZES[-1]

    @property
    def listed(self) -> bool:
        """Whether the CCDs are shown as a list: a camera of one CCD, or no room for the grid."""
        wide = max((cell.column + 1 for cell in self._cells.values()), default=1)
        width, height = self.CELL_SIZES[-1]
        too_big = wide * width > self.size.width or (max(self._rows, default=0) + 1) * height > self.size.height
        return len(self._cells) <= 1 or too_big

    # --- drawing ----------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Forget styles when the theme or the focus changes."""
        super().notify_style_update()
        self._style.clear()

    def _cell_style(self, cell: PlaneCell) -> Style:
        state = self._states[cell.key]
        tone = state.tone
        if self.scale is not None and (level := self.scale.level(state.value)):
            tone = level
        return self._style(tone, "cursor" if cell.key == self.cursor else "")

    def render_line(self, y: int) -> Strip:
        if self.listed:
            return self._list_line(y)
        width, height = self.cell_size
        row, line = divmod(y, height)
        blank = self._style()
        segments: list[Segment] = []
        used = self._margin(width)
        if used:
            segments.append(Segment(" " * used, blank))
        for cell in self._rows.get(row, ()):
            start = self._margin(width) + int(cell.column * width)
            if start > used:
                segments.append(Segment(" " * (start - used), blank))
            segments.append(Segment(self._text(cell, line, width), self._cell_style(cell)))
            used = start + width
        if self.size.width > used:
            segments.append(Segment(" " * (self.size.width - used), blank))
        return Strip(segments, max(used, self.size.width)).crop(0, self.size.width)

    def _margin(self, width: int) -> int:
        """Blanks left of the grid, so that it stands in the middle."""
        wide = max((cell.column + 1 for cell in self._cells.values()), default=0)
        return max(0, int(self.size.width - wide * width) // 2)

    def _text(self, cell: PlaneCell, line: int, width: int) -> str:
        state = self._states[cell.key]
        if line == 1:
            value = self.scale.written(state.value) if self.scale is not None else state.value
            sign = ALARM_SIGN if state.alarm else " "
            return sign + short_number(value, width - 1) if cell.planned else " " * width
        if width == 2:
            return state.status.letter + (ALARM_SIGN if state.alarm else " ")
        one_line = self.cell_size[1] == 1
        return cell.label.rjust(3)[-3:] + (ALARM_SIGN if state.alarm and one_line else state.status.letter)

    def _list_line(self, y: int) -> Strip:
        width, keys = self.size.width, sorted(self._cells)
        if not keys:
            return Strip([Segment(fit("no camera" if y == 0 else "", width), self._style("dim"))], width)
        here = keys.index(self.cursor) if self.cursor in self._cells else 0
        top = max(0, min(here - self.size.height // 2, len(keys) - self.size.height))
        if top + y >= len(keys):
            return Strip.blank(width, self._style())
        cell = self._cells[keys[top + y]]
        state = self._states[cell.key]
        value = short_number(state.value, 8) if state.value is not None else ""
        mark = ">" if cell.key == self.cursor else " "
        sign = f" {ALARM_SIGN}" if state.alarm else ""
        text = f"{mark}ccd {cell.label:>3} {state.status.letter} {state.status.word:<22}{value}{sign}"
        return Strip([Segment(fit(text, width), self._cell_style(cell))], width)

    # --- moving -----------------------------------------------------------------------------------------------------

    def watch_cursor(self, old: int | None, new: int | None) -> None:
        """Draw the two CCDs again, and say so."""
        if not self.is_mounted:
            return
        self.refresh()
        if new is not None:
            self.post_message(self.CursorMoved(self, new))

    def _move(self, columns: int, rows: int) -> None:
        if self.cursor is None:
            return
        if self.listed:
            self._step(columns + rows)
        else:
            cells = list(self._cells.values())
            self.cursor = neighbour(cells, self._cells[self.cursor], columns, rows).key

    def _step(self, step: int) -> None:
        keys = sorted(self._cells)
        if self.cursor in self._cells:
            self.cursor = keys[max(0, min(len(keys) - 1, keys.index(self.cursor) + step))]

    def action_move_up(self) -> None:
        """To the CCD above."""
        self._move(0, -1)

    def action_move_down(self) -> None:
        """To the CCD below."""
        self._move(0, 1)

    def action_move_left(self) -> None:
        """To the CCD on the left."""
        self._move(-1, 0)

    def action_move_right(self) -> None:
        """To the CCD on the right."""
        self._move(1, 0)

    def action_move_first(self) -> None:
        """To the lowest number."""
        self.cursor = min(self._cells, default=None)

    def action_move_last(self) -> None:
        """To the highest number."""
        self.cursor = max(self._cells, default=None)

    def action_open(self) -> None:
        """Say that the CCD under the cursor is to be opened."""
        if self.cursor is not None:
            self.post_message(self.CellOpened(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the CCD clicked."""
        key = self._key_at(event.x, event.y)
        if key is not None:
            self.cursor = key
            if event.chain > 1:
                self.action_open()

    def _key_at(self, x: int, y: int) -> int | None:
        if self.listed:
            return None
        width, height = self.cell_size
        for cell in self._rows.get(y // height, ()):
            start = self._margin(width) + int(cell.column * width)
            if start <= x < start + width:
                return cell.key
        return None
