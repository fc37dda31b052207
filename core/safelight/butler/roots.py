"""Where relative paths of a command line begin: ``PIPE_INPUT_ROOT``, ``PIPE_CALIB_ROOT``, ``PIPE_OUTPUT_ROOT``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safelight.butler.rerun import RerunPaths, resolve_rerun
from safelight.errors import UsageError

__all__ = ["Roots", "resolve_root", "resolve_roots"]


def resolve_root(path: str | Path | None, variable: str, environment: Mapping[str, str] | None = None) -> Path | None:
    """`path` below the directory that `variable` names, if it is set; an absolute path stays as it is.

    Without a path the variable's own directory is meant; None if neither is given.
    """
    prefix = (os.environ if environment is None else environment).get(variable)
    if prefix is not None:
        return Path(os.path.abspath(os.path.join(prefix, path or "")))  # noqa: PTH100, PTH118 - "..", not links
    return None if path is None else Path(os.path.abspath(path))  # noqa: PTH100


@dataclass(frozen=True, slots=True)
class Roots:
    """The directories of one command."""

    root: Path  # the repository as typed
    input: Path  # what is read first: the root or a rerun of it
    output: Path | None
    calib: Path | None


def resolve_roots(
    root: str | Path,
    *,
    calib: str | Path | None = None,
    output: str | Path | None = None,
    rerun: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Roots:
    """The directories that a command line means.

    ``PIPE_INPUT_ROOT`` prefixes the root, ``PIPE_CALIB_ROOT`` the calibrations (also where no ``--calib`` is given),
    ``PIPE_OUTPUT_ROOT`` the output, but only where one is given.

    Raises
    ------
    UsageError
        RERUN_AND_OUTPUT when both a rerun and an output are given.
    """
    if rerun is not None and output is not None:
        raise UsageError(
            "RERUN_AND_OUTPUT",
            "--rerun and --output exclude each other.",
            "--rerun NAME writes to ROOT/rerun/NAME; --output PATH writes to PATH.",
        )
    resolved = resolve_root(root, "PIPE_INPUT_ROOT", environment)
    assert resolved is not None
    calib_root = resolve_root(calib, "PIPE_CALIB_ROOT", environment)
    if rerun is not None:
        paths: RerunPaths = resolve_rerun(resolved, rerun)
        return Roots(resolved, paths.input, paths.output, calib_root)
    output_root = None if output is None else resolve_root(output, "PIPE_OUTPUT_ROOT", environment)
    return Roots(resolved, resolved, output_root, calib_root)
