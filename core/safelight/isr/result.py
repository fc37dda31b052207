"""What instrument signature removal takes beside the raw frame, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from safelight.caveats import Caveat
from safelight.exposure import Exposure, MasterFrame
from safelight.instruments.model import Box

__all__ = ["IsrResult", "Masters"]


@dataclass(slots=True)
class Masters:
    """Master calibrations in the assembled frame; None where a correction is off or needless."""

    bias: MasterFrame | None = None
    dark: MasterFrame | None = None
    flat: MasterFrame | None = None
    fringes: Sequence[MasterFrame] = ()
    brighter_fatter: MasterFrame | None = None  # the kernel as its image
    defects: Sequence[Box] = ()


@dataclass(slots=True)
class IsrResult:
    """The corrected exposure (its planes are the workspace's), numbers about it, and reservations."""

    exposure: Exposure
    metadata: dict[str, Any] = field(default_factory=dict)
    caveats: list[Caveat] = field(default_factory=list)
