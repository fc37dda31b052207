"""The one registry of actions, from which bindings, palette, help, README table and key map are made."""

from safelight_tui.actions.registry import Action, Registry
from safelight_tui.actions.table import ACTIONS

__all__ = ["ACTIONS", "Action", "Registry"]
