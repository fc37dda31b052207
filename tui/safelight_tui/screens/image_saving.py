"""The part of the image screen by which images leave the application: files, SAMP, the terminal's own graphics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from safelight.errors import SafelightError
from safelight_tui.screens.image_examining import ExaminingScreen
from safelight_tui.widgets.prompt_line import PromptLine
from safelight_tui.widgets.text_pane import TextLine

__all__ = ["SavingScreen"]


class SavingScreen(ExaminingScreen):
    """A screen with an image and a `PromptLine`."""

    def _look(self) -> Any:
        from safelight_tui.export.png import Look
        from safelight_tui.themes import uses_red_only

        view = self.view
        limits = view.picture.limits if view.picture is not None else None
        return Look(limits, view.stretch, view.colours, uses_red_only(self.app))

    def action_save_image(self) -> None:
        """Ask for a name, then write a PNG or a region file."""
        shown = self._shown
        stem = shown.pixels.name.replace(" ", "-") if shown is not None and self._mosaic is None else "mosaic"
        self.query_one(PromptLine).ask("save (.png, .reg):", self._save, f"{stem}.png")

    def _save(self, name: str) -> None:
        path = Path(name.strip()).expanduser()
        view = self.view
        if not name.strip() or view.picture is None or view.view is None:
            return
        from safelight_tui.images.saving import save_picture, save_regions

        shown = self._shown if self._mosaic is None else None
        image, look, marks = view.picture.pixels, self._look(), tuple(view.picture.marks)
        orientation, cursor = view.view.orientation, view.cursor
        work: Callable[[Any], str]
        if path.suffix == ".reg" and shown is not None:
            target = shown
            work = lambda butler: save_regions(path, target, cursor)  # noqa: E731 - as short as the other
        else:
            comment = shown.title if shown is not None else view.picture.title
            work = lambda butler: save_picture(path, image, look, marks, orientation, comment)  # noqa: E731
        session = self.session

        def checked(butler: Any) -> str:
            if session is not None:
                session.refuse_inside(path)
            return work(butler)

        self.shell.controller.ask(checked, lambda sentence: self.notify(sentence, markup=False))

    def action_send_samp(self) -> None:
        """Send the file to DS9 or TOPCAT on this host."""
        shown = self._shown
        if shown is None or shown.pixels.path is None:
            self.notify("This image has no file: it was made in memory. Save it as a PNG (w).", severity="warning")
            return
        path, title = shown.pixels.path, shown.title

        def work(butler: Any) -> int:
            from safelight_tui.export.samp import send_fits

            return send_fits(path, title)

        self.shell.controller.ask(
            work,
            lambda count: self.notify(f"{title} sent to {count} program{'s' if count > 1 else ''}", markup=False),
            failed=self._not_sent,
            group="samp",
        )

    def _not_sent(self, error: SafelightError) -> None:
        lines = [TextLine(error.message, "caveat"), TextLine("On your own machine:", "dim")]
        self._open_result([*lines, *(TextLine(line) for line in error.hint.splitlines())])
        self.query_one("#curve").remove_class("-open")

    def action_full_screen(self) -> None:
        """Draw with the terminal's own graphics until a key is pressed."""
        from safelight_tui.export.fullscreen import show_full_screen
        from safelight_tui.export.png import rendered

        view = self.view
        if view.picture is None or view.view is None:
            return
        seen, picture, look = view.view, view.picture, self._look()

        def draw(width: int, height: int) -> Any:
            zoom = seen.zoom * min(width / seen.width, height / seen.height)
            wide = replace(seen, width=width, height=height, zoom=zoom)
            return rendered(picture.pixels, wide, look, picture.marks)

        trouble = ""
        with self.shell.suspend(keep_screen=True):
            try:
                show_full_screen(draw, f"{picture.title}   any key returns", red_only=look.red_only)
            except SafelightError as error:
                trouble = f"{error.message} {error.hint}"
            except OSError as error:
                trouble = f"The terminal cannot be drawn on: {error}."
        if trouble:
            self.notify(trouble, severity="warning", markup=False)
        self.shell.action_redraw()
