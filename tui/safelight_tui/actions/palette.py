"""The command palette's source: every action, those not available dimmed and saying why."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import ClassVar, Protocol, cast

from textual.binding import BindingType
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from safelight_tui.actions.registry import Action, Registry

__all__ = ["ActionHost", "ActionPalette", "ActionProvider"]

ELSEWHERE = 0.7
"""Factor on the score of an action that does not work in the pane in focus."""


class ActionHost(Protocol):
    """What the palette asks of the application."""

    @property
    def actions(self) -> Registry:
        """The registry with the user's keys."""

    @property
    def focus_name(self) -> str:
        """The pane in focus, as `Registry.together` calls it; empty where there is none."""

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
        """All actions: first those of the pane in focus, the nearest context first."""
        for action in self._host.actions.nearest_first(self._host.focus_name):
            yield DiscoveryHit(action.title, partial(self._host.perform, action.name), help=self._help(action))

    async def search(self, query: str) -> Hits:
        """Actions whose title, name or description matches; of equal ones those of the pane in focus come first."""
        matcher = self.matcher(query)
        match = matcher.match
        here = set(self._host.actions.together.get(self._host.focus_name, ()))
        for action in self._host.actions:
            score = max(match(action.title), match(action.name), 0.5 * match(action.description))
            if score > 0:
                yield Hit(
                    score * (1.0 if action.context in here else ELSEWHERE),
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
