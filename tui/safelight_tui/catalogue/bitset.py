"""A set of rows as one bit each: and, or, not and counting of ten million rows within a millisecond."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bitset"]

Words = NDArray[np.uint64]

_ONE = np.uint64(1)


def _count(words: Words) -> NDArray[np.integer]:
    """Bits set in each word."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts: NDArray[np.integer] = np.bitwise_count(words)
        return counts
    ones: NDArray[np.integer] = np.unpackbits(words.view(np.uint8)).reshape(-1, 64).sum(axis=1)
    return ones


class Bitset:
    """An immutable set of the integers 0 .. `size` - 1.

    Parameters
    ----------
    words : (ceil(size / 64),) uint64
        Bit i of word w stands for 64 w + i. Bits past `size` are cleared here.
    size : int
        How many rows there are.
    """

    __slots__ = ("_ranks", "size", "words")

    def __init__(self, words: Words, size: int) -> None:
        if len(words) != (size + 63) // 64:
            raise ValueError(f"{len(words)} words of 64 bits do not hold {size} rows")
        surplus = 64 * len(words) - size
        if surplus and words[-1] >> np.uint64(64 - surplus):
            words = words.copy()
            words[-1] &= (_ONE << np.uint64(64 - surplus)) - _ONE
        self.words = words
        self.size = size
        self._ranks: NDArray[np.int64] | None = None

    @classmethod
    def none(cls, size: int) -> Bitset:
        """No row."""
        return cls(np.zeros((size + 63) // 64, np.uint64), size)

    @classmethod
    def all(cls, size: int) -> Bitset:
        """Every row."""
        return cls(np.full((size + 63) // 64, np.iinfo(np.uint64).max, np.uint64), size)

    @classmethod
    def from_mask(cls, mask: NDArray[np.bool_]) -> Bitset:
        """Rows where `mask` is true."""
        packed = np.packbits(mask, bitorder="little")
        padded = np.zeros(8 * ((len(mask) + 63) // 64), np.uint8)
        padded[: len(packed)] = packed
        return cls(padded.view("<u8").astype(np.uint64, copy=False), len(mask))

    @classmethod
    def from_rows(cls, rows: Iterable[int] | NDArray[np.integer], size: int) -> Bitset:
        """The rows given, in any order.

        Raises
        ------
        IndexError
            A row outside 0 .. `size` - 1.
        """
        index = np.asarray(rows if isinstance(rows, np.ndarray) else list(rows), np.int64)
        if index.size and (index.min() < 0 or index.max() >= size):
            raise IndexError(f"rows {index.min()} .. {index.max()} are not all within {size}")
        mask = np.zeros(size, np.bool_)
        mask[index] = True
        return cls.from_mask(mask)

    def resized(self, size: int) -> Bitset:
        """The same members among `size` rows; those past the end are dropped."""
        words = np.zeros((size + 63) // 64, np.uint64)
        kept = min(len(words), len(self.words))
        words[:kept] = self.words[:kept]
        return Bitset(words, size)

    def __and__(self, other: Bitset) -> Bitset:
        return Bitset(self.words & self._same_size(other), self.size)

    def __or__(self, other: Bitset) -> Bitset:
        return Bitset(self.words | self._same_size(other), self.size)

    def __xor__(self, other: Bitset) -> Bitset:
        return Bitset(self.words ^ self._same_size(other), self.size)

    def __sub__(self, other: Bitset) -> Bitset:
        return Bitset(self.words & ~self._same_size(other), self.size)

    def __invert__(self) -> Bitset:
        return Bitset(~self.words, self.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bitset):
            return NotImplemented
        return self.size == other.size and bool(np.array_equal(self.words, other.words))

    def __hash__(self) -> int:
        return hash((self.size, self.words.tobytes()))

    def __contains__(self, row: int) -> bool:
        if not 0 <= row < self.size:
            return False
        return bool((self.words[row >> 6] >> np.uint64(row & 63)) & _ONE)

    def __bool__(self) -> bool:
        return bool(self.words.any())

    def __len__(self) -> int:
        if self._ranks is not None:
            return int(self._ranks[-1]) if len(self._ranks) else 0
        return int(_count(self.words).sum(dtype=np.int64))

    def __repr__(self) -> str:
        return f"Bitset({len(self)} of {self.size} rows)"

    def _same_size(self, other: Bitset) -> Words:
        if self.size != other.size:
            raise ValueError(f"sets of {self.size} and {other.size} rows do not go together")
        return other.words

    def _counted(self) -> NDArray[np.int64]:
        """Members up to and including each word; made when first needed."""
        if self._ranks is None:
            self._ranks = np.cumsum(_count(self.words), dtype=np.int64)
        return self._ranks

    def rank(self, row: int) -> int:
        """Members smaller than `row`: the position of `row`, if it is one."""
        row = min(max(row, 0), self.size)
        word, bit = row >> 6, row & 63
        ranks = self._counted()
        before = int(ranks[word - 1]) if word else 0
        if bit:
            before += int(self.words[word] & ((_ONE << np.uint64(bit)) - _ONE)).bit_count()
        return before

    def select(self, start: int, count: int) -> NDArray[np.int64]:
        """Members number `start` .. `start` + `count` - 1 in ascending order; fewer at the end.

        Only the words that hold them are looked at.
        """
        ranks = self._counted()
        start = max(start, 0)
        stop = min(start + max(count, 0), len(self))
        if start >= stop:
            return np.zeros(0, np.int64)
        first = int(np.searchsorted(ranks, start, side="right"))
        last = int(np.searchsorted(ranks, stop, side="left"))
        rows = self._members(first, last + 1)
        skipped = start - (int(ranks[first - 1]) if first else 0)
        return rows[skipped : skipped + stop - start]

    def rows(self) -> NDArray[np.int64]:
        """All members in ascending order."""
        return self._members(0, len(self.words))

    def _members(self, first: int, last: int) -> NDArray[np.int64]:
        octets = self.words[first:last].astype("<u8", copy=False).view(np.uint8)
        return np.flatnonzero(np.unpackbits(octets, bitorder="little")) + 64 * first

    def mask(self) -> NDArray[np.bool_]:
        """(size,) bool, true for members."""
        octets = self.words.astype("<u8", copy=False).view(np.uint8)
        return np.unpackbits(octets, count=self.size, bitorder="little").view(np.bool_)
