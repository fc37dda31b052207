"""The small language in which a camera file says how header cards become registry columns and visit information.

One rule a quantity; see `data/generic.yaml` for examples. The value of the first keyword that is present (and not
blank) is stripped; `pattern`, `map`, `replace`, `case`, `sexagesimal`, `scale` and `offset` act in this order; then it
is cast to `type`. Without any of the keywords a `translator`, a rule written in Python
(`safelight.instruments.translators`), is asked, and last the `default` is taken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from safelight.errors import ProcessingError
from safelight.exposure.exposure import VisitInfo

__all__ = ["HeaderRule", "HeaderRules", "missing_keyword", "sexagesimal"]

_CASTS: dict[str, type] = {"str": str, "int": int, "float": float}


class HeaderRule(BaseModel):
    """How one quantity is read from a header."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keywords: tuple[str, ...] = ()  # looked for in this order
    translator: str | None = None  # a rule written in Python, asked when no keyword is there
    type: Literal["str", "int", "float"] = "str"
    default: str | int | float | None = None  # when no keyword is there; None: that is an error
    pattern: str | None = None  # regular expression; its first group (or all of it) is the value
    map: dict[str, str | int | float] = Field(default_factory=dict)  # regular expression for all of the value -> value
    replace: dict[str, str] = Field(default_factory=dict)  # regular expression -> replacement, in order
    case: Literal["upper", "lower"] | None = None
    sexagesimal: Literal["hours", "degrees"] | None = None  # read "12:34:56.7"; a plain number is taken as degrees
    scale: float = 1.0
    offset: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """A bare keyword, or a list of them, is a rule too."""
        if isinstance(value, str):
            return {"keywords": (value,)}
        if isinstance(value, list):
            return {"keywords": value}
        return value

    @field_validator("pattern", "map", "replace")
    @classmethod
    def _compiles(cls, value: Any) -> Any:
        for text in [value] if isinstance(value, str) else value or ():
            try:
                re.compile(text)
            except re.error as error:
                raise ValueError(f"{text!r} is not a regular expression ({error})") from None
        return value

    @field_validator("translator")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        from safelight.instruments.translators import TRANSLATORS

        if value is not None and value not in TRANSLATORS:
            raise ValueError(f"there is no such translator; known are {', '.join(TRANSLATORS)}")
        return value

    @model_validator(mode="after")
    def _has_a_source(self) -> HeaderRule:
        if not self.keywords and not self.translator and self.default is None:
            raise ValueError("a rule needs keywords, a translator or a default")
        return self

    def apply(self, header: Mapping[str, Any], quantity: str) -> Any:
        """The quantity's value.

        Raises
        ------
        ProcessingError
            ``MISSING_KEYWORD`` naming the keywords when none is there, ``BAD_KEYWORD`` when the value cannot be read.
        """
        for keyword in self.keywords:
            value = header.get(keyword)
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            if isinstance(value, float) and math.isnan(value):
                continue
            found = self._convert(value, keyword, quantity)
            if found is not None:
                return found
        if self.translator is not None:
            from safelight.instruments.translators import TRANSLATORS

            value = TRANSLATORS[self.translator](header)
            if value is not None:
                return _CASTS[self.type](value)
        if self.default is None:
            raise missing_keyword(self.keywords, quantity)
        return _CASTS[self.type](self.default)

    def _convert(self, value: Any, keyword: str, quantity: str) -> Any:
        if isinstance(value, str):
            value = self._edit(value.strip())
            if value is None:
                return None
        try:
            if self.sexagesimal is not None and isinstance(value, str):
                value = sexagesimal(value, self.sexagesimal)
            if self.scale != 1.0 or self.offset != 0.0:
                value = float(value) * self.scale + self.offset
            if self.type == "str":
                return str(value)
            number = float(value)
            return math.floor(number) if self.type == "int" else number
        except (TypeError, ValueError):
            raise ProcessingError(
                "BAD_KEYWORD", f"{keyword} = {value!r} cannot be read as the {quantity} ({self.type})."
            ) from None

    def _edit(self, text: str) -> Any:
        if self.pattern is not None:
            match = re.search(self.pattern, text)
            if match is None:
                return None
            text = match.group(1) if match.re.groups else match.group(0)
        for pattern, replacement in self.map.items():
            if re.fullmatch(pattern, text, re.IGNORECASE):
                return replacement
        for pattern, new in self.replace.items():
            text = re.sub(pattern, new, text)
        if self.case is not None:
            text = text.upper() if self.case == "upper" else text.lower()
        return text


class HeaderRules(BaseModel):
    """All header rules of a camera."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: column of the registry -> rule
    columns: dict[str, HeaderRule] = Field(default_factory=dict)
    #: field of `safelight.exposure.VisitInfo` (or date_begin, date_end) -> rule
    visit_info: dict[str, HeaderRule] = Field(default_factory=dict)
    gain: HeaderRule | None = None  # e-/ADU, replaces the camera file's where it is in the header
    saturation_adu: HeaderRule | None = None
    pixel_scale_arcsec: HeaderRule | None = None

    @field_validator("visit_info")
    @classmethod
    def _fields_exist(cls, value: dict[str, HeaderRule]) -> dict[str, HeaderRule]:
        known = {f.name for f in fields(VisitInfo)} | {"date_begin", "time_begin", "time_end", "mjd_begin"}
        unknown = sorted(set(value) - known)
        if unknown:
            raise ValueError(f"there is no {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        return value


def missing_keyword(keywords: tuple[str, ...], quantity: str) -> ProcessingError:
    """The error for a header without any of `keywords`."""
    names = " or ".join(keywords) or "card"
    return ProcessingError(
        "MISSING_KEYWORD",
        f"The header has no {names}, from which the {quantity} is read.",
        "Add the card to the file, or give the rule another keyword or a default in the camera's YAML file.",
    )


def sexagesimal(text: str, unit: Literal["hours", "degrees"]) -> float:
    """Degrees of ``"hh:mm:ss.s"``, ``"dd mm ss"`` or a plain number (always degrees); raises ValueError."""
    parts = re.split(r"[:\s]+", text.strip())
    if len(parts) == 1:
        return float(parts[0])
    if len(parts) > 3:
        raise ValueError(text)
    magnitude: float = sum(abs(float(part)) / 60.0**k for k, part in enumerate(parts))
    if any(float(part) >= 60 or float(part) < 0 for part in parts[1:]):
        raise ValueError(text)
    sign: float = -1.0 if parts[0].startswith("-") else 1.0
    return sign * magnitude * (15.0 if unit == "hours" else 1.0)
