"""Fixtures of the terminal tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from tests.support.terminal import Terminal


@pytest.fixture
def start_terminal() -> Iterator[Callable[..., Terminal]]:
    """Start Python code in a pseudo-terminal: ``start_terminal(source, columns=, rows=, **environment)``."""
    started: list[Terminal] = []

    def start(source: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
        started.append(Terminal([sys.executable, "-c", source], columns, rows, **environment))
        return started[-1]

    yield start
    for terminal in started:
        terminal.end()
