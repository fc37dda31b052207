"""Keys one after another: the next is handed on when all that the one before it has started is over.

Textual forwards a key to the widget in focus at once, while what the key before it has started (an action, a focus
that moves, a screen that is composed, messages from widget to screen) still stands in a dozen queues. On a slow line,
or from someone who types ahead, several keys come in one piece: of ``/filter=HSC-I`` and Enter and ``gi`` the letters
would go to the table as commands, and the commands into the filter.

Each widget has a queue of its own, so "over" is found out by asking all of them: a mark is put into every queue and
awaited, until a round of marks finds that nothing else was dispatched meanwhile. A key that comes alone, as keys do
from a human hand, waits for nothing: the rounds were made after the key before it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any

from textual import events
from textual._context import message_hook
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

__all__ = ["OrderedKeys"]

Typed = events.Key | events.Paste

_MOST_ROUNDS = 40
"""After which something else (a feed, an animation) is what keeps the queues busy."""

_TICK_S = 0.05
_SILENT_TICKS = 20
"""Ticks without any message after which a queue that has not come to its mark is taken to wait for the user."""

_LONGEST_HOLD_S = 2.0
"""How long keys wait for a repository that is being opened: quitting must stay possible where a disk hangs."""


class OrderedKeys:
    """Holds back keys and pastes while the one before is on its way.

    Parameters
    ----------
    app : App
        Its queue, those of its screens and of their widgets are waited for.
    forward : callable
        Hands a key on as Textual does; called in the application's own queue.
    """

    def __init__(self, app: App[Any], forward: Callable[[Typed], Awaitable[None]]) -> None:
        self._app, self._forward = app, forward
        self._waiting: deque[Typed] = deque()
        self._typist: asyncio.Task[None] | None = None
        self._begun = False
        self._held: asyncio.Event | None = None
        self._dispatched = 0
        self._painted: MessagePump | None = None

    def watch(self) -> None:
        """Count what is dispatched in this application; to be called before the first widget begins its work."""
        before = message_hook.get(None)

        def hook(message: Message) -> None:
            if before is not None:
                before(message)
            if not isinstance(message, events.Timer):
                self._dispatched += 1

        message_hook.set(hook)

    @property
    def busy(self) -> bool:
        """Whether a key waits, or what one has started is not over."""
        return self._typist is not None or bool(self._waiting)

    def hold(self) -> None:
        """Keep keys back until `release`: what they are about is being read."""
        if self._held is None:
            self._held = asyncio.Event()

    def release(self) -> None:
        """Let them go."""
        if self._held is not None:
            self._held.set()
            self._held = None

    async def take(self, event: Typed) -> None:
        """Hand a key on at once, or after those before it."""
        event = _as_enter(event)
        if self._typist is None and self._begun and self._held is None:
            await self._forward(event)
        else:  # before the first key the first screen may still be on its way
            self._waiting.append(event)
        self._begun = True
        if self._typist is None:
            self._typist = asyncio.create_task(self._type(), name="typist")

    async def _type(self) -> None:
        try:
            while True:
                await self._opened()
                await self.settle()
                if not self._waiting or not self._app.is_running:
                    return
                self._app.call_later(self._forward, self._waiting.popleft())
        finally:
            self._typist = None

    async def _opened(self) -> None:
        held = self._held
        if held is not None:
            try:
                await asyncio.wait_for(held.wait(), _LONGEST_HOLD_S)
            except TimeoutError:
                self.release()

    async def settle(self) -> None:
        """Wait until nothing is left to be done in any queue, nor for the next painting."""
        for _ in range(_MOST_ROUNDS):
            before = self._dispatched
            if not await self._all_come_to(self._pumps(), MessagePump.call_later):
                return
            if self._dispatched != before:
                continue
            top = self._app.screen_stack[-1:]
            if not top or top[0] is self._painted:
                return
            self._painted = top[0]  # one that has just come into view has no sizes yet, and no cursor to move
            if not await self._all_come_to(top, MessagePump.call_after_refresh):
                return

    def _pumps(self) -> list[MessagePump]:
        widgets = (screen.walk_children(with_self=True) for screen in self._app.screen_stack)
        return [self._app, *chain.from_iterable(widgets)]

    async def _all_come_to(self, pumps: Sequence[MessagePump], put: Callable[..., bool]) -> bool:
        """Put a mark into each queue and wait until all have come to it; False when one does not."""
        pending: set[MessagePump] = set()
        all_came = asyncio.Event()

        def came(pump: MessagePump) -> None:
            self._dispatched -= 1  # the mark itself
            pending.discard(pump)
            if not pending:
                all_came.set()

        for pump in pumps:
            if put(pump, came, pump):
                pending.add(pump)
        silent = 0
        while pending:
            before = self._dispatched
            try:
                await asyncio.wait_for(all_came.wait(), _TICK_S)
            except TimeoutError:
                pending -= {pump for pump in pending if not pump.is_running}  # removed meanwhile
                silent = silent + 1 if self._dispatched == before else 0
                if silent >= _SILENT_TICKS:
                    return False
        return True


def _as_enter(event: Typed) -> Typed:
    """Enter typed before the program had the terminal: the line discipline has made a line feed of it."""
    if isinstance(event, events.Key) and event.key == "ctrl+j":
        entered = events.Key("enter", "\r")
        entered.time = event.time
        return entered
    return event
