"""Leaving the application while a run works in it: nothing is lost without a question. Launches that are refused."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.message import Message

from safelight.processccd.executor import Control
from safelight_tui.runs.request import RunRequest
from safelight_tui.runs.worker import RunWorker

Leaving = Callable[[], AbstractAsyncContextManager[tuple[Any, "Running"]]]


class Running(RunWorker):
    """A run in this program that works until it is told to end, or until the test lets it."""

    def __init__(self, root: Path, *, in_process: bool = True) -> None:
        super().__init__(RunRequest(root, "scratch/1", in_process=in_process), lambda message: None)
        self.over = threading.Event()

    @property
    def control(self) -> Control:
        return self._control

    def run(self) -> None:
        while not (self._control.stop or self.over.wait(0.01)):
            pass


@pytest.fixture
def running(repository: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(**rest: Any) -> Running:
        started.append(Running(repository, **rest))
        started[-1].start()
        return started[-1]

    yield start
    for worker in started:
        worker.over.set()
        worker.join()


@pytest.fixture
def leaving(opened: Any, repository: Path, running: Callable[..., Running]) -> Leaving:
    """``async with leaving() as (screen, worker)``: q was pressed while a run works here."""

    @asynccontextmanager
    async def leave() -> AsyncIterator[tuple[Any, Running]]:
        async with opened(repository) as screen:
            worker = running()
            screen.app.run_workers.add(worker)
            await screen.press("q")
            await screen.shows("A run works in this program and would end with it")
            yield screen, worker

    return leave


async def until_left(screen: Any) -> None:
    for _ in range(1000):
        if screen.app._exit:
            return
        await screen.pilot.pause(0.01)
    raise AssertionError(screen.picture)


async def test_quitting_while_a_run_works_here_asks_and_can_be_given_up(leaving: Leaving) -> None:
    async with leaving() as (screen, worker):
        await screen.shows("rerun scratch/1", "w: wait, then quit")
        await screen.press("ctrl+g")
        assert not screen.app._exit
        assert worker.is_alive()
        await screen.enter("q", at="colon")
        await screen.shows("A run works in this program")
        await screen.pilot.press("w")
        await screen.shows("Waiting for its end")
        assert worker.is_alive()
        worker.over.set()
        await until_left(screen)
        assert not worker.control.stop


@pytest.mark.parametrize(("key", "now"), [("c", False), ("n", True)])
async def test_a_run_that_works_here_is_cancelled_before_the_program_ends(
    leaving: Leaving, key: str, now: bool
) -> None:
    async with leaving() as (screen, worker):
        await screen.shows("c: cancel after this CCD")
        await screen.pilot.press(key)
        await until_left(screen)
        assert not worker.is_alive()
        assert (worker.control.stop, worker.control.abort) == (True, now)


async def test_a_run_that_ends_while_the_question_stands_takes_the_question_away(leaving: Leaving) -> None:
    async with leaving() as (screen, worker):
        worker.over.set()
        await screen.settle(lambda: len(screen.app.screen_stack) == 1)
        assert not screen.app._exit


async def test_detached_runs_keep_nobody_from_quitting(
    opened: Any, repository: Path, running: Callable[..., Running]
) -> None:
    async with opened(repository) as screen:
        screen.app.run_workers.add(running(in_process=False))
        await screen.pilot.press("q")
        await until_left(screen)


@pytest.mark.parametrize("in_process", [False, True])
def test_a_launch_that_is_refused_says_why_and_leaves_nothing(repository: Path, in_process: bool) -> None:
    said: list[Message] = []
    before = sorted(map(str, repository.rglob("*")))
    request = RunRequest(repository, "new", id_text="ccd=77", in_process=in_process)
    worker = RunWorker(request, said.append)
    worker.start()
    worker.join(60)
    (refused,) = said
    assert isinstance(refused, RunWorker.Refused)
    assert "No raw frame has ccd=77" in refused.reason
    assert sorted(map(str, repository.rglob("*"))) == before
