"""Browse's filter: the bar, the facets, and the search for what was filtered before."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from safelight.errors import DataIdError
from safelight_tui.catalogue import Bitset
from safelight_tui.screens.matching import go_to_match
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.session.completion import Completion, complete
from safelight_tui.session.facets import facets, release, toggle
from safelight_tui.session.filtering import evaluate
from safelight_tui.session.repositorytree import branch_values
from safelight_tui.session.session import Session
from safelight_tui.widgets.filter_bar import FilterBar
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.tree_view import TreeView

__all__ = ["BrowseFiltering"]


class BrowseFiltering(ModeScreen):
    """The part of Browse that filters and searches."""

    def __init__(self) -> None:
        super().__init__()
        self.stale = False
        """Whether the rows in view are not those of the text in the bar, which is invalid."""
        self._row_before: int | None = None

    # --- what the rest of the screen gives --------------------------------------------------------------------------

    @property
    def bar(self) -> FilterBar:
        """The filter bar."""
        return self.query_one("#filter", FilterBar)

    @property
    def table(self) -> LineTable:
        """The table of data IDs."""
        return self.query_one("#data-ids", LineTable)

    @property
    def tree_pane(self) -> TreeView:
        """The tree."""
        return self.query_one("#tree", TreeView)

    @abstractmethod
    def show_table(self, session: Session) -> None:
        """Show the rows of the session."""

    # --- the bar ----------------------------------------------------------------------------------------------------

    def complete(self, text: str, cursor: int) -> Completion:
        """What could stand at the cursor of the bar."""
        session = self.session
        if session is None:
            return Completion(cursor, cursor, ())
        return complete(text, cursor, session.catalogue, session.rerun)

    def show_count(self, session: Session) -> None:
        """Say in the bar how many rows are selected, and how many of them are in view."""
        result = session.filter
        narrowed = len(result.view) if result.narrowing else None
        self.bar.show_count(len(result.rows), session.catalogue.size, narrowed=narrowed)

    def action_filter(self) -> None:
        """Open the filter bar."""
        session, self._row_before = self.session, self.table.row_id
        self.bar.open(self.shell.remembered.of(session.root).history if session is not None else ())

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """Select as it is typed; while the text is invalid the last valid selection stays, greyed."""
        self.apply(event.text)

    def apply(self, text: str) -> bool:
        """Select what a text says; whether it is valid."""
        session = self.session
        if session is None:
            return False
        try:
            result = session.set_filter(text)
        except DataIdError as error:
            self.stale = True
            self.show_table(session)
            self.bar.show_error(error)
            return False
        self.stale = False
        self.bar.show_error(None)
        self.bar.show_note(result.why_empty)
        self.shell.tell("selection")
        self.show_count(session)
        return True

    def on_filter_bar_kept(self, event: FilterBar.Kept) -> None:
        """Keep the filter, remember it, go to the table."""
        if self.session is not None:
            self.shell.remembered.add_to_history(self.session.root, event.text)
        self.table.focus()
        self.shell.save_state()

    def on_filter_bar_given_up(self, event: FilterBar.GivenUp) -> None:
        """Back to the filter from before, and to the row."""
        self.apply(event.text)
        place = self.table.model.place_of(self._row_before) if self._row_before is not None else None
        if place is not None:
            self.table.move_to(place)
        self.table.focus()

    def set_filter(self, text: str) -> None:
        """Select what a text says that was not typed, and remember it."""
        self.bar.set_text(text)
        if self.apply(text) and self.session is not None:
            self.shell.remembered.add_to_history(self.session.root, text)

    def action_facets(self) -> None:
        """Choose values from lists."""
        from safelight_tui.screens.facets import FacetsScreen

        session = self.session
        if session is None:
            return

        def switched(key: str, value: str | None) -> None:
            text = session.filter.text
            self.set_filter(toggle(text, key, value) if value is not None else release(text, key))
            screen.show(facets(session.filter.text, session.catalogue, session.rerun), session.filter.text)

        screen = FacetsScreen(
            facets(session.filter.text, session.catalogue, session.rerun), session.filter.text, switched
        )
        self.app.push_screen(screen)

    # --- the search -------------------------------------------------------------------------------------------------

    @property
    def searched(self) -> str:
        """The filter that was kept last: what a match is, also after the filter itself was taken away."""
        history = self.shell.remembered.of(self.session.root).history if self.session is not None else []
        return history[-1] if history else ""

    def action_next_match(self) -> None:
        """To the next row, or line of the tree, that the last filter selects."""
        self._go_to_match(1)

    def action_previous_match(self) -> None:
        """To the one before."""
        self._go_to_match(-1)

    def _go_to_match(self, step: int) -> None:
        session = self.session
        if session is None:
            return
        try:
            matches = evaluate(self.searched, session.catalogue, session.rerun).view & session.filter.view
        except DataIdError as error:  # kept when the repository had other keys
            self.shell.show_error(error)
            return
        in_tree = self.focused is self.tree_pane
        places = self.matching_branches(session, matches) if in_tree else self._rows(session, matches)
        pane = self.tree_pane if in_tree else self.table
        what = "line of the tree" if in_tree else "row in view"
        go_to_match(self, pane, places, self.searched, step, what)

    @staticmethod
    def _rows(session: Session, matches: Bitset) -> list[int]:
        shown = session.selection.window(0, len(session.selection))
        places: list[int] = np.flatnonzero(matches.mask()[shown]).tolist()
        return places

    def matching_branches(self, session: Session, matches: Bitset) -> list[int]:
        """Lines of the raw frames that hold a match and are not open."""
        tree, columns = self.tree_pane, session.catalogue.columns
        places = []
        for place, key in enumerate(tree.keys):
            values = branch_values(key)
            if values is None or key in tree.opened:
                continue
            rows = matches
            for name, value in values.items():
                rows = rows & columns[name].equal_to(value)
            if rows:
                places.append(place)
        return places
