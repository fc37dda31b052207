"""Numba with the project's settings, typed.

Every kernel is compiled with an on-disk cache and releases the GIL, so that a CCD calibrated in a thread leaves an
interface alive. `fastmath` here keeps NaN and infinity meaningful: only reassociation, contraction and reciprocals
are allowed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

__all__ = ["compiled", "inlined"]

F = TypeVar("F", bound=Callable[..., Any])

_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


def compiled(function: F) -> F:
    """Compile `function` in no-Python mode, cached on disk, without the GIL, single-threaded.

    Numba caches beside the source or below the home directory. Where neither can be written (a read-only container)
    the cache is in a folder of this user's below the system's temporary one; without that, each process compiles anew.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": _FASTMATH, "error_model": "numpy"}
    result: F
    with contextlib.suppress(RuntimeError):  # "cannot cache function"
        result = numba.njit(cache=True, **options)(function)
        return result
    folder = _own_temporary_folder()
    if folder is not None and not numba.config.CACHE_DIR:
        numba.config.CACHE_DIR = str(folder)
        with contextlib.suppress(RuntimeError):
            result = numba.njit(cache=True, **options)(function)
            return result
    result = numba.njit(**options)(function)
    return result


def _own_temporary_folder() -> Path | None:
    """A folder that only this user can write; None if there is none. A cache holds code: no one else may put any in."""
    folder = Path(tempfile.gettempdir(), f"safelight-kernels-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    return folder if private else None


def inlined(function: F) -> F:
    """As `compiled`, for small helpers that are inlined into their callers."""
    result: F = numba.njit(nogil=True, fastmath=_FASTMATH, error_model="numpy", inline="always")(function)
    return result
