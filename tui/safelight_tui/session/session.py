"""One open repository as the event loop sees it: everything here is in memory, and nothing here waits.

Screens read it; they change it only through the methods below, which the application calls. What it holds are
immutable pictures that the feed and the jobs bring.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight_tui.catalogue import Bitset, Selection
from safelight_tui.session.catalogue import Catalogue
from safelight_tui.session.filtering import FilterResult, evaluate
from safelight_tui.session.reruns import NOTHING_KNOWN, SCRATCH, CcdState, FeedSnapshot, RerunView

if TYPE_CHECKING:
    from safelight.butler.butler import Butler

__all__ = ["Session", "id_text"]


class Session:
    """An open repository.

    Parameters
    ----------
    root : Path
        The repository.
    read_only : bool
        Whether the application may start runs and write marks.
    """

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self.read_only = read_only
        #: For jobs only: every method of a butler may touch the disk. None until the repository is open.
        self.butler: Butler | None = None
        self.catalogue = Catalogue.empty()
        self.feed: FeedSnapshot = NOTHING_KNOWN
        #: The last valid filter.
        self.filter: FilterResult = evaluate("", self.catalogue)
        #: Rows in view, in the order of the table.
        self.selection = Selection(self.filter.view)
        self.marked = Bitset.none(0)
        #: Row under the cursor of the table of data IDs.
        self.cursor_row: int | None = None
        self._rerun: str | None = None
        self._order: NDArray[np.integer] | None = None
        self._wanted_filter: str | None = None

    @property
    def name(self) -> str:
        """What the header calls it."""
        return self.root.name or str(self.root)

    def refuse_inside(self, path: Path) -> None:
        """For jobs, before they write a file: raises `UsageError` READ_ONLY where it would lie in the repository of an
        application that writes nothing there."""
        from safelight.errors import UsageError

        if self.read_only and path.expanduser().resolve().is_relative_to(self.root.resolve()):
            raise UsageError(
                "READ_ONLY",
                f"{path} lies in the repository, and the application was started with --read-only.",
                "Nothing was written. Choose another place, ~ for instance.",
            )

    # --- reruns -----------------------------------------------------------------------------------------------------

    @property
    def rerun(self) -> RerunView | None:
        """The chosen rerun: the user's choice, else the one where something happened last; trials come last."""
        if self._rerun is not None and self._rerun in self.feed.reruns:
            return self.feed.reruns[self._rerun]
        newest = self.feed.reruns.values()
        return max(newest, key=lambda rerun: (not rerun.name.startswith(SCRATCH), rerun.newest), default=None)

    def choose_rerun(self, name: str | None) -> None:
        """Choose a rerun by name; None: the newest. It may be made later."""
        self._rerun = name
        self._evaluate_again()

    @property
    def chosen_rerun(self) -> str | None:
        """The name the user chose, or None."""
        return self._rerun

    def reruns_newest_first(self) -> list[RerunView]:
        """The chosen rerun, then the others, the newest first."""
        chosen = self.rerun
        others = sorted(self.feed.reruns.values(), key=lambda rerun: rerun.newest, reverse=True)
        return ([chosen] if chosen is not None else []) + [rerun for rerun in others if rerun is not chosen]

    def state(self, row: int, rerun: RerunView | None = None) -> CcdState | None:
        """State of a row's CCD in a rerun (the chosen one); None where the rerun knows nothing of it."""
        rerun = rerun or self.rerun
        return rerun.states.get(self.catalogue.name(row)) if rerun is not None else None

    # --- what is selected -------------------------------------------------------------------------------------------

    def set_filter(self, text: str) -> FilterResult:
        """Select what a filter text says.

        Raises
        ------
        DataIdError
            The text is invalid; the last valid filter stays.
        """
        self.filter = evaluate(text, self.catalogue, self.rerun)
        self._wanted_filter = None
        self._select()
        return self.filter

    @property
    def filter_text(self) -> str:
        """The last valid filter as it is written, or the remembered one that waits for the catalogue."""
        return self.filter.text if self._wanted_filter is None else self._wanted_filter

    def want_filter(self, text: str) -> None:
        """Set a filter as soon as the catalogue is there (a remembered one)."""
        self._wanted_filter = text

    def set_order(self, order: NDArray[np.integer] | None) -> None:
        """Sort the rows: all rows of the catalogue in the order wanted; None: by visit and CCD."""
        self._order = order
        self._select()

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """Take a longer catalogue."""
        self.catalogue = catalogue
        self._order = None
        self.marked = self.marked.resized(catalogue.size)
        self._evaluate_again()

    def set_feed(self, feed: FeedSnapshot) -> bool:
        """Take a newer picture; whether the selection may be another now."""
        self.feed = feed
        if self.filter.narrowing:
            self._evaluate_again()
            return True
        return False

    def _evaluate_again(self) -> None:
        from safelight.errors import DataIdError

        text = self.filter.text if self._wanted_filter is None else self._wanted_filter
        try:
            self.filter = evaluate(text, self.catalogue, self.rerun)
        except DataIdError:  # a remembered filter of a repository that has changed
            self.filter = evaluate("", self.catalogue, self.rerun)
        if self.catalogue.complete:
            self._wanted_filter = None
        self._select()

    def _select(self) -> None:
        order = self._order if self._order is not None else self.catalogue.default_order
        self.selection = Selection(self.filter.view, order)

    # --- data IDs for other screens ---------------------------------------------------------------------------------

    def chosen_rows(self) -> list[int]:
        """Rows that an action is about: the marked ones in view; without marks all in view."""
        marked = self.marked & self.filter.view if self.marked.size == self.filter.view.size else Bitset.none(0)
        rows: list[int] = marked.rows().tolist() if marked else self.filter.view.rows().tolist()
        return rows

    def chosen_id_text(self) -> str:
        """``--id`` text of exactly `chosen_rows`: the filter's own when nothing is marked and nothing narrowed."""
        everything = not (self.marked and self.marked & self.filter.view) and self.filter.view == self.filter.rows
        return self.filter.id_text if everything else self.id_text(self.chosen_rows())

    def id_arguments(self) -> list[str]:
        """The words ``--id ...`` that select exactly `chosen_rows` on a command line."""
        from safelight.dataid import parse

        return parse(self.chosen_id_text()).to_id_arguments()

    def command_line(self) -> str:
        """The ``processCcd.py`` line that runs `chosen_rows` in the chosen rerun, quoted for a shell."""
        import shlex

        rerun = self.rerun.name if self.rerun is not None else (self._rerun or "first")
        return shlex.join(["processCcd.py", str(self.root), "--rerun", rerun, *self.id_arguments()])

    def id_text(self, rows: Iterable[int]) -> str:
        """``--id`` text that selects exactly these rows."""
        return id_text([self.catalogue.data_id(row) for row in rows], self.catalogue.identity)


