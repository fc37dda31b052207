"""The saved form of a configuration, ``config/processCcd.py`` of a rerun, and how two of them differ."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import math
import textwrap
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from safelight.errors import ConfigurationError
from safelight.processccd.config import ProcessCcdConfig
from safelight.processccd.overrides import ConfigLayers, config_fields, flatten, parse_config_text

__all__ = ["Difference", "SavedConfig", "config_hash", "differences", "load_saved", "render_config"]

_HEADER = """\
# Configuration of processCcd in this rerun, written by Safelight. The lines are read as literals, never executed;
# values that are not the default say who set them.
"""
_MARK = "# set by "
_NOT_SAVED = "not in the saved file"


@dataclass(frozen=True, slots=True)
class SavedConfig:
    """Values by dotted path, and who set those that are not defaults."""

    values: dict[str, Any]
    sources: dict[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which a rerun's configuration and the present one differ."""

    path: str
    stored: Any
    stored_source: str
    present: Any
    present_source: str

    def __str__(self) -> str:
        now = f"now {self.present!r} ({self.present_source})"
        if self.stored_source == _NOT_SAVED:
            return f"{self.path}: not in the rerun's file, which another version wrote, {now}"
        return f"{self.path}: the rerun has {self.stored!r} ({self.stored_source}), {now}"


def literal(value: Any) -> str:
    """`value` as the text that `parse_config_text` reads back."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, tuple | list):
        inner = ", ".join(literal(item) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, BaseModel):
        return literal(value.model_dump())
    return repr(value)


def render_config(
    config: ProcessCcdConfig,
    source: Callable[[str], str] | None = None,
    *,
    glob: str = "",
    ignore_case: bool = True,
) -> str:
    """Configuration as ``config.path=literal`` lines, each below its documentation.

    `glob` keeps the fields whose path matches it (shell rules).
    """
    pattern = glob.casefold() if ignore_case else glob
    blocks = []
    for path, value in flatten(config).items():
        if glob and not fnmatch.fnmatchcase(path.casefold() if ignore_case else path, pattern):
            continue
        doc = config_fields()[path].description or ""
        lines = [f"# {line}" for line in textwrap.wrap(doc, 110)]
        said_by = source(path) if source else "default"
        lines.append(f"config.{path}={literal(value)}" + (f"  {_MARK}{said_by}" if said_by != "default" else ""))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def saved_text(config: ProcessCcdConfig, layers: ConfigLayers) -> str:
    """The text of a rerun's configuration file."""
    return _HEADER + "\n" + render_config(config, layers.source)


def load_saved(text: str, name: str) -> SavedConfig:
    """Read a saved configuration, Gen2's form included."""
    values = {path: value for path, value, _ in parse_config_text(text, name)}
    by_line = {line: path for path, _, line in parse_config_text(text, name)}
    sources = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.string.startswith(_MARK) and token.start[0] in by_line:
            sources[by_line[token.start[0]]] = token.string.removeprefix(_MARK)
    return SavedConfig(values, sources)


def differences(saved: SavedConfig, config: ProcessCcdConfig, source: Callable[[str], str]) -> list[Difference]:
    """Every field whose value differs; numbers equal to 1e-8 and two NaN are equal, as in Gen2."""
    result = []
    present = flatten(config)
    for path in dict.fromkeys([*present, *saved.values]):
        stored_source = saved.sources.get(path, "default")
        if path not in present:
            result.append(Difference(path, saved.values[path], stored_source, None, "no such field in this version"))
        elif path not in saved.values:
            result.append(Difference(path, None, _NOT_SAVED, present[path], source(path)))
        elif not _same(saved.values[path], present[path]):
            result.append(Difference(path, saved.values[path], stored_source, present[path], source(path)))
    return result


def _same(stored: Any, present: Any) -> bool:
    if isinstance(present, BaseModel):
        present = present.model_dump()
    if isinstance(stored, bool) or isinstance(present, bool):
        return stored is present
    if isinstance(stored, int | float) and isinstance(present, int | float):
        both_nan = math.isnan(stored) and math.isnan(present)
        return both_nan or math.isclose(stored, present, rel_tol=1e-8, abs_tol=1e-8)
    if isinstance(stored, tuple | list) and isinstance(present, tuple | list):
        return len(stored) == len(present) and all(_same(a, b) for a, b in zip(stored, present))
    if isinstance(stored, dict) and isinstance(present, dict):
        return stored.keys() == present.keys() and all(_same(stored[k], present[k]) for k in stored)
    return bool(stored == present)


def config_hash(config: ProcessCcdConfig) -> str:
    """A fingerprint of all values, the same wherever they came from."""
    text = "\n".join(f"{path}={literal(value)}" for path, value in flatten(config).items())
    return hashlib.sha256(text.encode()).hexdigest()


def split_glob(word: str) -> tuple[str, bool]:
    """The glob of ``--show config=GLOB`` and whether case is ignored (unless it ends in ``:NOIGNORECASE``)."""
    glob, suffix, _ = word.partition(":NOIGNORECASE")
    if not glob:
        raise ConfigurationError("BAD_GLOB", "The glob before :NOIGNORECASE is empty.")
    return glob.removeprefix("config."), not suffix
