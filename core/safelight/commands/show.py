"""``safelight show``: one dataset in a few lines: where it is, its header, its columns or planes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from safelight.commands.shell import Parser, arguments_of
from safelight.errors import UsageError

__all__ = ["main"]

_DESCRIPTION = """\
Summarize one dataset: its path, size, HDUs, statistics of its image, the columns of its
table, or its text. The data ID must name one CCD; what it leaves out is looked up."""

_EXAMPLE = """\
safelight show DATA raw --id visit=903986 ccd=16
  safelight show DATA calexp --rerun first --id visit=903986 ccd=16 --header
  safelight show DATA processCcd_config --rerun first"""

_CAMERA_WIDE = ("processCcd_config", "packages", "src_schema", "icSrc_schema")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(prog="safelight show", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("input", metavar="DATA", help="the repository")
    parser.add_argument("dataset", metavar="TYPE", help="dataset type: raw, bias, dark, flat, calexp, src, …")
    parser.add_argument("--id", dest="ids", nargs="+", default=[], metavar="KEY=V", help="the CCD")
    parser.add_argument("--rerun", metavar="[A:]B", help="look in this rerun first")
    parser.add_argument("--output", metavar="P", help="look in this output repository first")
    parser.add_argument("--calib", metavar="P", help="calibration repository (default: DATA/CALIB)")
    parser.add_argument("--header", action="store_true", help="also print every card of the headers")
    options = parser.parse_args(arguments_of(argv))
    from safelight.commands.opening import open_butler

    butler = open_butler(options.input, rerun=options.rerun, output=options.output, calib=options.calib)
    path = _path_of(butler, options.dataset, options.ids)
    print(f"{options.dataset}: {path} ({path.stat().st_size:,} bytes)")
    for line in summarize(path, header=options.header):
        print(line)
    return 0


def _path_of(butler: Any, dataset: str, ids: list[str]) -> Path:
    if dataset in _CAMERA_WIDE:
        return Path(butler.uri(dataset, {}))
    if not ids:
        raise UsageError("NO_DATA_ID", f"Which {dataset}?", "Give --id KEY=VALUE … so that one CCD is named.")
    rows = butler.query(ids).rows
    if len(rows) > 1:
        raise UsageError(
            "AMBIGUOUS_DATA_ID",
            f"--id {' '.join(ids)} selects {len(rows)} CCDs; one is wanted.",
            f"The first is {rows[0]}.",
        )
    return Path(butler.uri(dataset, rows[0]))


def summarize(path: Path, *, header: bool = False) -> Iterator[str]:
    """Lines that describe a file: FITS by HDU, anything else as text."""
    name = path.name.removesuffix(".gz").removesuffix(".fz")
    if not name.endswith((".fits", ".fit")):
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
        return
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        for number, hdu in enumerate(hdus):
            yield f"HDU {number} {hdu.name or '-'}: {_content(hdu)}"
            yield from _columns(hdu)
            if header:
                yield from (f"  {card}".rstrip() for card in hdu.header.cards)


def _columns(hdu: Any) -> Iterator[str]:
    """A line for each column of a table: name, type, unit, description."""
    if hdu.data is None or not hdu.data.dtype.names:
        return
    names = hdu.data.dtype.names
    width = min(max(map(len, names)), 50)
    for number, name in enumerate(names, start=1):
        kind, unit, text = (str(hdu.header.get(f"{card}{number}", "")) for card in ("TFORM", "TUNIT", "TDOC"))
        yield f"  {name:{width}}  {kind:4} {unit:8} {text}".rstrip()


def _content(hdu: Any) -> str:
    import numpy as np

    data = hdu.data
    if data is None:
        return f"no data, {len(hdu.header)} cards"
    if data.dtype.names:
        return f"{len(data)} rows, {len(data.dtype.names)} columns"
    shape = " x ".join(str(size) for size in reversed(data.shape))
    if hdu.name == "MASK":
        planes = {card.keyword[3:]: int(card.value) for card in hdu.header["MP_*"].cards}
        counts = {name: int(np.count_nonzero(data >> bit & 1)) for name, bit in planes.items()}
        return f"{shape} {data.dtype}; pixels: " + ", ".join(f"{name} {n}" for name, n in counts.items() if n)
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    if finite.size == 0:
        return f"{shape} {data.dtype}, no finite pixel"
    low, middle, high = np.percentile(finite[::7] if finite.ndim == 1 else finite[::3, ::3], (5, 50, 95))
    return f"{shape} {data.dtype}; median {middle:.6g}, 5 to 95 % from {low:.6g} to {high:.6g}"
