"""The program of one worker process: ``python -m safelight.processccd.worker FD PARENT``.

It speaks over the inherited socket FD. From the parent come a set-up (task and context) and then jobs, one at a time;
back go "ready", stages, log records and outcomes. Nothing is inherited but the socket: the process starts from a
fresh interpreter, never from a fork, and dies with its parent.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from safelight.processccd.executor import failed_outcome
from safelight.processccd.runtime import die_with_parent, limit_threads, watch_for_orphanage

__all__ = ["main"]


class _Remote:
    """Says over the socket what a task reports."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection

    def stage(self, name: str) -> None:
        self._connection.send(("stage", name))

    def log(self, level: int, component: str, message: str) -> None:
        self._connection.send(("log", level, component, message))


def serve(connection: Connection[Any, Any]) -> None:
    """Set up as told, then work through jobs until the parent closes the socket."""
    spec = connection.recv()
    try:
        task = spec.build()
    except Exception:
        connection.send(("broken", traceback.format_exc()))
        return
    connection.send(("ready",))
    remote = _Remote(connection)
    while True:
        job = connection.recv()
        try:
            outcome = task(job, remote)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            outcome = failed_outcome(job, "", "INTERNAL_ERROR", message, trace=traceback.format_exc())
        outcome.worker = os.getpid()
        connection.send(("done", outcome))


def main() -> None:
    """Run as the child of a `ProcessPool`."""
    # Ctrl+C reaches the whole foreground group; what it means is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = int(sys.argv[2])
    die_with_parent(parent)
    watch_for_orphanage(parent)
    limit_threads()
    sys.stdout = sys.stderr  # stdout belongs to the parent's data
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the parent is done with us


if __name__ == "__main__":
    main()
