"""``safelight calibs``: build master calibrations from raw frames, and list what there is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safelight.commands.shell import Parser, arguments_of
from safelight.errors import DatasetNotFound, UsageError
from safelight.processccd.runtime import limit_threads, stay_offline

__all__ = ["main"]

KINDS = ("bias", "dark", "flat")

_EXAMPLE = """\
safelight calibs build bias DATA --id dataType=BIAS
  safelight calibs build dark DATA --id dataType=DARK
  safelight calibs build flat DATA --id dataType=DOMEFLAT filter=HSC-I
  safelight calibs list DATA"""

_BUILD = """\
Combine raw frames into masters. Flats of one filter that are built in one go keep the relative
levels of their CCDs, which gives all CCDs of a mosaic one zeropoint."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(
        prog="safelight calibs",
        description="Build master bias, dark and flat frames from raw frames, one for each CCD (and filter)\n"
        "selected, and register them; or list the master calibrations of a repository.",
        example=_EXAMPLE,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="build|list", parser_class=_Sub)
    _add_build(commands.add_parser("build"))
    _add_list(commands.add_parser("list"))
    options = parser.parse_args(arguments_of(argv))
    limit_threads()
    stay_offline()
    return build(options) if options.command == "build" else list_masters(options)


class _Sub(Parser):
    """A sub-parser; argparse passes it only a program name."""

    def __init__(self, **options: Any) -> None:
        name = str(options["prog"])
        what = _BUILD if name.endswith("build") else "List master calibrations."
        super().__init__(prog=name, description=what, example=_EXAMPLE)


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS, help="what to build")
    parser.add_argument("input", metavar="DATA", help="the repository")
    parser.add_argument("--id", dest="ids", nargs="+", required=True, metavar="KEY=V", help="the raw frames")
    parser.add_argument("--calib", metavar="P", help="calibration repository (default: DATA/CALIB)")
    parser.add_argument("--validity", type=int, default=180, metavar="DAYS", help="days each way (default: 180)")
    parser.add_argument("--replace", action="store_true", help="replace masters of the same date")
    parser.add_argument(
        "-c", dest="config", nargs="*", default=[], metavar="K=V", help="nSigmaClip, nIter, memory (MB)"
    )


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="DATA", help="the repository")
    parser.add_argument("--calib", metavar="P", help="calibration repository (default: DATA/CALIB)")
    parser.add_argument("--kind", help="only this kind")


def list_masters(options: argparse.Namespace) -> int:
    """Print the rows of the calibration registry."""
    from safelight.butler.calibrations import CalibrationRegistry
    from safelight.commands.opening import open_butler

    butler = open_butler(options.input, calib=options.calib)
    if butler.calib_root is None:
        raise DatasetNotFound(
            "NO_CALIB_ROOT",
            f"There are no master calibrations in {butler.root}.",
            "Build some with safelight calibs build, or ingest them with ingestCalibs.py.",
        )
    registry = CalibrationRegistry(butler.calib_root)
    kinds = registry.kinds()
    if options.kind is not None and options.kind not in kinds:
        raise UsageError("UNKNOWN_CALIBRATION", f"There is no {options.kind!r} here.", f"There are {', '.join(kinds)}.")
    print(f"{'kind':8} {'ccd':>4} {'filter':10} {'calibDate':20} {'valid from':11} to")
    for kind in [options.kind] if options.kind else kinds:
        for row in registry.rows(kind):
            print(f"{kind:8} {row.ccd:4} {row.filter:10} {row.calib_date:20} {row.valid_start:11} {row.valid_end}")
    return 0


def build(options: argparse.Namespace) -> int:
    """Build and register one master for each CCD (and, of flats, filter) that the data IDs select."""
    from safelight.calibs.build import build_masters
    from safelight.commands.opening import open_butler

    butler = open_butler(options.input, calib=options.calib)
    report = build_masters(
        butler,
        options.kind,
        butler.query(options.ids).rows,
        _config(options.config),
        calib_root=Path(options.calib) if options.calib else None,
        validity_days=options.validity,
        replace=options.replace,
        progress=lambda line: print(line, file=sys.stderr),
    )
    for built in report.built:
        print(f"{_name(options.kind, built.ccd, built.filter_name)}: {built.n_frames} frames -> {built.path}")
    for failure in report.failed:
        print(f"{_name(options.kind, failure.ccd, failure.filter_name)}: {failure.error}", file=sys.stderr)
    return 1 if report.failed else 0


def _name(kind: str, ccd: int, filter_name: str) -> str:
    return f"{kind} of CCD {ccd}" + (f" {filter_name}" if kind == "flat" else "")


def _config(words: list[str]) -> Any:
    """The build's configuration from ``name=number`` words."""
    import ast

    from pydantic import ValidationError

    from safelight.calibs.config import BuildConfig

    names = [name for name, field in BuildConfig.model_fields.items() if field.annotation in (int, float)]
    values: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in names:
            raise UsageError("UNKNOWN_CONFIG_FIELD", f"There is no field {name!r}.", f"Fields: {', '.join(names)}.")
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError) as error:
            raise UsageError("BAD_CONFIG_VALUE", f"{word!r} is not name=number.") from error
    try:
        return BuildConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError("BAD_CONFIG_VALUE", f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
