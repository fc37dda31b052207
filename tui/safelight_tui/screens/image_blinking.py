"""The part of the image screen that blinks two images: raw against calibrated, or those of two reruns."""

from __future__ import annotations

from dataclasses import replace

from textual.timer import Timer
from textual.widgets import Static

from safelight.errors import SafelightError
from safelight.processccd.viewing import VIEW_KINDS
from safelight_tui.images.keeping import KeptImages
from safelight_tui.images.reading import Shown, Wanted, read_shown
from safelight_tui.screens.image_dressing import DressingScreen

__all__ = ["BlinkingScreen"]

BLINK_S = 0.8
"""How long each of two blinking images is seen."""


class BlinkingScreen(DressingScreen):
    """A screen with an image, another one in memory, and a line ``#about`` them."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted: Wanted | None = None
        self._images = KeptImages()
        self._blinking: Timer | None = None
        self._blink_when_read = False

    @property
    def blinking(self) -> bool:
        """Whether the two images take turns by themselves."""
        return self._blinking is not None

    def _say(self, text: str) -> None:
        self.query_one("#about", Static).update(text)

    def _forget_other(self) -> None:
        """Another CCD is shown."""
        self._other = None
        self._stop_blinking()

    def _alternatives(self) -> list[Wanted]:
        """Other kinds of the same CCD, then the calibrated images of other reruns."""
        shown, session = self._shown, self.session
        if shown is None or session is None:
            return []
        wanted = shown.wanted
        kinds = [replace(wanted, kind=kind) for kind in reversed(VIEW_KINDS) if kind != wanted.kind]
        others = [rerun.name for rerun in session.reruns_newest_first() if rerun.name != wanted.rerun]
        return kinds + [replace(wanted, kind="calexp", rerun=name) for name in others]

    def action_second_image(self) -> None:
        """The next of the images to blink with."""
        choices = self._alternatives()
        if not choices or self._mosaic is not None:
            return
        keys = [one.key for one in choices]
        now = self._other.wanted.key if self._other is not None else None
        self._read_second(choices, (keys.index(now) + 1) % len(keys) if now in keys else 0)

    def _read_second(self, choices: list[Wanted], place: int) -> None:
        wanted, shown = choices[place], self._shown
        self._say(f"reading {wanted.kind} {wanted.name} to blink with")

        def taken(other: Shown) -> None:
            self._images.keep(other)
            if self._shown is not shown or shown is None:
                return
            if other.picture.pixels.shape != shown.picture.pixels.shape:
                self.notify(f"{other.title} has other pixels", severity="warning", markup=False)
                return
            self._other = other
            self.view.show(shown.picture, other.picture, keep_view=True)
            self._dress()
            self.refresh_footer()
            if self._blink_when_read:
                self._start_blinking()

        def refused(error: SafelightError) -> None:
            if place + 1 < len(choices):
                self._read_second(choices, place + 1)
            else:
                self._blink_when_read = False
                self.shell.show_error(error)
                self._describe()

        kept = self._images.find(wanted)
        if kept is not None:
            taken(kept)
        else:
            self.shell.controller.ask(lambda butler: read_shown(wanted), taken, failed=refused, group="second image")

    # --- by themselves ----------------------------------------------------------------------------------------------

    def action_blink_on(self) -> None:
        """Let the two images take turns, or stop it; without a second image take the first there is."""
        if self._blinking is not None:
            self._stop_blinking()
            self._describe()
        elif self._other is not None:
            self._start_blinking()
        else:
            self._blink_when_read = True
            self.action_second_image()

    def _start_blinking(self) -> None:
        self._blink_when_read = False
        if self._blinking is None:
            self._blinking = self.set_interval(BLINK_S, self._blink)
        self._describe()

    def _stop_blinking(self) -> None:
        self._blink_when_read = False
        if self._blinking is not None:
            self._blinking.stop()
            self._blinking = None

    def _blink(self) -> None:
        if self.is_current:  # nothing moves behind a dialog or on another screen
            self.view.action_blink()

    def on_image_view_look_changed(self) -> None:
        """Zoom, stretch, colours, or the other image."""
        if self._shown is not None and self._other is not None and self.view.picture is self._other.picture:
            self._shown, self._other = self._other, self._shown
            self._wanted = self._shown.wanted
        self._describe()
