"""``safelight report``: one row a CCD of a rerun."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.commands.run import DEFAULT_RERUN
from safelight.commands.shell import Parser, arguments_of
from safelight.errors import DatasetNotFound

if TYPE_CHECKING:
    from safelight.commands.taskoptions import TaskOptions
    from safelight.dataid import KeyType
    from safelight.processccd.alarms import Alarm
    from safelight.processccd.report import ReportFormat

__all__ = ["add_alarm_option", "add_output_options", "alarms_of", "main", "output_of", "print_report"]

_DESCRIPTION = """\
One row for each CCD of a rerun: data ID, status, caveats, code and message of a failure,
and what was measured. The table leaves out columns that are empty throughout, and on a
terminal goes on below itself where it is too wide."""

_EXAMPLE = """\
safelight report DATA --rerun first --format csv > first.csv
  safelight report DATA --rerun first --alarm 'fwhm_arcsec>1.2'"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(prog="safelight report", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("input", metavar="DATA", help="the repository")
    add_output_options(parser)
    parser.add_argument("--id", dest="ids", nargs="*", metavar="KEY=V", help="only these (default: all)")
    parser.add_argument("--format", choices=("table", "json", "csv", "ecsv"), default="table", help="(default: table)")
    add_alarm_option(parser)
    options = parser.parse_args(arguments_of(argv))
    alarms = alarms_of(options.alarms)
    output = output_of(options)
    _print(output, options.format, options.ids or [], alarms)
    return 0


def add_alarm_option(parser: argparse.ArgumentParser) -> None:
    """The option that gives other alarms than those of the settings."""
    parser.add_argument(
        "--alarm",
        dest="alarms",
        action="append",
        metavar="METRIC>N",
        help="flag what is beyond this threshold, e.g. 'fwhm_arcsec>1.2' or 'zeropoint_mag<median-0.3' (repeatable; "
        "default: the alarms of the settings file; off: none)",
    )


def alarms_of(texts: Sequence[str] | None) -> tuple[Alarm, ...]:
    """The alarms of the option, else of the settings; a settings file that cannot be used is told on stderr."""
    from safelight.commands.shell import show_error
    from safelight.errors import ConfigurationError
    from safelight.processccd.alarms import parse_alarms
    from safelight.settings import read_settings, settings_path

    if texts is not None:
        return parse_alarms(text for text in texts if text != "off")
    try:
        return parse_alarms(read_settings(settings_path()).alarms)
    except ConfigurationError as error:
        show_error(error, "safelight")
        return ()


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """The options that name a rerun."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--rerun", metavar="NAME", help=f"the rerun (default: {DEFAULT_RERUN})")
    group.add_argument("--output", metavar="P", help="an output repository instead of a rerun")


def output_of(options: argparse.Namespace) -> Path:
    """The directory of the rerun that the options name; raises `DatasetNotFound` where there is none."""
    from safelight.butler.repository import open_repository
    from safelight.butler.rerun import list_reruns
    from safelight.butler.roots import resolve_roots

    rerun = options.rerun or (None if options.output else DEFAULT_RERUN)
    roots = resolve_roots(options.input, rerun=rerun, output=options.output)
    open_repository(roots.root)
    assert roots.output is not None
    if not roots.output.is_dir():
        reruns = list_reruns(roots.root)
        raise DatasetNotFound(
            "NO_SUCH_RERUN",
            f"There is no rerun {options.rerun or options.output or DEFAULT_RERUN} in {roots.root}.",
            f"There are: {', '.join(reruns)}." if reruns else "Nothing has been run in this repository yet.",
        )
    return roots.output


def print_report(options: TaskOptions, form: ReportFormat) -> None:
    """Print the report of the rerun that a task's options name."""
    from safelight.butler.roots import resolve_roots

    roots = resolve_roots(options.input, rerun=options.rerun, output=options.output)
    if roots.output is not None and roots.output.is_dir():
        _print(roots.output, form, [], alarms_of(None))


def _print(output: Path, form: ReportFormat, words: Sequence[str], alarms: Sequence[Alarm]) -> None:
    from safelight.dataid import select_rows
    from safelight.processccd.alarms import ringing_rows
    from safelight.processccd.ledger import OutcomeLedger
    from safelight.processccd.report import render_report, report_rows

    with OutcomeLedger(output) as ledger:
        ccds = ledger.ccds()
    rows = report_rows(ccds)
    if alarms:
        rows = [_with_alarms(row, ringing) for row, ringing in zip(rows, ringing_rows(rows, alarms), strict=True)]
    if words and rows:
        keys: dict[str, KeyType] = {key: _key_type(value) for key, value in ccds[0].data_id.items()}
        rows = select_rows(list(words), rows, keys)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    sys.stdout.write(render_report(rows, form, meta={"rerun": str(output)}, width=width))


def _with_alarms(row: dict[str, Any], ringing: Sequence[str]) -> dict[str, Any]:
    """The row with its alarms beside its caveats, where they are seen."""
    flagged: dict[str, Any] = {}
    for name, value in row.items():
        flagged[name] = value
        if name == "caveats":
            flagged["alarms"] = " ".join(ringing)
    return flagged


def _key_type(value: object) -> KeyType:
    return int if isinstance(value, int) else float if isinstance(value, float) else str
