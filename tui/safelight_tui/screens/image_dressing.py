"""The part of the image screen that chooses how an image looks: overlays, mask planes, limits, which way up."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from safelight_tui.images.planes import DRAWN_AT_FIRST, PlaneCount, count_planes, drawn
from safelight_tui.images.reading import Shown, read_overlays
from safelight_tui.pixels.view import Orientation
from safelight_tui.screens.image_saving import SavingScreen
from safelight_tui.screens.mask_planes import MaskPlanesScreen
from safelight_tui.widgets.prompt_line import PromptLine

__all__ = ["DressingScreen"]

OVERLAYS = ("", "sources", "matches and reference stars", "mask planes", "everything")
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "sources": ("sources",),
    "matches and reference stars": ("reference stars", "matches"),
    "everything": ("sources", "reference stars", "matches"),
}
_WITH_MASK = ("mask planes", "everything")


class DressingScreen(SavingScreen):
    """A screen with an image, perhaps another to blink with, and a `PromptLine`."""

    def __init__(self) -> None:
        super().__init__()
        self._other: Shown | None = None
        self._overlays = ""
        self._planes: frozenset[str] = DRAWN_AT_FIRST
        self._north_up = False

    @abstractmethod
    def _describe(self) -> None:
        """Say what is shown and how."""

    # --- what lies on it --------------------------------------------------------------------------------------------

    def _dress(self) -> None:
        """Put the chosen overlays on both images; read positions that are not known yet."""
        for shown in (self._shown, self._other):
            if shown is None:
                continue
            wanted = _POSITIONS.get(self._overlays, ())
            if wanted and shown.positions is None:
                self._read_positions(shown)
            shown.picture.marks = tuple(one for name in wanted for one in shown.marks if one.name == name)
            layer = shown.layer if self._overlays in _WITH_MASK else None
            shown.picture.layer = layer and replace(layer, shown=drawn(self._planes, layer.planes))
        self.view.show(self.view.picture, self.view.second, keep_view=True)
        self.when_drawn(self._describe)

    def _read_positions(self, shown: Shown) -> None:
        shown.positions = ()

        def taken(found: tuple[Any, Any]) -> None:
            shown.positions, shown.marks = found
            self._dress()

        self.shell.controller.ask(lambda butler: read_overlays(shown), taken, group=f"overlay {shown.title}")

    def action_overlays(self) -> None:
        """The next choice of what is drawn."""
        self._overlays = OVERLAYS[(OVERLAYS.index(self._overlays) + 1) % len(OVERLAYS)]
        self._dress()

    def action_mask_planes(self) -> None:
        """List the mask planes, drawn and not."""
        shown = self._shown if self._mosaic is None else None
        layer = shown.layer if shown is not None else None
        if layer is None:
            self.notify("This image has no mask: raw frames and mosaics have none.", severity="warning")
            return

        def taken(planes: list[PlaneCount]) -> None:
            if self._shown is shown and self.is_current:
                self._draw_planes(self._planes)
                self.app.push_screen(MaskPlanesScreen(planes, layer.mask.size, self._planes, self._draw_planes))

        self.shell.controller.ask(lambda butler: count_planes(layer.mask, layer.planes), taken, group="mask planes")

    def _draw_planes(self, names: frozenset[str]) -> None:
        self._planes = names
        if self._overlays not in _WITH_MASK:
            self._overlays = "mask planes" if not self._overlays else "everything"
        self._dress()

    # --- limits -----------------------------------------------------------------------------------------------------

    def action_manual_limits(self) -> None:
        """Ask for the values shown as darkest and brightest."""
        picture = self.view.picture
        if picture is None or picture.limits is None:
            return
        low, high = picture.limits
        self.query_one(PromptLine).ask("darkest and brightest, ADU:", self._take_limits, f"{low:.6g} {high:.6g}")

    def _take_limits(self, text: str) -> None:
        words = text.replace(",", " ").replace("..", " ").split()
        try:
            low, high = (float(word) for word in words)
        except ValueError:
            self.notify("Two numbers are wanted, the darkest and the brightest.", severity="warning")
            return
        if not low < high:  # infinities and NaN, too
            self.notify("The first of the two must be the smaller.", severity="warning")
            return
        self.view.set_limits((low, high))

    # --- which way up -----------------------------------------------------------------------------------------------

    def action_north_up(self) -> None:
        """Turn, or turn back."""
        shown = self._shown
        cd = shown.picture.cd if shown is not None and self._mosaic is None else None
        if cd is None:
            self.notify("This image has no WCS to say where north is.", severity="warning")
            return
        self._north_up = not self._north_up
        self.view.set_orientation(Orientation.north_up(cd) if self._north_up else Orientation())
