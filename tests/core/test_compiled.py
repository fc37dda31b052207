"""Where compiled kernels are cached when numba's own places cannot be written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numba
import pytest
from numba.core import caching

from safelight.compiled import compiled


def double(x: float) -> float:
    return 2.0 * x


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Neither the sources nor the home directory take a cache; the temporary folder is the one returned."""
    places = caching.CompileResultCacheImpl._locator_classes
    told = [place for place in places if "UserProvided" in place.__name__]
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", told)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_kernels_are_cached_in_a_private_temporary_folder_where_nothing_else_can_be_written(read_only: Path) -> None:
    assert compiled(double)(2.0) == 4.0
    [folder] = read_only.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.rglob("*.nbi"))


def test_a_folder_that_others_can_write_is_not_trusted_with_code(read_only: Path) -> None:
    folder = read_only / f"safelight-kernels-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    assert compiled(double)(2.0) == 4.0
    assert not list(folder.rglob("*.nbi"))


def test_a_link_in_its_place_is_not_followed(read_only: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (read_only / f"safelight-kernels-{os.getuid()}").symlink_to(elsewhere)
    assert compiled(double)(2.0) == 4.0
    assert not list(elsewhere.iterdir())
