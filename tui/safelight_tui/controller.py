"""From what the user asks for to calls of the library, each in a job's thread.

Screens call a method with a callback; nothing here touches a disk in the event loop. What only changes what is in
memory (filter, order, rerun) is done at once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import SafelightError
from safelight_tui.jobs import Job
from safelight_tui.widgets.status import Status

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight_tui.app import SafelightApp
    from safelight_tui.session.session import Session

__all__ = ["Controller"]


class Controller:
    """Does what screens ask.

    Parameters
    ----------
    app : SafelightApp
        Gives jobs, session and messages.
    """

    def __init__(self, app: SafelightApp) -> None:
        self._app = app

    # --- with the disk ----------------------------------------------------------------------------------------------

    def ask(
        self,
        work: Callable[[Butler], Any],
        then: Callable[[Any], None],
        *,
        failed: Callable[[SafelightError], None] | None = None,
        group: str = "",
    ) -> Job | None:
        """Do `work` with the butler of the open repository in a thread; `then` gets its result in the event loop.

        None (and nothing done) while no repository is open.
        """
        session = self._app.session
        if session is None or session.butler is None:
            return None
        butler = session.butler
        return self._app.jobs.start(lambda job: work(butler), then, failed=failed or self._app.show_error, group=group)

    def open_repository(self, root: Path) -> None:
        """Open a repository in a thread; the application becomes its viewer when that succeeds."""

        def work(job: Job) -> tuple[Path, Butler]:
            from safelight.butler.butler import Butler

            butler = Butler(root)
            butler.registry.keys()  # a repository without a registry is told at once
            butler.instrument  # noqa: B018 - reads the camera's file
            return butler.root, butler

        self._app.jobs.start(work, self._app.repository_opened, failed=self._app.repository_refused, group="open")

    def write_list(self, session: Session) -> None:
        """Write the rows in view as CSV into the directory the application was started in, never over another file."""
        catalogue, rows = session.catalogue, [int(row) for row in session.selection.window(0, len(session.selection))]
        states = [session.state(row) for row in rows]

        def work(job: Job) -> Path:
            import csv
            import io

            from safelight_tui.terminal.clipboard import write_new_file

            session.refuse_inside(Path.cwd())
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow([*catalogue.keys, "status", "code"])
            for row, state in zip(rows, states, strict=True):
                known = ["", ""] if state is None else [state.status.word, state.code]
                writer.writerow([*catalogue.data_id(row).values(), *known])
            return write_new_file(text.getvalue(), Path.cwd(), f"{session.name}-data-ids", ".csv")

        def written(path: Path) -> None:
            self._app.say(f"Wrote {len(rows)} rows to {path}.")

        self._app.jobs.start(work, written, failed=self._app.show_error)

    def copy(self, text: str, what: str = "") -> None:
        """Put text on the clipboard of the user's terminal and say where it (`what`, or the text itself) went."""

        def work(job: Job) -> str:
            import os

            from safelight_tui.terminal.clipboard import copy

            return copy(text, self._app.write_control, os.environ)

        def told(where: str) -> None:
            shown = text if len(text) <= 200 else text[:199] + "…"
            self._app.say(f"{what + ': ' if what else ''}{shown}\n{where}")

        self._app.jobs.start(work, told, failed=self._app.show_error)

    # --- in memory --------------------------------------------------------------------------------------------------

    def sort(self, session: Session, keys: list[str], *, reverse: bool) -> None:
        """Sort the data IDs by columns of the registry, in a thread where there are many."""
        catalogue = session.catalogue

        def sorted_by(order: Any) -> None:
            if session.catalogue is catalogue:
                session.set_order(order)
                self._app.tell("selection")

        self._app.jobs.start(lambda job: catalogue.sort_keys(keys, reverse=reverse), sorted_by, group="sort")

    def sort_by_status(self, session: Session, rerun: str, *, reverse: bool) -> None:
        """Sort by status in a rerun, problems first; equal ones by visit and CCD."""
        import numpy as np

        catalogue, view = session.catalogue, session.feed.reruns.get(rerun)
        ranks = np.full(catalogue.size, len(Status), np.int64)
        order = {status: rank for rank, status in enumerate(sorted(Status, key=lambda s: (not s.problem, s.letter)))}
        for state in view.states.values() if view is not None else ():
            row = catalogue.row_of(state.data_id)
            if row is not None:
                ranks[row] = order[state.status]
        base = catalogue.default_order
        base = np.arange(catalogue.size) if base is None else base
        keys = ranks[base] if not reverse else -ranks[base]
        session.set_order(base[np.argsort(keys, kind="stable")])
        self._app.tell("selection")

    def choose_rerun(self, name: str | None) -> None:
        """Choose the rerun that statuses, metrics and actions are about."""
        session = self._app.session
        if session is not None:
            session.choose_rerun(name)
            self._app.tell("selection", "feed")
