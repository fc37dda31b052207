"""Numba with the project's settings, typed.

Every kernel is compiled with an on-disk cache and releases the GIL, so that a CCD calibrated in a thread leaves an
interface alive. `fastmath` here keeps NaN and infinity meaningful: only reassociation, contraction and reciprocals
are allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["compiled", "inlined"]

F = TypeVar("F", bound=Callable[..., Any])

_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


def compiled(function: F) -> F:
    """Compile `function` in no-Python mode, cached on disk, without the GIL, single-threaded."""
    result: F = numba.njit(cache=True, nogil=True, fastmath=_FASTMATH, error_model="numpy")(function)
    return result


def inlined(function: F) -> F:
    """As `compiled`, for small helpers that are inlined into their callers."""
    result: F = numba.njit(nogil=True, fastmath=_FASTMATH, error_model="numpy", inline="always")(function)
    return result
