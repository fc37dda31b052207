"""A synthetic night with known truth, in the camera's real file formats.

Nothing here imports the reduction: the physics of the simulator and the corrections of the pipeline meet only in
the camera model and in the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safelight.simulate.spec import MasterSpec, NightSpec, VisitSpec

if TYPE_CHECKING:
    from safelight.simulate.night import simulate_night
    from safelight.simulate.presets import PRESETS, real_sky_ccds, spec_from_options

__all__ = [
    "PRESETS",
    "MasterSpec",
    "NightSpec",
    "VisitSpec",
    "real_sky_ccds",
    "simulate_night",
    "spec_from_options",
]

# The compiled kernels behind these take a second to import: not for a --help.
_LATE = {
    "simulate_night": "safelight.simulate.night",
    "PRESETS": "safelight.simulate.presets",
    "real_sky_ccds": "safelight.simulate.presets",
    "spec_from_options": "safelight.simulate.presets",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