def _listed(values: Sequence[Any]) -> str:
    """Values as ``--id`` takes them: three and more neighbouring numbers as a range."""
    if not all(isinstance(value, int) and value >= 0 for value in values):
        return "^".join(map(str, values))
    parts: list[str] = []
    ordered = sorted(values)
    start = 0
    for place in range(1, len(ordered) + 1):
        if place < len(ordered) and ordered[place] == ordered[place - 1] + 1:
            continue
        run = ordered[start:place]
        parts += [f"{run[0]}..{run[-1]}"] if len(run) > 2 else map(str, run)
        start = place
    return "^".join(parts)


def id_text(data_ids: Sequence[dict[str, Any]], identity: Sequence[str]) -> str:
    """``--id`` text of some data IDs, by their identifying keys; equal lists of CCDs share a group.

    >>> id_text([{"visit": 1, "ccd": 4}, {"visit": 1, "ccd": 5}, {"visit": 2, "ccd": 4}], ("visit", "ccd"))
    'visit=1 ccd=4^5 or visit=2 ccd=4'
    """
    from safelight.dataid import parse

    *outer, inner = identity
    lists: dict[tuple[Any, ...], list[Any]] = {}
    for data_id in data_ids:
        values = lists.setdefault(tuple(data_id[key] for key in outer), [])
        if data_id[inner] not in values:
            values.append(data_id[inner])
    merged: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for head, values in lists.items():
        merged.setdefault(tuple(values), []).append(head)
    groups: list[list[str]] = []
    for inners, heads in merged.items():
        tail = f"{inner}={_listed(inners)}"
        if len(outer) == 1:
            groups.append([f"{outer[0]}={_listed([head[0] for head in heads])}", tail])
        else:
            groups += [[*(f"{key}={value}" for key, value in zip(outer, head)), tail] for head in heads]
    return parse(groups).to_text() if groups else ""
