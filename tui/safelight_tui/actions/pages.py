"""The help page of a pane and the README's table of keys, from the registry."""

from __future__ import annotations

from collections.abc import Collection

from safelight_tui.actions.registry import EVERYWHERE, Action, Registry

__all__ = ["help_lines", "markdown_table"]

_HEADINGS = {
    EVERYWHERE: "Everywhere",
    "moving": "Moving",
    "searching": "Searching",
    "table": "Rows",
    "data_ids": "On the data IDs",
    "following": "Following",
    "image": "Image, under the cursor",
}


def _heading(context: str) -> str:
    return _HEADINGS.get(context, f"In {context.capitalize()}")


def help_lines(registry: Registry, focus: str, holding: Collection[str]) -> list[tuple[str, str, str | None]]:
    """Lines of the help of one focus: (keys, text, why not available or None); keys are empty for headings."""
    lines: list[tuple[str, str, str | None]] = []
    context = None
    order = {name: rank for rank, name in enumerate(reversed(registry.together[focus]))}
    for action in sorted(registry.active(focus), key=lambda action: -order[action.context]):
        if action.context != context:
            context = action.context
            lines.append(("", _heading(context), None))
        lines.append((action.key_labels, action.description, registry.why_not(action.name, holding)))
    return lines


def markdown_table(registry: Registry) -> str:
    """All actions as one Markdown table, a row for each context, as the README has it."""
    rows = ["| where | keys |", "|---|---|"]
    for context in registry.contexts:
        rows.append(f"| {_heading(context)} | {', '.join(map(_cell, registry.of(context)))} |")
    return "\n".join(rows) + "\n"


def _cell(action: Action) -> str:
    keys = " ".join(f"`{label}`" for label in action.key_labels.split())
    command = f" (`{action.command}`)" if action.command else ""
    return f"{keys} {action.title}{command}"
