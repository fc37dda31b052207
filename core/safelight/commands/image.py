"""``safelight image``: look at the pixels of a CCD without the application's screen."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safelight.commands.shell import Parser, arguments_of
from safelight.errors import UsageError

__all__ = ["main"]

_DESCRIPTION = """\
Show a raw, post-ISR or calibrated image in the terminal, half a character a pixel, or save it
as a PNG picture; save the places of sources, matches and reference stars as a DS9 region
file. A post-ISR image that was not written is made again in memory."""

_EXAMPLE = """\
safelight image DATA calexp --rerun first --id visit=903986 ccd=16
  safelight image DATA raw --id visit=903986 ccd=16 --stretch asinh --output raw.png
  safelight image DATA calexp --rerun first --id visit=903986 ccd=16 --overlay --output sources.reg"""

_STRETCHES = ("linear", "log", "sqrt", "asinh", "histogram")
_COLOURS = ("grey", "inverted", "heat")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    from safelight.processccd.viewing import VIEW_KINDS

    parser = Parser(prog="safelight image", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("input", metavar="DATA", help="the repository")
    parser.add_argument("kind", choices=VIEW_KINDS, help="which image")
    parser.add_argument("--id", dest="ids", nargs="+", required=True, metavar="KEY=V", help="the CCD")
    parser.add_argument("--rerun", metavar="NAME", help="the rerun")
    parser.add_argument("--calib", metavar="P", help="calibration repository (default: DATA/CALIB)")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="NAME.png or NAME.reg (default: print)")
    parser.add_argument("--overlay", action="store_true", help="draw sources, matches and reference stars")
    parser.add_argument("--stretch", choices=_STRETCHES, default="linear", help="(default: linear)")
    parser.add_argument("--colours", "--colors", choices=_COLOURS, default="grey", help="(default: grey)")
    limits = parser.add_mutually_exclusive_group()
    limits.add_argument("--limits", nargs=2, type=float, metavar=("LOW", "HIGH"), help="ADU (default: zscale)")
    limits.add_argument("--percent", type=float, metavar="P", help="limits that hold the middle P per cent (100: all)")
    parser.add_argument("--columns", type=int, metavar="N", help="width on the terminal in characters")
    parser.add_argument("--size", type=int, default=2048, metavar="N", help="longer side of a PNG (default: 2048)")
    parser.add_argument("--send", action="store_true", help="send the file to a running DS9 or TOPCAT (SAMP) instead")
    options = parser.parse_args(arguments_of(argv))
    _check(options)
    export = _sender() if options.send else _exporter()
    from safelight.commands.opening import open_butler
    from safelight.processccd.viewing import read_pixels, read_positions

    butler = open_butler(options.input, rerun=options.rerun, calib=options.calib)
    pixels = read_pixels(butler, options.kind, _one(butler, options.ids))
    wanted = not options.send and (options.overlay or (options.output is not None and options.output.suffix == ".reg"))
    positions = read_positions(butler, pixels) if wanted else []
    print(export(pixels, positions, options), file=sys.stderr)
    return 0


def _check(options: Any) -> None:
    if options.output is not None and options.output.suffix not in (".png", ".reg"):
        raise UsageError("BAD_OUTPUT", f"{options.output} is neither .png nor .reg.", "Name a file of one of these.")
    for name in ("columns", "size"):
        value = getattr(options, name)
        if value is not None and not 4 <= value <= 20000:
            raise UsageError("BAD_OPTION", f"--{name} {value} is not between 4 and 20000.")
    if options.percent is not None and not 0 < options.percent <= 100:
        raise UsageError("BAD_OPTION", f"--percent {options.percent:g} is not above 0 and at most 100.")
    if options.limits is not None and not options.limits[0] < options.limits[1]:
        raise UsageError("BAD_OPTION", "The first of the two --limits must be the smaller.")


def _one(butler: Any, ids: list[str]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = butler.query(ids).rows
    if len(rows) > 1:
        raise UsageError(
            "AMBIGUOUS_DATA_ID",
            f"--id {' '.join(ids)} selects {len(rows)} CCDs; one is wanted.",
            f"The first is {' '.join(f'{key}={rows[0][key]}' for key in ('visit', 'ccd') if key in rows[0])}.",
        )
    return rows[0]


def _need_application() -> None:
    """What draws and sends belongs to the application, which the library does without."""
    if importlib.util.find_spec("safelight_tui") is None:
        raise UsageError("NO_APPLICATION", "The terminal application is not installed; it draws the images.")


def _sender() -> Any:
    _need_application()
    samp: Any = importlib.import_module("safelight_tui.export.samp")

    def send(pixels: Any, positions: Any, options: Any) -> str:
        if pixels.path is None:
            raise UsageError("NO_FILE", f"{pixels.name} has no file: it is {pixels.origin}.", "Save it: -o NAME.png")
        count = samp.send_fits(pixels.path, pixels.name)
        return f"{pixels.name} sent to {count} program{'s' if count > 1 else ''}"

    return send


def _exporter() -> Any:
    _need_application()
    headless: Any = importlib.import_module("safelight_tui.export.headless")
    png: Any = importlib.import_module("safelight_tui.export.png")
    palette: Any = importlib.import_module("safelight_tui.pixels.palette")
    scaling: Any = importlib.import_module("safelight_tui.pixels.scaling")

    def export(pixels: Any, positions: Any, options: Any) -> str:
        limits = tuple(options.limits) if options.limits else None
        if options.percent is not None:
            limits = scaling.limits_holding(pixels.image, options.percent)
        look = png.Look(
            limits,
            scaling.Stretch(options.stretch),
            palette.Colours(options.colours),
        )
        request = headless.Request(look, options.output, options.columns, options.size)
        sentence: str = headless.carry_out(pixels, positions, request)
        return sentence

    return export
