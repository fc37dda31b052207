"""Which master calibrations a configuration wants for a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safelight.isr.config import IsrConfig

if TYPE_CHECKING:
    from safelight.instruments import Instrument

__all__ = ["SWITCHES", "has_fringes", "wanted_masters"]

#: Kind of calibration -> the switch of `IsrConfig` that makes it needless.
SWITCHES = {
    "bias": "doBias",
    "bfKernel": "doBrighterFatter",
    "dark": "doDark",
    "flat": "doFlat",
    "fringe": "doFringe",
}


def has_fringes(config: IsrConfig, instrument: Instrument, filter_name: str) -> bool:
    """Whether frames in that physical filter show fringes."""
    filters = instrument.fringe_filters if config.fringe.filters is None else config.fringe.filters
    return filter_name in filters


def wanted_masters(config: IsrConfig, instrument: Instrument, filter_name: str) -> list[str]:
    """The kinds of calibration, of `SWITCHES`, that a frame in `filter_name` needs."""
    return [
        kind
        for kind, switch in SWITCHES.items()
        if getattr(config, switch) and (kind != "fringe" or has_fringes(config, instrument, filter_name))
    ]
