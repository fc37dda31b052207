"""Going from match to match: what ``n`` and ``N`` do in every pane whose lines were filtered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from safelight_tui.screens.mode import ModeScreen

__all__ = ["go_to_match"]


class _Pane(Protocol):
    @property
    def cursor(self) -> int: ...

    def move_to(self, place: int) -> None: ...


def go_to_match(
    screen: ModeScreen, pane: _Pane, places: Sequence[int], searched: str, step: int, what: str = "row in view"
) -> None:
    """Move to the nearest match ahead; at the end begin again, and say so.

    Parameters
    ----------
    places : sequence of int
        Lines of the pane that match, in ascending order.
    searched : str
        What they match, for the sentence.
    step : int
        1 for the next, -1 for the previous.
    """
    if not places:
        screen.shell.say(f"No {what} matches {searched}.", severity="warning")
        return
    ahead = [place for place in places if (place - pane.cursor) * step > 0]
    if not ahead:
        screen.shell.say("From the top again." if step > 0 else "From the end again.")
    pane.move_to((ahead or places)[0 if step > 0 else -1])
