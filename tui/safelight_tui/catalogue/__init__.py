"""The registry's rows in memory: coded columns, bitsets of rows, and windows of what is selected."""

from safelight_tui.catalogue.bitset import Bitset
from safelight_tui.catalogue.columns import CodedColumn, NumberColumn
from safelight_tui.catalogue.selection import Selection

__all__ = ["Bitset", "CodedColumn", "NumberColumn", "Selection"]
