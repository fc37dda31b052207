"""Reruns: outputs that lie in ``ROOT/rerun/NAME`` and are read through to what they were made from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from safelight.errors import UsageError

__all__ = ["RerunPaths", "list_reruns", "relative_parent", "resolve_rerun", "validate_rerun"]


@dataclass(frozen=True, slots=True)
class RerunPaths:
    """What is read and what is written."""

    input: Path
    output: Path
    chained: bool  # whether the input was named (``A:B``)


def validate_rerun(text: str) -> tuple[str, ...]:
    """The one or two parts of a ``--rerun`` value; raises `UsageError` BAD_RERUN for anything else."""
    parts = tuple(text.split(":"))
    if len(parts) > 2 or not all(part.strip() for part in parts):
        raise UsageError(
            "BAD_RERUN",
            f"--rerun {text!r} is neither NAME nor INPUT:OUTPUT.",
            "Write --rerun NAME, or --rerun OLD:NEW to read from rerun OLD and write to rerun NEW.",
        )
    return parts


def resolve_rerun(root: Path, text: str) -> RerunPaths:
    """The directories that ``--rerun text`` means for the repository `root`.

    ``B`` reads `root` and writes ``root/rerun/B``; ``A:B`` reads ``root/rerun/A``. A part that is an absolute path is
    taken as it is. An old rerun with a ``_parent`` link is read from the link's target.
    """
    parts = validate_rerun(text)
    output = Path(os.path.normpath(root / "rerun" / parts[-1]))
    if len(parts) == 2:
        source = Path(os.path.normpath(root / "rerun" / parts[0]))
        if source == output:
            raise UsageError("BAD_RERUN", f"--rerun {text!r} reads and writes the same rerun.", "Name two reruns.")
        return RerunPaths(source, output, True)
    link = output / "_parent"
    return RerunPaths(link.resolve() if link.exists() else root, output, False)


def list_reruns(root: Path) -> list[str]:
    """The names of the reruns of `root`, nested names as ``a/b``, sorted."""
    base = root / "rerun"
    found: list[str] = []
    pending = [base] if base.is_dir() else []
    while pending:
        for entry in sorted(pending.pop().iterdir()):
            if not entry.is_dir() or entry.name.startswith("."):
                continue
            if (entry / "repositoryCfg.yaml").is_file() or (entry / "_parent").exists():
                found.append(str(entry.relative_to(base)))
            elif not entry.is_symlink():
                pending.append(entry)
    return sorted(found)


def relative_parent(home: Path, parent: Path) -> str:
    """`parent` as it is written in the configuration of the repository `home`: relative, links resolved."""
    return os.path.relpath(parent.resolve(), home.resolve())
