"""A small HSC repository with the tutorial's 33 frames: registry rows and empty files, no pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.gen2 import GEN2_SCHEMA, make_repository, tutorial_frames


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An old-style Gen2 repository with the frames' files, which are empty."""
    return make_repository(tmp_path / "DATA", tutorial_frames())


@pytest.fixture
def gen2_schema() -> str:
    """The SQL that makes Gen2's registry."""
    return GEN2_SCHEMA
