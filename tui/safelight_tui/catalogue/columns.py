"""Columns of a catalogue, made so that asking for rows by value gives a bitset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight_tui.catalogue.bitset import Bitset

__all__ = ["CodedColumn", "NumberColumn"]


class CodedColumn:
    """Values as small numbers into a dictionary: filters, fields, CCDs, nights, states.

    Parameters
    ----------
    codes : (N,) integer
        Place of each row's value in `values`.
    values : sequence
        The distinct values, in the order in which they sort.
    """

    KEPT = 256
    """Distinct values up to which a bitset of each is kept once it was asked for."""

    def __init__(self, codes: NDArray[np.integer], values: Sequence[Any]) -> None:
        self.codes = codes
        self.values = tuple(values)
        self._place = {value: code for code, value in enumerate(self.values)}
        self._kept: dict[int, Bitset] = {}

    @classmethod
    def from_values(cls, values: Iterable[Any]) -> CodedColumn:
        """Code the values; None sorts last."""
        places: dict[Any, int] = {}
        raw = np.fromiter((places.setdefault(value, len(places)) for value in values), np.int64)
        distinct = sorted(places, key=lambda value: (value is None, 0 if value is None else value))
        new_code = np.empty(len(places), np.int64)
        for code, value in enumerate(distinct):
            new_code[places[value]] = code
        small = np.min_scalar_type(max(len(places) - 1, 0))
        return cls(new_code[raw].astype(small) if len(raw) else raw.astype(small), distinct)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> Any:
        return self.values[self.codes[row]]

    def place(self, value: Any) -> int | None:
        """Place of a value in `values`; None for one that does not occur."""
        return self._place.get(value)

    def equal_to(self, value: Any) -> Bitset:
        """Rows with this value; none for a value that does not occur."""
        code = self._place.get(value)
        if code is None:
            return Bitset.none(len(self))
        kept = self._kept.get(code)
        if kept is None:
            kept = Bitset.from_mask(self.codes == code)
            if len(self.values) <= self.KEPT:
                self._kept[code] = kept
        return kept

    def where(self, wanted: Callable[[Any], bool]) -> Bitset:
        """Rows whose value is `wanted`, which is asked once for each distinct value."""
        chosen = np.fromiter(map(wanted, self.values), np.bool_, len(self.values))
        if np.count_nonzero(chosen) <= 8 and len(self.values) <= self.KEPT:
            rows = Bitset.none(len(self))
            for code in np.flatnonzero(chosen):
                rows = rows | self.equal_to(self.values[code])
            return rows
        return Bitset.from_mask(chosen[self.codes])

    def one_of(self, wanted: Iterable[Any]) -> Bitset:
        """Rows with any of these values."""
        return self.where(frozenset(wanted).__contains__)

    def counts(self, within: Bitset) -> dict[Any, int]:
        """How often each value occurs among the rows `within`, zeros included: the numbers beside facets."""
        if len(self.values) <= 64:
            return {value: len(self.equal_to(value) & within) for value in self.values}
        counted = np.bincount(self.codes[within.rows()], minlength=len(self.values))
        return dict(zip(self.values, counted.tolist(), strict=True))

    def keys(self) -> NDArray[np.integer]:
        """What rows are sorted by."""
        return self.codes


class NumberColumn:
    """Metrics. NaN stands for a value that is not there: no comparison selects it.

    Parameters
    ----------
    values : (N,) float
    """

    def __init__(self, values: NDArray[np.floating]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, row: int) -> float:
        return float(self.values[row])

    def compare(self, operator: str, value: float) -> Bitset:
        """Rows whose number is ``<``, ``<=``, ``>``, ``>=``, ``=`` or ``!=`` `value`.

        Raises
        ------
        ValueError
            Another operator.
        """
        functions: dict[str, Callable[..., Any]] = {
            "<": np.less,
            "<=": np.less_equal,
            ">": np.greater,
            ">=": np.greater_equal,
            "=": np.equal,
            "!=": np.not_equal,
        }
        if operator not in functions:
            raise ValueError(f"{operator!r} is none of {' '.join(functions)}")
        mask = functions[operator](self.values, value)
        if operator == "!=":
            mask &= ~np.isnan(self.values)
        return Bitset.from_mask(mask)

    def present(self) -> Bitset:
        """Rows that have a number."""
        return Bitset.from_mask(~np.isnan(self.values))

    def keys(self) -> NDArray[np.floating]:
        """What rows are sorted by; NaN sorts last."""
        return self.values
