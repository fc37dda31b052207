"""What the application remembers from one start to the next: repositories, and in each screen, filter and selection."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

__all__ = ["Remembered", "RepositoryState", "load_state", "save_state", "state_path"]

_RECENT = 12
_HISTORY = 50


@dataclass(slots=True)
class RepositoryState:
    """How a repository was left."""

    mode: str = "browse"
    filter: str = ""
    rerun: str | None = None
    cursor: dict[str, Any] = field(default_factory=dict)  # data ID under the cursor
    history: list[str] = field(default_factory=list)  # filters, the newest last


@dataclass(slots=True)
class Remembered:
    """Everything; `recent` names repositories, the last one first."""

    theme: str = "auto"
    recent: list[str] = field(default_factory=list)
    repositories: dict[str, RepositoryState] = field(default_factory=dict)

    def of(self, root: Path) -> RepositoryState:
        """The state of a repository, made when it was never opened."""
        return self.repositories.setdefault(str(root), RepositoryState())

    def opened(self, root: Path) -> None:
        """Put a repository in front."""
        name = str(root)
        self.recent = [name, *(other for other in self.recent if other != name)][:_RECENT]
        self.repositories = {name: self.of(Path(name)) for name in self.recent}

    def add_to_history(self, root: Path, text: str) -> None:
        """Remember a filter."""
        state = self.of(root)
        if text.strip():
            state.history = [*(other for other in state.history if other != text), text][-_HISTORY:]


def state_path() -> Path:
    """The file."""
    return Path(platformdirs.user_state_dir("safelight")) / "application.json"


def load_state(path: Path) -> Remembered:
    """What the file says; an absent or damaged one says nothing (it holds conveniences only)."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        repositories = {
            str(root): RepositoryState(**{k: v for k, v in state.items() if k in RepositoryState.__slots__})
            for root, state in stored["repositories"].items()
        }
        return Remembered(str(stored["theme"]), [str(root) for root in stored["recent"]], repositories)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Remembered()


def save_state(path: Path, state: Remembered) -> None:
    """Write the file whole or not at all; a disk that cannot be written loses conveniences only."""
    with suppress(OSError):
        if path.exists() and not path.is_file():
            return  # a device keeps nothing, and a rename would replace it
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".application-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(state), file, ensure_ascii=False, indent=1)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
