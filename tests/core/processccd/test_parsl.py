"""The Parsl executor, with a stand-in for Parsl that has its four names."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from safelight.errors import UsageError
from safelight.processccd.executor import Control, Job, TaskSpec
from safelight.processccd.outcome import CcdOutcome
from safelight.processccd.parsl import CONFIG_VARIABLE, ParslExecutor

HERE = Path(__file__).parent


class FakeConfig:
    def __init__(self, executors: list[Any]) -> None:
        self.executors = executors


class FakeParsl(types.ModuleType):
    """What the executor uses of Parsl: Config, load, python_app, dfk().cleanup and clear."""

    Config = FakeConfig

    def __init__(self) -> None:
        super().__init__("parsl")
        self.loaded: Any = None
        self.active = False
        self.cleaned = False
        self._threads = ThreadPoolExecutor(1)

    def load(self, config: Any) -> None:
        assert not self.active, "Parsl refuses a second configuration"
        self.loaded, self.active = config, True

    def clear(self) -> None:
        self.active = False

    def python_app(self, function: Callable[..., Any]) -> Callable[..., Future[Any]]:
        return lambda *arguments: self._threads.submit(function, *arguments)

    def dfk(self) -> FakeParsl:
        return self

    def cleanup(self) -> None:
        self.cleaned = True
        self._threads.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
def fake_parsl(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeParsl]:
    module = FakeParsl()
    executors = types.ModuleType("parsl.executors")
    executors.ThreadPoolExecutor = lambda max_threads: f"{max_threads} thread"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "parsl", module)
    monkeypatch.setitem(sys.modules, "parsl.executors", executors)
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)
    yield module
    module.cleanup()


class Listener:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.outcomes: dict[str, CcdOutcome] = {}

    def started(self, job: Job, worker: int) -> None:
        self.said.append(f"{job.key} started")

    def stage(self, job: Job, name: str) -> None:
        self.said.append(f"{job.key} {name}")

    def log(self, job: Job, level: int, component: str, message: str) -> None:
        self.said.append(f"{job.key} {message}")

    def finished(self, job: Job, outcome: CcdOutcome) -> None:
        self.outcomes[job.key] = outcome


def run(wishes: dict[str, str], control: Control | None = None, timeout_s: float | None = None) -> Listener:
    from pool_tasks import SmallJob  # type: ignore[import-not-found]

    listener = Listener()
    executor = ParslExecutor(TaskSpec("pool_tasks:build", "far"), 2, timeout_s=timeout_s)
    executor.run([SmallJob(key, {"wish": wish}) for key, wish in wishes.items()], listener, control or Control())
    return listener


def test_jobs_run_remotely_and_what_they_said_comes_with_their_outcome(fake_parsl: FakeParsl) -> None:
    listener = run({"a": "", "b": "raise", "c": ""})
    assert {key: outcome.status for key, outcome in listener.outcomes.items()} == {
        "a": "done",
        "b": "failed",
        "c": "done",
    }
    failure = listener.outcomes["b"].failure
    assert failure is not None
    assert failure.code == "REMOTE_ERROR"
    assert [said for said in listener.said if said.startswith("c")] == ["c started", "c read", "c far c"]
    assert fake_parsl.cleaned
    assert not fake_parsl.active, "it can be loaded again"
    assert fake_parsl.loaded.executors == ["1 thread"]


def test_a_stop_begins_nothing_new(fake_parsl: FakeParsl) -> None:
    assert run({"a": ""}, Control(stop=True)).outcomes == {}


def test_the_sites_configuration_is_named_by_the_environment(
    fake_parsl: FakeParsl, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = types.ModuleType("site_config")
    site.cluster = lambda: FakeConfig(["nodes"])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "site_config", site)
    monkeypatch.setenv(CONFIG_VARIABLE, "site_config:cluster")
    run({"a": ""})
    assert fake_parsl.loaded.executors == ["nodes"]
    monkeypatch.setenv(CONFIG_VARIABLE, "site_config:absent")
    with pytest.raises(UsageError, match="absent"):
        run({"a": ""})


def test_without_parsl_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "parsl", None)
    monkeypatch.syspath_prepend(str(HERE))
    with pytest.raises(UsageError, match="needs the package parsl") as caught:
        run({"a": ""})
    assert "safelight[parsl]" in caught.value.hint
