"""A rerun's catalogues have one set of columns, kept as tables without rows in ``schema/``.

Written with the first catalogue, compared with every later one; a program or configuration that makes other columns
fails its CCDs instead of mixing catalogues that cannot be joined.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safelight.butler.atomic import atomic_path
from safelight.errors import ProcessingError
from safelight.exposure.tables import read_table, write_table

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["SchemaKeeper"]

_Signature = dict[str, tuple[str, str]]  # column -> type with item shape, unit


def _signature(table: Table) -> _Signature:
    return {
        name: (f"{table[name].dtype.newbyteorder('=').str}{table[name].shape[1:] or ''}", str(table[name].unit or ""))
        for name in table.colnames
    }


class SchemaKeeper:
    """Writes and compares the schemas at `paths`: catalogue ("src", "icSrc") -> file."""

    def __init__(self, paths: dict[str, Path]) -> None:
        self._paths = paths
        self._known: dict[str, _Signature] = {}

    def check(self, catalogue: str, table: Table) -> None:
        """Raise `ProcessingError` SCHEMA_MISMATCH unless the columns are the rerun's; write them if it has none.

        Two workers may write the first one at the same time: they write the same, and a rename is whole.
        """
        path = self._paths.get(catalogue)
        if path is None:
            return
        empty = table[:0]
        if catalogue not in self._known and not path.is_file():
            with atomic_path(path) as temporary:
                write_table(temporary, empty)
        if catalogue not in self._known:
            self._known[catalogue] = _signature(read_table(path))
        known, present = self._known[catalogue], _signature(empty)
        if known != present:
            differing = [name for name in {**known, **present} if known.get(name) != present.get(name)]
            shown = ", ".join(differing[:5]) + (" …" if len(differing) > 5 else "")
            raise ProcessingError(
                "SCHEMA_MISMATCH",
                f"The columns of {catalogue} differ from those of this rerun ({path}): {shown}.",
                "Take another rerun, or replace its schemas with --clobber-config.",
            )
