"""Where frames point, for cameras whose headers do not say.

The ingest command stores what it was told in a table `pointing` of ``registry.sqlite3``, beside Gen2's tables and made
only when there is something to store. One row a frame, by visit and ccd; what was not told is NULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from safelight.butler.sqlite import ReadOnlyDatabase
from safelight.errors import UsageError

if TYPE_CHECKING:
    from safelight.instruments import Pointing

__all__ = ["POINTING_WORDS", "parse_pointing", "read_pointing", "store_pointing"]

#: Word of the ingest command -> column (and field of `safelight.instruments.Pointing`).
POINTING_WORDS: Mapping[str, str] = {
    "ra": "ra_deg",
    "dec": "dec_deg",
    "angle": "position_angle_deg",
    "scale": "pixel_scale_arcsec",
    "mirrored": "mirrored",
}

_COLUMNS = tuple(POINTING_WORDS.values())


def parse_pointing(words: Mapping[str, str]) -> dict[str, float]:
    """Column -> value from what the ingest command was told.

    Parameters
    ----------
    words : mapping
        ``ra`` (ICRS, degrees or hours as ``19:04:09.6``), ``dec`` (degrees or ``+36:37:57``), ``angle`` (of +y from
        North through East, degrees), ``scale`` (arcsec/pixel), ``mirrored`` (yes or no: with +y to the North, +x
        points East), as text.

    Raises
    ------
    UsageError
        BAD_POINTING for a value that cannot be read or lies outside the sky, or one of ra and dec without the other.
    """
    values = {POINTING_WORDS[word]: _angle(word, text) for word, text in words.items()}
    if ("ra_deg" in values) != ("dec_deg" in values):
        raise UsageError(
            "BAD_POINTING", "Only one of ra and dec is given.", "Give both: --set ra=286.04 --set dec=36.63"
        )
    if not 0.0 <= values.get("ra_deg", 0.0) < 360.0 or not -90.0 <= values.get("dec_deg", 0.0) <= 90.0:
        raise UsageError(
            "BAD_POINTING",
            f"ra={words['ra']} dec={words['dec']} is not on the sky.",
            "ra lies between 0 and 360 degrees, dec between -90 and 90.",
        )
    if values.get("pixel_scale_arcsec", 1.0) <= 0.0:
        raise UsageError("BAD_POINTING", f"scale={words['scale']} is not positive.", "Give arcsec per pixel.")
    return values


def _angle(word: str, text: str) -> float:
    from safelight.instruments.rules import sexagesimal

    if word == "mirrored" and text.lower() in ("yes", "no"):
        return float(text.lower() == "yes")
    try:
        if ":" in text and word in ("ra", "dec"):
            return sexagesimal(text, "hours" if word == "ra" else "degrees")
        value = float(text)
        if word == "mirrored" or value - value != 0.0:  # not finite
            raise ValueError(text)
    except (ValueError, TypeError):
        raise UsageError(
            "BAD_POINTING",
            f"{word}={text} cannot be read.",
            "Write numbers (ra=286.04), or 19:04:09.6 and +36:37:57 for ra and dec, or mirrored=yes.",
        ) from None
    return value


def store_pointing(connection: sqlite3.Connection, visit: int, ccd: int, values: Mapping[str, float]) -> None:
    """Store one frame's pointing in a registry that is being edited."""
    columns = ", ".join(f"{column} double" for column in _COLUMNS)
    connection.execute(f"CREATE TABLE IF NOT EXISTS pointing (visit int, ccd int, {columns}, unique(visit, ccd))")
    connection.execute(
        f"INSERT OR REPLACE INTO pointing VALUES (?, ?, {', '.join('?' * len(_COLUMNS))})",
        [visit, ccd, *(values.get(column) for column in _COLUMNS)],
    )


def read_pointing(database: ReadOnlyDatabase, data_id: Mapping[str, Any]) -> Pointing | None:
    """What was stored for a frame; None if nothing was."""
    if not database.columns("pointing"):
        return None
    sql = f"SELECT {', '.join(_COLUMNS)} FROM pointing WHERE visit = ? AND ccd = ?"
    rows = database.fetch(sql, [data_id.get("visit"), data_id.get("ccd")])
    if not rows:
        return None
    from safelight.instruments import Pointing

    values: dict[str, Any] = {key: value for key, value in zip(_COLUMNS, rows[0], strict=True) if value is not None}
    if "mirrored" in values:
        values["mirrored"] = bool(values["mirrored"])
    return Pointing(**values)
