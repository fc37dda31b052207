"""Path templates: from a data ID to a path and back.

A template is a path with Python's ``%``-fields that carry a key: ``%(visit)07d``. A number's width is a least width,
so ``%(visit)07d`` also writes (and reads) visits of eight digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from safelight.errors import ConfigurationError, UsageError

__all__ = ["PathTemplate"]

_FIELD = re.compile(r"%\((?P<key>[A-Za-z_][A-Za-z0-9_]*)\)(?P<width>0?[0-9]*)(?P<kind>[sd])")
_SUFFIXES = ("", ".gz", ".fz")


class PathTemplate:
    """One template.

    Parameters
    ----------
    text : str
        E.g. ``"%(pointing)05d/%(filter)s/corr/CORR-%(visit)07d-%(ccd)03d.fits"``.

    Raises
    ------
    ConfigurationError
        BAD_TEMPLATE for other ``%`` forms, an absolute path or a path with ``..``.
    """

    def __init__(self, text: str) -> None:
        leftover = _FIELD.sub("", text)
        if not text or "%" in leftover or text.startswith("/") or ".." in text.split("/"):
            raise ConfigurationError(
                "BAD_TEMPLATE",
                f"{text!r} is not a path template.",
                "Write a relative path with fields %(KEY)s, %(KEY)d or %(KEY)05d.",
            )
        self.text = text
        #: key -> str or int, in order of first appearance
        self.keys: dict[str, type[str] | type[int]] = {}
        for match in _FIELD.finditer(text):
            self.keys.setdefault(match["key"], int if match["kind"] == "d" else str)
        self._pattern = _compile(text)

    def __repr__(self) -> str:
        return f"PathTemplate({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathTemplate) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def missing(self, data_id: Mapping[str, Any]) -> list[str]:
        """The keys that `data_id` lacks."""
        return [key for key in self.keys if data_id.get(key) is None]

    def format(self, data_id: Mapping[str, Any]) -> str:
        """The path of `data_id`, relative to a repository.

        Raises
        ------
        UsageError
            INCOMPLETE_DATA_ID when a key is missing, BAD_PATH_VALUE when a value cannot be part of a path.
        """
        missing = self.missing(data_id)
        if missing:
            raise UsageError(
                "INCOMPLETE_DATA_ID",
                f"The path {self.text} needs {', '.join(missing)}.",
                f"Give {' '.join(f'{key}=VALUE' for key in missing)}.",
                data_id,
            )
        values: dict[str, str | int] = {}
        for key, key_type in self.keys.items():
            try:
                values[key] = value = key_type(data_id[key])
            except (TypeError, ValueError):
                raise self._bad_value(key, data_id) from None
            if isinstance(value, str) and (not value or "/" in value or value in (".", "..") or "\0" in value):
                raise self._bad_value(key, data_id)
        return self.text % values

    def parse(self, path: str) -> dict[str, str | int] | None:
        """The keys that `path` (relative, perhaps with ``.gz`` or ``.fz``) was written for; None if it is not one."""
        match = self._pattern.fullmatch(path)
        if match is None:
            return None
        return {key: key_type(match[key]) for key, key_type in self.keys.items()}

    def _bad_value(self, key: str, data_id: Mapping[str, Any]) -> UsageError:
        return UsageError(
            "BAD_PATH_VALUE",
            f"{key}={data_id[key]!r} cannot be part of the path {self.text}.",
            "Text in paths must not be empty or have a slash; numbers must be integers.",
            data_id,
        )


@lru_cache(maxsize=512)
def _compile(text: str) -> re.Pattern[str]:
    """A regular expression that matches just what the template writes; a repeated key must repeat its value."""
    parts: list[str] = []
    seen: set[str] = set()
    position = 0
    for match in _FIELD.finditer(text):
        parts.append(re.escape(text[position : match.start()]))
        key = match["key"]
        parts.append(f"(?P={key})" if key in seen else f"(?P<{key}>{_field_pattern(match['kind'], match['width'])})")
        seen.add(key)
        position = match.end()
    parts.append(re.escape(text[position:]))
    return re.compile("".join(parts) + "(?:" + "|".join(map(re.escape, _SUFFIXES)) + ")")


def _field_pattern(kind: str, width: str) -> str:
    if kind == "s":
        return "[^/]+?"
    if not width.startswith("0") or int(width) < 2:
        return ("" if int(width or 0) < 2 else " *") + "(?:0|-?[1-9][0-9]*)"
    digits = int(width)
    return f"(?:[0-9]{{{digits}}}|[1-9][0-9]{{{digits},}}|-[0-9]{{{digits - 1},}})"
