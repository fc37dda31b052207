"""A data-ID expression as data: groups of constraints, untyped, with their places in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from safelight.dataid.values import Literal, Range, Value
from safelight.dataid.words import quote

__all__ = ["EVERYTHING", "GROUP_SEPARATOR", "Constraint", "DataIdExpression", "Group", "Span"]

#: The word between two groups.
GROUP_SEPARATOR = "or"
#: The word for a group without constraints, needed only beside other groups.
EVERYTHING = "*"

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Constraint:
    """One ``KEY OPERATOR V1^V2…``; places in the text do not count in comparisons."""

    key: str
    operator: str  # = != >= <= > < ~
    values: tuple[Value, ...]
    span: Span = field(default=(0, 0), compare=False)
    key_span: Span = field(default=(0, 0), compare=False)
    value_spans: tuple[Span, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.key}{self.operator}{'^'.join(map(str, self.values))}"


@dataclass(frozen=True, slots=True)
class Group:
    """Constraints that hold together: the words of one ``--id``. Without constraints it selects everything."""

    constraints: tuple[Constraint, ...] = ()

    def __str__(self) -> str:
        return " ".join(str(constraint) for constraint in self.constraints)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys in the order they were typed, each once."""
        return tuple(dict.fromkeys(constraint.key for constraint in self.constraints))

    def words(self) -> list[str]:
        """The words that follow ``--id``."""
        return [str(constraint) for constraint in self.constraints]

    def combinations(self) -> Iterator[dict[str, str]]:
        """Every combination of the values named with ``=``; the last key varies fastest. Ranges are spelled out."""
        named = [constraint for constraint in self.constraints if constraint.operator == "="]
        for values in product(*(tuple(_spelled_out(constraint)) for constraint in named)):
            yield {constraint.key: value for constraint, value in zip(named, values, strict=True)}


def _spelled_out(constraint: Constraint) -> Iterator[str]:
    for value in constraint.values:
        if isinstance(value, Range):
            yield from map(str, range(value.start, value.stop + 1, value.stride))
        else:
            assert isinstance(value, Literal)
            yield value.text


@dataclass(frozen=True, slots=True)
class DataIdExpression:
    """Groups of which any may hold, in the order typed."""

    groups: tuple[Group, ...] = (Group(),)

    def __str__(self) -> str:
        return self.to_text()

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys in the order they were typed, each once."""
        return tuple(dict.fromkeys(key for group in self.groups for key in group.keys))

    @property
    def selects_everything(self) -> bool:
        """Whether some group has no constraint."""
        return any(not group.constraints for group in self.groups)

    def to_text(self) -> str:
        """The one-line form that `parse` reads back to an equal expression."""
        if self.groups == (Group(),):
            return ""
        texts = (" ".join(map(quote, group.words())) or EVERYTHING for group in self.groups)
        return f" {GROUP_SEPARATOR} ".join(texts)

    def to_id_arguments(self) -> list[str]:
        """The exact words of a command line, ``["--id", "visit=1", "--id", …]``, not yet quoted for a shell."""
        return [word for group in self.groups for word in ["--id", *group.words()]]

    def data_ids(self) -> Iterator[dict[str, str]]:
        """The untyped data IDs named with ``=``, group after group, without removing repetitions (Gen2's list)."""
        for group in self.groups:
            yield from group.combinations()
