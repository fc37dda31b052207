"""From measured sources to a WCS and a zeropoint: matching to reference stars, fits, and their honest quality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safelight.calibrate.catalogs import choose_catalog
    from safelight.calibrate.config import CalibrateConfig
    from safelight.calibrate.first_wcs import first_wcs, reference_circle
    from safelight.calibrate.result import METRICS, CalibrateResult
    from safelight.calibrate.task import run

__all__ = ["METRICS", "CalibrateConfig", "CalibrateResult", "choose_catalog", "first_wcs", "reference_circle", "run"]

_HOMES = {
    "METRICS": "result",
    "CalibrateConfig": "config",
    "CalibrateResult": "result",
    "choose_catalog": "catalogs",
    "first_wcs": "first_wcs",
    "reference_circle": "first_wcs",
    "run": "task",
}


def __getattr__(name: str) -> Any:
    # numba and scipy load with the step itself, not with whoever reads its configuration
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"safelight.calibrate.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
