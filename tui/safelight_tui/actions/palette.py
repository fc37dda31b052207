"""The command palette's source: every action, those not available dimmed and saying why."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import ClassVar, Protocol, cast

from textual.binding import BindingType
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from safelight_tui.actions.registry import Action, Registry

__all__ = ["ActionHost", "ActionPalette", "ActionProvider"]


class ActionHost(Protocol):
    """What the palette asks of the application."""

    @property
    def actions(self) -> Registry:
        """The registry with the user's keys."""

    def holding(self) -> Collection[str]:
        """Names of the conditions that hold now."""

    async def perform(self, name: str) -> None:
        """Do the action, or say why not."""


class ActionProvider(Provider):
    """Searches the registry."""

    @property
    def _host(self) -> ActionHost:
        return cast(ActionHost, self.app)

    def _help(self, action: Action) -> str:
        why_not = self._host.actions.why_not(action.name, self._host.holding())
        keys = f"  {action.key_labels}" if action.keys else ""
        return f"not now, {why_not}" if why_not else action.description + keys

    async def discover(self) -> Hits:
        """All actions, in the order of the table."""
        for action in self._host.actions:
            yield DiscoveryHit(action.title, partial(self._host.perform, action.name), help=self._help(action))

    async def search(self, query: str) -> Hits:
        """Actions whose title, name or description matches."""
        matcher = self.matcher(query)
        match = matcher.match
        for action in self._host.actions:
            score = max(match(action.title), match(action.name), 0.5 * match(action.description))
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(action.title),
                    partial(self._host.perform, action.name),
                    text=action.title,
                    help=self._help(action),
                )


class ActionPalette(CommandPalette):
    """The palette of all actions. Escape comes late in tmux, so that ^G leaves it too, as it leaves everything."""

    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+g", "escape", "Give up")]

    def __init__(self) -> None:
        super().__init__(providers=[ActionProvider], placeholder="Search all actions")
