"""Moving over lines, in every pane that is made of them: by a line, half a page, a page, to either end."""

from __future__ import annotations

from abc import abstractmethod

__all__ = ["MovingByLines"]


class MovingByLines:
    """The actions of the context ``moving`` for a widget that shows a page of many lines."""

    @property
    @abstractmethod
    def page(self) -> int:
        """Lines in view, at least 1."""

    @abstractmethod
    def move_by(self, lines: int) -> None:
        """Move the cursor (or, without one, the page) down, or up by a negative number; stay within what there is."""

    @abstractmethod
    def action_move_first(self) -> None:
        """To the first line."""

    @abstractmethod
    def action_move_last(self) -> None:
        """To the last line."""

    def action_move_up(self) -> None:
        """One line up."""
        self.move_by(-1)

    def action_move_down(self) -> None:
        """One line down."""
        self.move_by(1)

    def action_half_page_up(self) -> None:
        """Half a page up."""
        self.move_by(-max(1, self.page // 2))

    def action_half_page_down(self) -> None:
        """Half a page down."""
        self.move_by(max(1, self.page // 2))

    def action_page_up(self) -> None:
        """A page up, one line kept."""
        self.move_by(-max(1, self.page - 1))

    def action_page_down(self) -> None:
        """A page down, one line kept."""
        self.move_by(max(1, self.page - 1))
