"""Mask planes by name.

A mask is an int32 array of bit planes. Bits are looked up by plane name, never by a constant: files written elsewhere
may number them differently, so readers remap through their ``MP_<PLANE>`` cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from safelight.errors import ConfigurationError

__all__ = ["DEFAULT_PLANES", "MaskPlanes"]

#: Plane name -> bit number of a new mask; the first nine are LSST's initial dictionary.
DEFAULT_PLANES: Mapping[str, int] = {
    "BAD": 0,
    "SAT": 1,
    "INTRP": 2,
    "CR": 3,
    "EDGE": 4,
    "DETECTED": 5,
    "DETECTED_NEGATIVE": 6,
    "SUSPECT": 7,
    "NO_DATA": 8,
    "UNMASKEDNAN": 9,
    "CROSSTALK": 10,
    "NOT_DEBLENDED": 11,
}


class MaskPlanes(Mapping[str, int]):
    """Names and bit numbers of the planes of one mask (a mapping plane name -> bit number)."""

    def __init__(self, planes: Mapping[str, int] | None = None) -> None:
        self._bits = dict(DEFAULT_PLANES if planes is None else planes)

    def __getitem__(self, name: str) -> int:
        try:
            return self._bits[name]
        except KeyError:
            raise ConfigurationError(
                "UNKNOWN_MASK_PLANE",
                f"There is no mask plane {name!r}.",
                f"The planes are {', '.join(self._bits)}.",
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._bits)

    def __len__(self) -> int:
        return len(self._bits)

    def bits(self, *names: str) -> int:
        """The bitwise OR of the planes' masks, e.g. ``planes.bits("BAD", "SAT")``."""
        value = 0
        for name in names:
            value |= 1 << self[name]
        return value

    def names(self, value: int) -> list[str]:
        """The names of the planes that are set in `value`, in order of bit number."""
        return [name for name, bit in sorted(self._bits.items(), key=lambda item: item[1]) if value >> bit & 1]

    def with_planes(self, names: Iterable[str]) -> MaskPlanes:
        """A copy that also has `names`; new ones take the lowest free bits."""
        bits = dict(self._bits)
        free = (bit for bit in range(32) if bit not in bits.values())
        for name in names:
            if name not in bits:
                bits[name] = next(free)
        return MaskPlanes(bits)
