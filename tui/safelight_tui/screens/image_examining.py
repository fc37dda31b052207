"""The part of the image screen that examines the place under the cursor and shows what was found."""

from __future__ import annotations

from typing import Any

from safelight.errors import SafelightError
from safelight.processccd.mosaic import Mosaic
from safelight_tui.images.reading import Shown
from safelight_tui.imexam.target import Examination, Target
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.widgets.image_view import ImageView
from safelight_tui.widgets.plot_view import PlotView
from safelight_tui.widgets.text_pane import TextLine, TextPane

__all__ = ["ExaminingScreen"]


class ExaminingScreen(ModeScreen):
    """A screen with an `ImageView`, and panes ``#result``, ``#numbers`` and ``#curve`` for results."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: Shown | None = None
        self._mosaic: Mosaic | None = None
        self._vector: tuple[float, float] | None = None

    @property
    def view(self) -> ImageView:
        """The image."""
        return self.query_one(ImageView)

    def on_image_view_examined(self, event: ImageView.Examined) -> None:
        """Examine the place under the cursor."""
        target = self._target(event.x, event.y)
        if target is None:
            return
        if event.kind == "vector_cut":
            self._examine_vector(target)
            return
        self._vector = None

        def work(butler: Any) -> Examination:
            from safelight_tui.imexam.examine import examine

            return examine(event.kind, target)

        self.shell.controller.ask(work, self._show_result, failed=self._no_result, group="examine")

    def _target(self, x: int, y: int) -> Target | None:
        view = self.view.view
        picture = self.view.picture
        if view is None or picture is None:
            return None
        search = min(60.0, max(8.0, 1.5 / view.zoom))
        shown = self._shown if self._mosaic is None else None
        if shown is None:
            return Target(picture.pixels, float(x), float(y), search_radius=search)
        pixels = shown.pixels
        return Target(
            pixels.image,
            float(x),
            float(y),
            bad=shown.bad,
            search_radius=search,
            wcs=pixels.wcs,
            zeropoint_mag=pixels.zeropoint_mag,
            gain=pixels.gain,
        )

    def _examine_vector(self, target: Target) -> None:
        if self._vector is None:
            self._vector = (target.x, target.y)
            self.notify("Move to the other end and press v again.", timeout=4)
            return
        start, self._vector = self._vector, None

        def work(butler: Any) -> Examination:
            from safelight_tui.imexam.cuts import vector_cut

            return vector_cut(target, start)

        self.shell.controller.ask(work, self._show_result, failed=self._no_result, group="examine")

    def _show_result(self, found: Examination) -> None:
        lines = [TextLine(found.title, "title"), *(TextLine(line) for line in found.lines)]
        self._open_result(lines)
        curve = self.query_one("#curve", PlotView)
        curve.set_class(found.draw is not None, "-open")
        curve.show(found.draw)

    def _no_result(self, error: SafelightError) -> None:
        self._open_result([TextLine(error.message, "caveat"), TextLine(error.hint)])
        self.query_one("#curve").remove_class("-open")

    def _open_result(self, lines: list[TextLine]) -> None:
        self.query_one("#numbers", TextPane).show(lines)
        self.query_one("#result").add_class("-open")

    def _close_result(self) -> None:
        self.query_one("#result").remove_class("-open")

    def action_close_result(self) -> None:
        """Give the image its room back."""
        self._close_result()
