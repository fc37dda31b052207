"""Plan, Run and Logs leave the disk to threads: an audit hook looks at what the event loop's thread opens."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WATCHED: dict[str, Any] = {"root": None, "thread": None, "seen": []}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    root = WATCHED["root"]
    if root is None or threading.get_ident() != WATCHED["thread"]:
        return
    if event in ("open", "sqlite3.connect", "os.listdir", "os.scandir") and str(arguments[0]).startswith(root):
        WATCHED["seen"].append((event, arguments[0]))


@pytest.fixture
def watch(repository: Path) -> Iterator[list[Any]]:
    """What the thread of the event loop opens in the repository (an audit hook stays for good, but sleeps)."""
    if "hooked" not in WATCHED:
        sys.addaudithook(_watch)
        WATCHED["hooked"] = True
    WATCHED.update(root=str(repository), thread=threading.get_ident(), seen=[])
    (repository / "registry.sqlite3").open("rb").close()
    assert WATCHED["seen"], "the hook does not see"
    WATCHED["seen"].clear()
    yield WATCHED["seen"]
    WATCHED["root"] = None


async def test_plan_run_and_logs_open_nothing_in_the_event_loop(
    opened: Any, repository: Path, begin_run: Callable[..., Any], watch: list[Any]
) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    journal = begin_run([(903986, 16), (904014, 1)], process.pid)
    folder = repository / "rerun" / "first" / "logs" / "20260101T000000.000Z-1"
    folder.mkdir(parents=True)
    (folder / "run.log").write_text("2026-01-01T00:00:00.000Z INFO  processCcd: line\n" * 50)
    watch.clear()  # that was the test itself
    try:
        async with opened(repository) as screen:
            for keys in ("2 j k e j q r ctrl+g c ctrl+g o x ctrl+g y Y", "3 l h m ctrl+g o ctrl+g enter", "P X R L"):
                await screen.press(*keys.split())
            await screen.press("4", "shift+tab", "j", "k", "f")
            await screen.settle()
            assert watch == []
    finally:
        process.kill()
        process.wait()
        journal.close()
