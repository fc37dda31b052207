"""From a post-ISR exposure to measured sources: sky, cosmic rays, PSF, detection, measurement, aperture corrections.

Positions are pixels of the CCD; nothing here knows the sky's coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight.characterize.config import CharacterizeConfig
    from safelight.characterize.task import CharacterizeResult
    from safelight.exposure import Exposure, Workspace

__all__ = ["run"]


def run(
    exposure: Exposure,
    config: CharacterizeConfig,
    *,
    exposure_id: int,
    workspace: Workspace | None = None,
    progress: Callable[[str], None] | None = None,
) -> CharacterizeResult:
    """Characterise `exposure` in place; see `safelight.characterize.task.run`."""
    from safelight.characterize import task  # late: it compiles the pixel loops

    return task.run(exposure, config, exposure_id=exposure_id, workspace=workspace, progress=progress)
