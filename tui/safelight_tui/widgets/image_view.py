"""An image in characters, with a cursor on its pixels."""

from __future__ import annotations

import math
import textwrap
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from safelight_tui.actions import ACTIONS
from safelight_tui.pixels.half_blocks import half_block_line, ramp_line
from safelight_tui.pixels.overlay import cursor_over
from safelight_tui.pixels.palette import Colours
from safelight_tui.pixels.picture import Picture
from safelight_tui.pixels.scaling import Limits, Stretch, to_levels
from safelight_tui.pixels.view import Orientation, View, sampled
from safelight_tui.terminal.charset import environment_at_start, shows_unicode
from safelight_tui.terminal.text import fit
from safelight_tui.themes import uses_red_only
from safelight_tui.widgets.styling import ComponentStyles

__all__ = ["ImageView", "Picture"]

EXAMINATIONS = (
    "aperture", "radial_profile", "column_cut", "line_cut", "histogram", "statistics",
    "line_fit", "column_fit", "contours", "growth_curve", "vector_cut", "pixel_grid",
)  # fmt: skip


class ImageView(Widget, can_focus=True):
    """Half blocks where the terminal has them, else a ramp of ASCII. Reading files and the sky are the owner's."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "image-view--cursor",
        "image-view--arm",
        "image-view--compass",
        "image-view--label",
        "image-view--mask-bad",
        "image-view--mask-saturated",
        "image-view--mask-ray",
        "image-view--mask-other",
        "image-view--source",
        "image-view--match",
        "image-view--reference",
        "image-view--note",
    }

    DEFAULT_CSS = """
    ImageView {
        height: 1fr;
        background: $background;
        color: $foreground;
        & .image-view--cursor { color: $accent; text-style: bold reverse; }
        & .image-view--arm { color: $accent; text-style: bold; }
        & .image-view--compass { color: $text-accent; text-style: bold; }
        & .image-view--label { color: $text-primary; text-style: bold; }
        & .image-view--mask-bad { color: $text-error; text-style: bold; }
        & .image-view--mask-saturated { color: $text-warning; text-style: bold; }
        & .image-view--mask-ray { color: $text-accent; text-style: bold; }
        & .image-view--mask-other { color: $text-primary; text-style: bold; }
        & .image-view--source { color: $text-success; text-style: bold; }
        & .image-view--match { color: $text-accent; text-style: bold; }
        & .image-view--reference { color: $text-error; text-style: bold; }
        & .image-view--note { color: $text-muted; }
    }
    """

    BINDINGS = ACTIONS.bindings("image")

    stretch: reactive[Stretch] = reactive(Stretch.LINEAR, repaint=False)
    """How brightness is spread between the limits."""
    colours: reactive[Colours] = reactive(Colours.GREY, repaint=False)
    """The palette."""
    limits: reactive[Limits] = reactive(Limits.ZSCALE, repaint=False)
    """How the values shown as darkest and brightest are chosen."""
    compass: reactive[bool] = reactive(True, repaint=False)
    """Whether arms towards north and east are drawn, where a WCS says where these are."""
    rendering: reactive[Literal["auto", "half", "ramp"]] = reactive("auto", repaint=False)
    """Half blocks, a ramp of ASCII, or what the terminal can show."""

    class CursorMoved(Message):
        """The cursor is on another pixel."""

        def __init__(self, view: ImageView, x: int, y: int, value: float) -> None:
            super().__init__()
            self.view, self.x, self.y, self.value = view, x, y, value

        @property
        def control(self) -> ImageView:
            """The view."""
            return self.view

    class Examined(CursorMoved):
        """A key of imexamine was pressed: `kind` is the action's name."""

        def __init__(self, view: ImageView, x: int, y: int, value: float, kind: str) -> None:
            super().__init__(view, x, y, value)
            self.kind = kind

    class LookChanged(Message):
        """Zoom, stretch, colours or the image shown have changed."""

        def __init__(self, view: ImageView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> ImageView:
            """The view."""
            return self.view

    def __init__(
        self,
        picture: Picture | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.why_empty = ""  # a sentence, shown where there is no image
        self.picture = picture
        self.second: Picture | None = None
        self.view: View | None = None
        self.cursor = (0, 0)
        self._fitted = True
        self._manual: tuple[float, float] | None = None
        self._style = ComponentStyles(self, "image-view")
        self._levels: NDArray[np.uint8] | None = None
        self._over: dict[int, dict[int, tuple[str, str]]] | None = None

    # --- what it shows ----------------------------------------------------------------------------------------------

    def show(self, picture: Picture | None, second: Picture | None = None, *, keep_view: bool = False) -> None:
        """Show an image, and one to blink with.

        Parameters
        ----------
        keep_view : bool
            Stay at the place and zoom of the image before, which has the same pixels.
        """
        self.picture, self.second = picture, second
        if not (keep_view and self.view is not None):
            self._fitted, self.view = True, None
            if picture is not None:
                rows, columns = picture.pixels.shape
                self.cursor = (columns // 2, rows // 2)
        self._changed()

    def set_orientation(self, orientation: Orientation) -> None:
        """Turn the image."""
        view = self._current_view()
        if view is not None and self.picture is not None:
            self.view = View.fit(self.picture.pixels.shape, view.width, view.height, orientation)
            self._changed()

    def set_limits(self, limits: tuple[float, float]) -> None:
        """Show other values as darkest and brightest, in this and in all images to come."""
        self._manual = limits
        self.limits = Limits.MANUAL
        self._changed()

    def _current_view(self) -> View | None:
        if self.picture is None or not self.size.area:
            return None
        width, height = self.size.width, 2 * self.size.height
        if self.view is None or self._fitted:
            orientation = self.view.orientation if self.view is not None else Orientation()
            self.view = View.fit(self.picture.pixels.shape, width, height, orientation)
        elif (self.view.width, self.view.height) != (width, height):
            self.view = self.view.resized(width, height)
        return self.view

    def _changed(self) -> None:
        if self.picture is not None:
            self.picture.limit(self.limits, self._manual)
        self._levels = None
        self._over = None
        self.refresh()
        if self.is_mounted:
            self.post_message(self.LookChanged(self))

    def watch_stretch(self) -> None:
        """Draw again."""
        self._changed()

    def watch_colours(self) -> None:
        """Draw again."""
        self._changed()

    def watch_limits(self) -> None:
        """Draw again."""
        self._changed()

    def watch_compass(self) -> None:
        """Draw again."""
        self._changed()

    def watch_rendering(self) -> None:
        """Draw again."""
        self._changed()

    def on_resize(self) -> None:
        """Fit again, or keep the middle."""
        self._levels = None
        self._over = None

    # --- drawing ----------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Forget styles when the theme or the focus changes."""
        super().notify_style_update()
        self._style.clear()

    @property
    def uses_ramp(self) -> bool:
        """Whether characters stand for brightness: no half blocks, or too few colours for them."""
        if self.rendering != "auto":
            return self.rendering == "ramp"
        few_colours = self.app.no_color or self.app.console.color_system in (None, "standard")
        return few_colours or not _UNICODE

    def levels(self) -> NDArray[np.uint8] | None:
        """(2 height, width) levels seen; None without an image."""
        view, picture = self._current_view(), self.picture
        if view is None or picture is None or picture.limits is None:
            return None
        # A line may be asked for after the size has changed and before the resize event has come.
        if self._levels is None or self._levels.shape != (view.height, view.width):
            self._over = None
            low, high = picture.limits
            self._levels = to_levels(sampled(picture.pixels, view), low, high, self.stretch, picture.sample)
        return self._levels

    def _characters(self, view: View, picture: Picture) -> dict[int, dict[int, tuple[str, str]]]:
        if self._over is None:
            self._over = picture.characters(view, compass=self.compass)
        return self._over

    def render_line(self, y: int) -> Strip:
        width, levels = self.size.width, self.levels()
        if levels is None or self.view is None or self.picture is None:
            lines = textwrap.wrap(self.why_empty, max(20, width - 8)) or ["no image"]
            line = y - (self.size.height - len(lines)) // 2
            return self._note(lines[line], width) if 0 <= line < len(lines) else Strip.blank(width, self._style())
        drawn = dict(self._characters(self.view, self.picture).get(y, {}))
        for (column, row), (character, tone) in cursor_over(self.view, *self.cursor).items():
            if row == y and 0 <= column < width and (tone == "cursor" or column not in drawn):
                drawn[column] = (drawn[column][0] if column in drawn else character, tone)
        over = {column: (character, self._overlay_style(tone)) for column, (character, tone) in drawn.items()}
        top, bottom = levels[2 * y], levels[2 * y + 1]
        if self.uses_ramp:
            return ramp_line(top, bottom, self._style(), inverted=self.colours is Colours.INVERTED, over=over)
        outside = self._style().bgcolor
        assert outside is not None
        return half_block_line(top, bottom, self.colours, red_only=uses_red_only(self.app), outside=outside, over=over)

    def _overlay_style(self, tone: str) -> Style:
        """A colour of its own on whatever the image shows there."""
        style = self._style(tone)
        return Style(color=style.color, bold=True, reverse=style.reverse)

    def _note(self, text: str, width: int) -> Strip:
        return Strip([Segment(fit(text.center(width), width), self._style("note"))], width)

    def _cursor_cell(self, view: View) -> tuple[int, int]:
        column, row = view.to_screen(*self.cursor)
        return math.floor(column + 0.5), math.floor(row + 0.5) // 2

    # --- moving -----------------------------------------------------------------------------------------------------

    def move_to(self, x: int, y: int) -> None:
        """Put the cursor on a pixel, the nearest that exists, and bring it into view."""
        if self.picture is None:
            return
        rows, columns = self.picture.pixels.shape
        old = self.cursor
        self.cursor = (min(max(x, 0), columns - 1), min(max(y, 0), rows - 1))
        view = self._current_view()
        if view is None or self.cursor == old:
            return
        before = view.to_screen(*old)
        column, row = self._cursor_cell(view)
        if not (0 <= column < view.width and 0 <= 2 * row < view.height):
            self._fitted = False
            self.view = replace(view, x=float(self.cursor[0]), y=float(self.cursor[1]))
            self._changed()
        else:
            for line in (math.floor(before[1] + 0.5) // 2, row):
                self.refresh(Region(0, max(0, line - 2), self.size.width, 5))  # the arms of the cross, too
        self.post_message(self.CursorMoved(self, *self.cursor, self.picture.value(*self.cursor)))

    def _step(self, right: int, up: int) -> None:
        view = self._current_view()
        if view is None:
            return
        size = max(1, round(1.0 / view.zoom))
        dx, dy = (view.orientation.matrix @ np.array([right, up])).astype(int).tolist()
        self.move_to(self.cursor[0] + dx * size, self.cursor[1] + dy * size)

    def action_cursor_up(self) -> None:
        """One screen pixel up."""
        self._step(0, 1)

    def action_cursor_down(self) -> None:
        """One screen pixel down."""
        self._step(0, -1)

    def action_cursor_left(self) -> None:
        """One screen pixel to the left."""
        self._step(-1, 0)

    def action_cursor_right(self) -> None:
        """One screen pixel to the right."""
        self._step(1, 0)

    def _pan(self, right: float, up: float) -> None:
        view = self._current_view()
        if view is not None:
            self._fitted = False
            self.view = view.panned(right * view.width / 2, up * view.height / 2)
            self._changed()

    def action_pan_up(self) -> None:
        """Half a screen up."""
        self._pan(0, 1)

    def action_pan_down(self) -> None:
        """Half a screen down."""
        self._pan(0, -1)

    def action_pan_left(self) -> None:
        """Half a screen to the left."""
        self._pan(-1, 0)

    def action_pan_right(self) -> None:
        """Half a screen to the right."""
        self._pan(1, 0)

    def _zoom(self, steps: int) -> None:
        view = self._current_view()
        if view is not None:
            self._fitted = False
            self.view = view.zoomed(steps, *self.cursor)
            self._changed()

    def action_zoom_in(self) -> None:
        """Twice as large."""
        self._zoom(1)

    def action_zoom_out(self) -> None:
        """Half as large."""
        self._zoom(-1)

    def action_fit(self) -> None:
        """The whole image."""
        self._fitted = True
        self._changed()

    # --- looks ------------------------------------------------------------------------------------------------------

    def action_stretch(self) -> None:
        """The next stretch."""
        self.stretch = self.stretch.following

    def action_limits(self) -> None:
        """The next choice of limits."""
        self.limits = self.limits.following

    def action_compass(self) -> None:
        """Draw the compass, or not."""
        self.compass = not self.compass

    def action_colours(self) -> None:
        """The next palette."""
        self.colours = self.colours.following

    def action_blink(self) -> None:
        """The other image."""
        if self.second is not None:
            self.show(self.second, self.picture, keep_view=True)

    # --- examining --------------------------------------------------------------------------------------------------

    def examine(self, kind: str) -> None:
        """Say that the place under the cursor is to be examined."""
        if self.picture is not None:
            self.post_message(self.Examined(self, *self.cursor, self.picture.value(*self.cursor), kind))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the pixel clicked."""
        view = self._current_view()
        if view is not None:
            x, y = view.to_image(event.x, 2 * event.y + 0.5)
            self.move_to(math.floor(x + 0.5), math.floor(y + 0.5))


_UNICODE = shows_unicode(environment_at_start())


def _examination(kind: str) -> object:
    def action(self: ImageView) -> None:
        self.examine(kind)

    action.__doc__ = ACTIONS[kind].description
    return action


for _kind in EXAMINATIONS:
    setattr(ImageView, f"action_{_kind}", _examination(_kind))
