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

    # --- in memory --------------------------------------------------------------------------------------------------

    def sort(self, session: Session, keys: list[str], *, reverse: bool) -> None:
        """Sort the data IDs by columns of the registry, in a thread where there are many."""
        catalogue = session.catalogue

        def sorted_by(order: Any) -> None:
            if session.catalogue is catalogue:
                session.set_order(order)
                self._app.tell("selection")

        self._app.jobs.start(lambda job: catalogue.sort_keys(keys, reverse=reverse), sorted_by, group="sort")

    def choose_rerun(self, name: str | None) -> None:
        """Choose the rerun that statuses, metrics and actions are about."""
        session = self._app.session
        if session is not None:
            session.choose_rerun(name)
            self._app.tell("selection", "feed")
