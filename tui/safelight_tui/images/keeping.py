"""The last images that were looked at, in memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight_tui.images.reading import Shown, Wanted

__all__ = ["KeptImages"]


class KeptImages:
    """The last few images; the one that was looked at longest ago makes room for another.

    Parameters
    ----------
    most : int
        How many are kept: a large CCD takes 70 MB.
    """

    def __init__(self, most: int = 3) -> None:
        self._most = most
        self._images: OrderedDict[tuple[str, str, str], Shown] = OrderedDict()

    def find(self, wanted: Wanted) -> Shown | None:
        """An image of the same repository; None where it has to be read."""
        shown = self._images.get(wanted.key)
        if shown is None or shown.wanted.root != wanted.root:
            return None
        self._images.move_to_end(wanted.key)
        return shown

    def keep(self, shown: Shown) -> None:
        """Keep one that was read."""
        self._images[shown.wanted.key] = shown
        self._images.move_to_end(shown.wanted.key)
        while len(self._images) > self._most:
            self._images.popitem(last=False)
