"""States of a CCD as everyone sees them: a letter, a tone, a word. A tone never stands without its letter."""

from __future__ import annotations

import math
from enum import Enum

__all__ = ["ALARM_SIGN", "Status", "short_number"]

ALARM_SIGN = "A"
"""The letter that stands beside the colour wherever a value is beyond an alarm's threshold."""


class Status(Enum):
    """What has become of a CCD: (letter, tone, word)."""

    ABSENT = ("-", "dim", "not planned")
    WAITING = (".", "dim", "waiting")
    READ = ("r", "running", "reading")
    ISR = ("i", "running", "ISR")
    CHARACTERIZE = ("c", "running", "characterize")
    WCS = ("w", "running", "WCS")
    ZEROPOINT = ("z", "running", "zeropoint")
    WRITE = ("o", "running", "writing")
    VISIT = ("v", "dim", "waits for its visit")  # failed alone; the other CCDs may help
    DONE = ("D", "good", "done")
    CAVEAT = ("V", "caveat", "done with caveats")
    SKIPPED = ("S", "skipped", "skipped, done before")
    FAILED = ("F", "bad", "failed")
    BLOCKED = ("B", "bad", "cannot run")
    CANCELLED = ("X", "caveat", "cancelled")
    INTERRUPTED = ("I", "caveat", "interrupted")  # its run was killed while it was at work

    @property
    def letter(self) -> str:
        """One letter; lower case while at work."""
        return self.value[0]

    @property
    def tone(self) -> str:
        """Name of the component class it is coloured with."""
        return self.value[1]

    @property
    def word(self) -> str:
        """In words."""
        return self.value[2]

    @property
    def problem(self) -> bool:
        """Whether someone should look."""
        return self in (Status.FAILED, Status.BLOCKED, Status.CAVEAT, Status.CANCELLED, Status.INTERRUPTED)

    @property
    def at_work(self) -> bool:
        """Whether a worker is at it."""
        return self.tone == "running"


def short_number(value: float | None, width: int = 4) -> str:
    """A number in `width` characters, aligned to the right: `` .72``, ``27.1``, `` 118``, ``  --``."""
    if value is None or math.isnan(value):
        return "--".rjust(width)
    if math.isinf(value):
        return ("inf" if value > 0 else "-inf").rjust(width)[:width]
    most = width if 0 < abs(value) < 0.01 else 2  # two decimals tell enough of what is not tiny
    for digits in range(most, -1, -1):
        text = f"{value:.{digits}f}"
        if digits and 0 < abs(value) < 1:
            text = text.replace("0.", ".", 1)
        if len(text) <= width:
            return text.rjust(width)
    text = f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return text.rjust(width) if len(text) <= width else "#" * width
