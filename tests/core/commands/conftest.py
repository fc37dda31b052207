"""A Gen2 repository of the tutorial's frames without pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.gen2 import make_repository, tutorial_frames


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    """The tutorial's 33 frames: a registry and empty files."""
    return make_repository(tmp_path / "DATA", tutorial_frames())
