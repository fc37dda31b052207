"""Instrument signature removal: from a raw frame to a corrected exposure; one module a correction.

Kernels are imported on the first run, so that configuration and ``--help`` stay quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safelight.isr.config import IsrConfig
from safelight.isr.result import IsrResult, Masters
from safelight.isr.wanted import SWITCHES, wanted_masters

if TYPE_CHECKING:
    from safelight.exposure import Workspace
    from safelight.instruments import Instrument, RawFrame

__all__ = ["SWITCHES", "IsrConfig", "IsrResult", "Masters", "run", "wanted_masters"]


def run(
    raw: RawFrame, masters: Masters, config: IsrConfig, instrument: Instrument, workspace: Workspace | None = None
) -> IsrResult:
    """Remove the instrument's signature from `raw`; see `safelight.isr.task.remove_signature`."""
    from safelight.isr.task import remove_signature

    return remove_signature(raw, masters, config, instrument, workspace)
