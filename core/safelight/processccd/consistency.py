"""A rerun has one configuration and one set of package versions: written at the first run, compared before any other.

The comparison writes nothing, so that a plan can show what a run would say.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from safelight.butler.atomic import make_directory, write_text, writing_errors
from safelight.butler.backups import back_up
from safelight.errors import ConfigurationMismatch, RepositoryError
from safelight.processccd.config import ProcessCcdConfig
from safelight.processccd.overrides import ConfigLayers
from safelight.processccd.savedconfig import Difference, differences, load_saved, saved_text
from safelight.processccd.versions import version_differences

__all__ = ["compare_config", "config_path", "keep_config", "keep_versions", "rerun_lock", "versions_path"]


def config_path(output: Path) -> Path:
    """Where a rerun keeps its configuration."""
    return output / "config" / "processCcd.py"


def versions_path(output: Path) -> Path:
    """Where a rerun keeps the versions of the packages it was made with."""
    return output / "config" / "packages.yaml"


def compare_config(output: Path, config: ProcessCcdConfig, layers: ConfigLayers) -> list[Difference]:
    """How `config` differs from the rerun's; nothing where the rerun has none yet."""
    path = config_path(output)
    if not path.is_file():
        return []
    saved = load_saved(path.read_text(encoding="utf-8"), str(path))
    return differences(saved, config, layers.source)


def keep_config(
    output: Path, config: ProcessCcdConfig, layers: ConfigLayers, *, clobber: bool = False, backup: bool = True
) -> None:
    """Write the rerun's configuration if it has none; else insist that it is the same, or replace it if told to.

    Raises `ConfigurationMismatch` with every field that differs, both values and who set them.
    """
    path = config_path(output)
    if path.is_file():
        found = compare_config(output, config, layers)
        if not found:
            return
        if not clobber:
            fields = "".join(f"\n  {difference}" for difference in found)
            raise ConfigurationMismatch(
                "CONFIG_MISMATCH",
                f"The rerun {output} was made with another configuration:{fields}",
                "Take another rerun, or replace its configuration with --clobber-config (a backup ~1 is kept).",
            )
        if backup:
            back_up(path)
    write_text(path, saved_text(config, layers))


def keep_versions(output: Path, present: dict[str, str], *, clobber: bool = False) -> None:
    """Write or check the rerun's package versions; versions of packages not seen before are added.

    Raises `ConfigurationMismatch` when a package that both know has another version.
    """
    path = versions_path(output)
    stored = read_versions(path)
    changed = version_differences(stored, present)
    if changed and not clobber:
        raise ConfigurationMismatch(
            "VERSIONS_MISMATCH",
            f"The rerun {output} was made with other package versions: {'; '.join(changed)}.",
            "Replace them with --clobber-versions, pass over them with --no-versions, or take another rerun.",
        )
    merged = {**stored, **present}
    if merged == stored:
        return
    back_up(path)
    write_text(path, yaml.safe_dump(merged, sort_keys=True))


def read_versions(path: Path) -> dict[str, str]:
    """The versions stored in a file; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(name): str(version) for name, version in stored.items()}
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise RepositoryError(
            "BAD_VERSIONS_FILE", f"{path} cannot be read: {error}.", "Replace it with --clobber-versions."
        ) from error


@contextmanager
def rerun_lock(output: Path) -> Iterator[None]:
    """Keep other runs out of a rerun for as long as this lasts; a killed holder's lock is gone with it.

    Raises `RepositoryError` RERUN_BUSY, naming the process that has it, or NOT_WRITABLE.
    """
    path = output / ".safelight" / "run.lock"
    make_directory(path.parent)
    with writing_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            raise RepositoryError(
                "RERUN_BUSY",
                f"Another run is at work in {output}" + (f": process {holder}." if holder else "."),
                "Wait for it, or write to another rerun.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} on {os.uname().nodename}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
