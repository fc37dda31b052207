"""Plan, Run and Logs leave the disk to threads: an audit hook looks at what the event loop's thread opens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


async def test_plan_run_and_logs_open_nothing_in_the_event_loop(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any, watch_loop: list[Any]
) -> None:
    begin([(903986, 16), (904014, 1)], process.pid)
    folder = repository / "rerun" / "first" / "logs" / "20260101T000000.000Z-1"
    folder.mkdir(parents=True)
    (folder / "run.log").write_text("2026-01-01T00:00:00.000Z INFO  processCcd: line\n" * 50)
    watch_loop.clear()  # that was the test itself
    async with opened(repository) as screen:
        for keys in ("2 j k e j q r ctrl+g c ctrl+g o x ctrl+g y Y", "3 l h m ctrl+g o ctrl+g enter", "P X R L"):
            await screen.press(*keys.split())
        await screen.press("4", "shift+tab", "j", "k", "f")
        await screen.settle()
        assert watch_loop == []
