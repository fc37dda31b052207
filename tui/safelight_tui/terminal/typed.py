"""Keys one after another: the next is handed on when the one before has had its effect.

Textual forwards each key to the widget in focus at once, while the key before it is still on its way up from there. On
a slow line several keys come in one piece: of ``/filter``, typed fast, the letters would go to the table as commands,
before the slash has opened the filter bar.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from textual import events
from textual.message_pump import MessagePump

__all__ = ["OrderedKeys"]

Typed = events.Key | events.Paste

_PATIENCE_S = 0.5
"""After which a key counts as over: the widget it was handed to is gone."""


class OrderedKeys:
    """Holds back keys and pastes while one is on its way.

    Parameters
    ----------
    app : MessagePump
        The application: where a key that no widget has stopped ends.
    target : callable
        Gives the widget that the next key goes to.
    forward : callable
        Hands a key on as Textual does.
    """

    def __init__(
        self,
        app: MessagePump,
        target: Callable[[], MessagePump],
        forward: Callable[[Typed], Awaitable[None]],
    ) -> None:
        self._app, self._target, self._forward = app, target, forward
        self._waiting: deque[Typed] = deque()
        self._under_way: Typed | None = None
        self._since = 0.0

    async def take(self, event: Typed) -> None:
        """Hand a key on, or hold it back until the ones before it are over."""
        self._waiting.append(event)
        if self._under_way is None or time.monotonic() - self._since > _PATIENCE_S:
            await self._next()

    async def _next(self) -> None:
        self._under_way = None
        if self._waiting:
            event = self._waiting.popleft()
            self._under_way, self._since = event, time.monotonic()
            target = self._target()
            await self._forward(event)
            self._follow(event, target)

    def _follow(self, event: Typed, node: MessagePump) -> None:
        """Go with the key from widget to parent: each handles what is asked of it after the key itself."""
        if not node.call_later(partial(self._passed, event, node)):
            self._app.call_later(partial(self._passed, event, self._app))

    async def _passed(self, event: Typed, node: MessagePump) -> None:
        parent = node._parent
        if node is not self._app and parent is not None and not event._stop_propagation:
            self._follow(event, parent)
        elif event is self._under_way:
            # Once more through the queue: what the key has started there comes first.
            self._app.call_later(self._next)
