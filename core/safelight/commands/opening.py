"""Opening a repository as a command line means it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight.butler import Butler

__all__ = ["open_butler"]


def open_butler(root: str, *, rerun: str | None = None, output: str | None = None, calib: str | None = None) -> Butler:
    """A butler for the paths of a command line, ``PIPE_INPUT_ROOT`` and its kin taken into account."""
    from safelight.butler import Butler, resolve_roots

    roots = resolve_roots(root, rerun=rerun, output=output, calib=calib)
    return Butler(roots.root, rerun=rerun, output=roots.output if output is not None else None, calib=roots.calib)
