"""What every process that crunches numbers sets first: one thread each, no network, death with its parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable

__all__ = ["THREAD_VARIABLES", "die_with_parent", "limit_threads", "peak_rss_mb", "reset_peak_rss", "stay_offline"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_PR_SET_PDEATHSIG = 1


def limit_threads() -> None:
    """One thread for BLAS, OpenMP and numba, where the user has not said otherwise.

    To be called before numpy is imported: the libraries read these variables once.
    """
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")


def stay_offline() -> None:
    """Keep astropy from fetching Earth-orientation tables; those it ships with serve to the accuracy needed here."""
    from astropy.utils import iers

    iers.conf.auto_download = False
    iers.conf.iers_degraded_accuracy = "warn"


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, process id `parent`, ends (Linux; elsewhere nothing)."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def watch_for_orphanage(parent: int, interval_s: float = 1.0, leave: Callable[[int], None] = os._exit) -> None:
    """End this process soon after its parent has gone, on systems whose kernel does not do it."""

    def watch() -> None:
        pause = threading.Event()
        while not pause.wait(interval_s):
            if os.getppid() != parent:
                leave(1)

    threading.Thread(target=watch, name="orphan-watch", daemon=True).start()


def reset_peak_rss() -> None:
    """Start a new measurement of the peak memory of this process (Linux)."""
    try:
        with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123 - a kernel interface, not a path of ours
            file.write("5")
    except OSError:
        return  # not Linux, or not allowed: the peak is then that of the process's life


def peak_rss_mb() -> float:
    """Peak resident memory in MB (10⁶ bytes) since `reset_peak_rss`, or of the process's life."""
    try:
        with open("/proc/self/status") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
