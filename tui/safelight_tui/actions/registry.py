"""What an action is, where it applies, and the one registry all key bindings come from.

An action applies in a *context*. What a key does is looked up in the contexts that are active together: those of the
widget in focus, of its screen, and the one called ``everywhere``. Two actions with one key must never be active
together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType

from safelight_tui.actions.keys import key_label, textual_key

__all__ = ["CONDITIONS", "EVERYWHERE", "Action", "Collision", "Registry"]

EVERYWHERE = "everywhere"

CONDITIONS: Mapping[str, str] = {
    "writable": "the application was started with --read-only",
    "rows": "there is nothing in this list",
    "data_ids": "no data IDs are selected",
    "plan": "there is no plan yet; make one with the plan action",
    "runnable": "nothing in this plan can run",
    "run_live": "no run is going on",
    "run_failed": "no CCD of this run has failed",
    "rerun": "no rerun is chosen",
    "two_reruns": "there is no second rerun to compare with",
    "image": "no image is open",
    "second_image": "no second image is open to blink with",
    "search": "nothing has been searched for here",
    "problems": "there are no failures or caveats here",
    "marked_by_me": "there is no mark of yours to undo",
    "suspendable": "this terminal cannot be handed to another program",
}
"""Named conditions of availability, each with the sentence that says why an action is not available."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something the user can do.

    Parameters
    ----------
    name : str
        Stable identifier: the key of the user's key map, and the suffix of the ``action_`` method that does it.
    context : str
        Where it applies: ``"everywhere"``, a screen or a widget.
    keys : tuple of str
        Keys as the user writes them: ``"g"``, ``"G"``, ``"ctrl+d"``, ``"pageup"``, ``"/"``.
    title : str
        Two or three words for the footer and the palette.
    description : str
        A sentence for the help page.
    needs : tuple of str
        Names of `CONDITIONS` that must hold.
    command : str
        The sub-command that does the same without a screen.
    shown : bool
        Whether the footer shows it.
    """

    name: str
    context: str
    keys: tuple[str, ...]
    title: str
    description: str
    needs: tuple[str, ...] = ()
    command: str = ""
    shown: bool = False

    @property
    def key_labels(self) -> str:
        """The keys as the help shows them, e.g. ``"^D PgDn"``."""
        return " ".join(key_label(key) for key in self.keys)


@dataclass(frozen=True, slots=True)
class Collision:
    """Two actions that one key would start at the same time."""

    key: str
    first: Action
    second: Action

    def __str__(self) -> str:
        return (
            f"the key {self.key!r} is given both to {self.first.name} ({self.first.context}) "
            f"and to {self.second.name} ({self.second.context})"
        )


class Registry:
    """All actions, and which contexts are active together.

    Parameters
    ----------
    actions : iterable of Action
        Names must differ.
    together : mapping of str to sequence of str
        For each focus (a name), the contexts that are active with it; `EVERYWHERE` always is.
    """

    def __init__(self, actions: Iterable[Action], together: Mapping[str, Sequence[str]]) -> None:
        self._actions: dict[str, Action] = {}
        for action in actions:
            if action.name in self._actions:
                raise ValueError(f"two actions are called {action.name!r}")
            unknown = set(action.needs) - set(CONDITIONS)
            if unknown:
                raise ValueError(f"action {action.name!r} needs unknown conditions {sorted(unknown)}")
            self._actions[action.name] = action
        self.together = {name: (*contexts, EVERYWHERE) for name, contexts in together.items()}

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def __len__(self) -> int:
        return len(self._actions)

    def __getitem__(self, name: str) -> Action:
        return self._actions[name]

    def __contains__(self, name: object) -> bool:
        return name in self._actions

    @property
    def contexts(self) -> tuple[str, ...]:
        """Contexts in the order in which the table names them."""
        return tuple(dict.fromkeys(action.context for action in self))

    def of(self, *contexts: str) -> list[Action]:
        """Actions of the contexts named."""
        return [action for action in self if action.context in contexts]

    def where(self, name: str) -> str:
        """The screens and panes in which an action applies, in words: ``"Browse, Plan and Run"``."""
        context = self._actions[name].context
        screens = [focus.split()[0].capitalize() for focus, active in self.together.items() if context in active]
        *others, last = dict.fromkeys(screens)
        return f"{', '.join(others)} and {last}" if others else last

    def active(self, focus: str) -> list[Action]:
        """Actions that apply while `focus` is in focus."""
        return self.of(*self.together[focus])

    def nearest_first(self, focus: str) -> list[Action]:
        """All actions: those of the last named, narrowest context of a focus first, those that work elsewhere last."""
        active = self.together.get(focus, (EVERYWHERE,))
        order = {context: rank for rank, context in enumerate((*reversed(active[:-1]), active[-1]))}
        return sorted(self, key=lambda action: order.get(action.context, len(order)))

    def bindings(self, *contexts: str) -> list[BindingType]:
        """Textual bindings of the contexts named; the action's name is the binding's id, for Textual's key maps."""
        return [
            Binding(
                key=",".join(textual_key(key) for key in action.keys),
                action=action.name,
                description=action.title,
                show=action.shown,
                key_display=key_label(action.keys[0]),
                tooltip=action.description,
                id=action.name,
            )
            for action in self.of(*contexts)
            if action.keys
        ]

    def collisions(self) -> list[Collision]:
        """Pairs of actions that share a key and can be active together."""
        found: dict[tuple[str, str, str], Collision] = {}
        for focus in self.together:
            holders: dict[str, Action] = {}
            for action in self.active(focus):
                for key in action.keys:
                    other = holders.setdefault(textual_key(key), action)
                    if other is not action:
                        found[key, other.name, action.name] = Collision(key, other, action)
        return list(found.values())

    def why_not(self, name: str, holding: Collection[str]) -> str | None:
        """Why the action cannot be done now, as a sentence; None when it can.

        Parameters
        ----------
        holding : collection of str
            The conditions that hold.
        """
        missing = [CONDITIONS[need] for need in self._actions[name].needs if need not in holding]
        return f"{self._actions[name].title}: {missing[0]}" if missing else None

    def with_keys(self, keys: Mapping[str, Sequence[str]]) -> Registry:
        """This registry with other keys for some actions (an empty sequence unbinds).

        Raises
        ------
        KeyError
            An action that does not exist.
        """
        for name in keys:
            if name not in self._actions:
                raise KeyError(name)
        changed = [replace(action, keys=tuple(keys[action.name])) if action.name in keys else action for action in self]
        registry = Registry(changed, {})
        registry.together = dict(self.together)
        return registry
