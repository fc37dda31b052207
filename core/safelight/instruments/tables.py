"""Long tables inside a camera file: blocks of CSV text with a header line, or lists of mappings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from safelight.instruments.model import DefectTable, DistortionPolynomial

__all__ = ["TableError", "build_crosstalk", "build_defects", "build_detectors", "build_distortion", "build_rows"]


class TableError(ValueError):
    """A table that cannot be read; the loader adds file and field."""


def build_rows(value: Any) -> Any:
    """Rows as mappings from CSV text (first line: column names; ``#`` starts a comment; empty cells are left out).

    Other values are handed through: the model says what is wrong with them.
    """
    if not isinstance(value, str):
        return value
    return list(_csv_rows(value))


def _csv_rows(text: str) -> Iterator[dict[str, str]]:
    names: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if not names:
            names = cells
            continue
        if len(cells) != len(names):
            raise TableError(f"line {number} has {len(cells)} cells and the table {len(names)} columns: {line!r}")
        yield {name: cell for name, cell in zip(names, cells, strict=True) if cell}


def _numbers(value: Any, columns: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The named columns of a table as an array (n_rows, n_columns)."""
    rows = build_rows(value)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TableError("must be a table: CSV text or a list of mappings")
    try:
        return np.array([[float(row[column]) for column in columns] for row in rows]).reshape(-1, len(columns))
    except KeyError as error:
        raise TableError(f"has no column {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise TableError(f"holds something that is not a number: {error}") from None


def build_detectors(document: dict[str, Any]) -> list[Any]:
    """The detectors with their amplifiers, from ``detectors``, ``amplifiers`` and their defaults.

    Keys that serve only this (``detector_defaults``, ``amplifiers``, ``amplifier_layout``) are taken out of `document`.
    """
    defaults = document.pop("detector_defaults", None) or {}
    layout = build_rows(document.pop("amplifier_layout", None) or [])
    amplifiers = build_rows(document.pop("amplifiers", None) or [])
    for name, rows in (("amplifier_layout", layout), ("amplifiers", amplifiers)):
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "name" in row for row in rows):
            raise TableError(f"{name} must be a table with a column 'name'")
    by_name = {str(row["name"]): _with_boxes(row) for row in layout}
    everywhere: list[dict[str, Any]] = []
    by_ccd: dict[str, list[dict[str, Any]]] = {}
    for row in amplifiers or layout:
        full = {**by_name.get(str(row["name"]), {}), **_with_boxes(row)}
        ccd = full.pop("ccd", None)
        (everywhere if ccd is None else by_ccd.setdefault(str(ccd), [])).append(full)
    detectors = build_rows(document.get("detectors") or [{}])
    if not isinstance(detectors, list) or not all(isinstance(row, dict) for row in detectors):
        raise TableError("detectors must be a table: CSV text or a list of mappings")
    return [_detector({**defaults, **row}, by_ccd, everywhere) for row in detectors]


def _with_boxes(row: dict[str, Any]) -> dict[str, Any]:
    """Parse box texts once, so that detectors share them."""
    from safelight.instruments.model import Box

    converted = {k: Box.model_validate(v) if k.endswith(("box", "scan")) and v else v for k, v in row.items()}
    if "name" in converted:
        converted["name"] = str(converted["name"])
    return converted


def _detector(
    row: dict[str, Any], by_ccd: dict[str, list[dict[str, Any]]], everywhere: list[dict[str, Any]]
) -> dict[str, Any]:
    for key, value in (("id", 0), ("name", str(row.get("id", 0))), ("serial", str(row.get("id", 0)))):
        row.setdefault(key, value)
    row["name"], row["serial"] = str(row["name"]), str(row["serial"])
    for key, raw in (("width", "raw_width"), ("height", "raw_height")):
        row[key] = row.get(key) or 0
        row[raw] = row.get(raw) or row[key]
    row.setdefault("amplifiers", by_ccd.get(str(row["id"]), everywhere))
    if len(row["amplifiers"]) == 1 and row["width"] and isinstance(row["amplifiers"][0], dict):
        row["amplifiers"] = [_whole_frame(row, row["amplifiers"][0])]
    return row


def _whole_frame(row: dict[str, Any], amplifier: dict[str, Any]) -> dict[str, Any]:
    """A single amplifier without boxes covers its detector."""
    assembled = [0, 0, row["width"], row["height"]]
    raw = [0, 0, row["raw_width"], row["raw_height"]]
    return {"box": assembled, "raw_box": raw, "raw_data_box": raw, **amplifier}


def build_distortion(value: Any) -> Any:
    """The distortion polynomial from its ``terms`` (columns i, j, x, y)."""
    if not isinstance(value, dict) or "terms" not in value:
        return value
    terms = _numbers(value["terms"], ("i", "j", "x", "y"))
    rest = {key: item for key, item in value.items() if key != "terms"}
    powers = terms[:, :2].astype(np.int64)
    if len(terms) == 0 or powers.min() < 0:
        raise TableError("distortion.terms needs at least one term, with exponents of 0 and more")
    return DistortionPolynomial.model_validate({**rest, "powers": powers, "x": terms[:, 2], "y": terms[:, 3]})


def build_crosstalk(value: Any) -> Any:
    """The matrix [target, source] from a list of rows or from text, one row a line."""
    if value is None:
        return None
    rows = (
        [line.replace(",", " ").split() for line in value.splitlines() if line.strip()]
        if isinstance(value, str)
        else value
    )
    try:
        matrix = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise TableError("must be a square matrix of numbers, row = amplifier corrected") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise TableError("must be a square matrix, row = amplifier corrected, column = amplifier causing")
    return matrix


def build_defects(value: Any) -> Any:
    """The table of defects from ``epochs`` (ISO dates) and ``boxes`` (columns ccd, epochs, x0, y0, width, height).

    The column ``epochs`` says in which epochs, counted from 1, a box is there, e.g. ``1-8`` or ``1 5-8``; without it a
    box is there in all of them.
    """
    if value is None or not isinstance(value, dict):
        return value
    unknown = set(value) - {"epochs", "boxes"}
    if unknown:
        raise TableError(f"has unknown keys {', '.join(sorted(unknown))}; known are epochs and boxes")
    epochs = tuple(str(epoch) for epoch in value.get("epochs") or ("1970-01-01",))
    if list(epochs) != sorted(set(epochs)):
        raise TableError("epochs must be ISO dates in ascending order")
    rows = build_rows(value.get("boxes") or [])
    boxes = _numbers(rows, ("ccd", "x0", "y0", "width", "height")).astype(np.int64)
    if len(boxes) and boxes[:, 3:].min() < 1:
        raise TableError("holds a box without width or height")
    valid = np.zeros((len(boxes), len(epochs)), dtype=np.bool_)
    for k, row in enumerate(rows):
        valid[k, _epoch_indices(str(row.get("epochs", f"1-{len(epochs)}")), len(epochs))] = True
    return DefectTable(epochs=epochs, boxes=boxes, valid=valid)


def _epoch_indices(text: str, count: int) -> list[int]:
    indices: list[int] = []
    for part in text.split():
        first, _, last = part.partition("-")
        try:
            indices += range(int(first) - 1, int(last or first))
        except ValueError:
            raise TableError(f"epochs {text!r} are not numbers and ranges such as '1 5-8'") from None
    if not indices or min(indices) < 0 or max(indices) >= count:
        raise TableError(f"epochs {text!r} are not within 1-{count}")
    return indices
