"""``config.py`` of a reference catalogue: read as literals, never executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safelight.errors import ConfigurationError
from safelight.refcats.htm import DEFAULT_DEPTH

__all__ = ["DatasetConfig", "literal_assignments"]

_ROOTS = ("config.", "root.")


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    """What LSST's DatasetConfig says about a catalogue."""

    ref_dataset_name: str = ""
    format_version: int | None = None  # None: not stated, as in files older than versions (fluxes in Jy)
    depth: int = DEFAULT_DEPTH

    @classmethod
    def read(cls, root: Path) -> DatasetConfig:
        """The configuration of the catalogue in `root`; the defaults where it has no ``config.py``.

        Raises
        ------
        ConfigurationError
            ``BAD_CATALOG_CONFIG`` for a file that cannot be read or asks for another index than HTM.
        """
        path = root / "config.py"
        if not path.is_file():
            return cls(ref_dataset_name=root.name)
        values = dict(literal_assignments(path))
        indexer = values.get("indexer.name", "HTM")
        if indexer != "HTM":
            raise ConfigurationError(
                "BAD_CATALOG_CONFIG", f"{path} asks for the sky index {indexer!r}; only HTM can be read."
            )
        depth = values.get("indexer['HTM'].depth", DEFAULT_DEPTH)
        version = values.get("format_version")
        if not isinstance(depth, int) or not 0 <= depth <= 24:
            raise ConfigurationError("BAD_CATALOG_CONFIG", f"{path}: indexer['HTM'].depth is {depth!r}, not 0 to 24.")
        if version is not None and version not in (0, 1, 2):
            raise ConfigurationError(
                "BAD_CATALOG_CONFIG", f"{path}: format_version is {version!r}; versions 0, 1 and 2 can be read."
            )
        return cls(str(values.get("ref_dataset_name", root.name)), version, depth)

    def text(self) -> str:
        """The file's content, which LSST's stack loads too."""
        return (
            "import lsst.meas.algorithms.ingestIndexReferenceTask\n"
            "assert type(config)==lsst.meas.algorithms.ingestIndexReferenceTask.DatasetConfig, "
            "'config is of type %s.%s instead of lsst.meas.algorithms.ingestIndexReferenceTask.DatasetConfig' % "
            "(type(config).__module__, type(config).__name__)\n"
            "# Version of the catalogue's format: 0 has fluxes in Jy, 1 and later in nJy.\n"
            f"config.format_version={self.format_version or 0}\n\n"
            "# Name of the reference catalogue.\n"
            f"config.ref_dataset_name={self.ref_dataset_name!r}\n\n"
            "# Depth of the HTM mesh.\n"
            f"config.indexer['HTM'].depth={self.depth}\n\n"
            "config.indexer.name='HTM'\n"
        )


def literal_assignments(path: Path) -> Iterator[tuple[str, Any]]:
    """``config.a.b = literal`` lines of a Gen2 configuration file as (``"a.b"``, value), in order.

    Imports, assertions and comments are passed over; ``config.a.retarget(Name)`` comes out as (``"a.retarget"``,
    ``"Name"``).

    Raises
    ------
    ConfigurationError
        ``BAD_CONFIG_FILE`` naming the first line that is anything else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("BAD_CONFIG_FILE", f"{path} cannot be read: {error}.") from error
    except SyntaxError as error:
        raise ConfigurationError("BAD_CONFIG_FILE", f"{path}, line {error.lineno}: {error.msg}.") from None
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Assert)) or _is_docstring(node):
            continue
        pair = _assignment(node) or _retarget(node)
        if pair is None:
            line = text.splitlines()[node.lineno - 1].strip()
            raise ConfigurationError(
                "BAD_CONFIG_FILE",
                f"{path}, line {node.lineno}: {line!r} is not of the form config.name = literal.",
                "Configuration files are read, never executed.",
            )
        yield pair


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _field(node: ast.expr) -> str | None:
    """The name of a field without its root: ``config.indexer['HTM'].depth`` -> ``indexer['HTM'].depth``."""
    text = ast.unparse(node)
    if re.fullmatch(r"(config|root)(\.\w+|\['\w+'\])+", text) is None:
        return None
    return text.partition(".")[2] if text.startswith(_ROOTS) else None


def _assignment(node: ast.stmt) -> tuple[str, Any] | None:
    if not (isinstance(node, ast.Assign) and len(node.targets) == 1):
        return None
    name = _field(node.targets[0])
    try:
        return None if name is None else (name, ast.literal_eval(node.value))
    except (ValueError, TypeError):
        return None


def _retarget(node: ast.stmt) -> tuple[str, Any] | None:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and len(node.value.args) == 1):
        return None
    name = _field(node.value.func)
    return (name, ast.unparse(node.value.args[0])) if name is not None and name.endswith(".retarget") else None
