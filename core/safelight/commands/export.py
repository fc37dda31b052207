"""``safelight export``: CCDs of a rerun with their metrics and marks, as --id text, CSV, ECSV, or a night summary."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.commands.report import add_alarm_option, add_output_options, alarms_of, output_of
from safelight.commands.shell import Parser, arguments_of
from safelight.errors import EmptySelection, UsageError

if TYPE_CHECKING:
    from safelight.processccd.alarms import Alarm

__all__ = ["main"]

_DESCRIPTION = """\
Write the CCDs of a rerun with their metrics and the observers' marks: as --id text that a
command line takes, as CSV, as ECSV with units, or all of the night as a page of Markdown."""

_EXAMPLE = """\
safelight export DATA --rerun first --only bad
  safelight export DATA --rerun first --format ecsv -o first.ecsv
  safelight export DATA --rerun first --only 'fwhm_arcsec>0.9 !bad' --format csv
  processCcd.py DATA --rerun second $(safelight export DATA --rerun first --only look)
  safelight export DATA --rerun first --summary > night.md"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(prog="safelight export", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("input", metavar="DATA", help="the repository")
    add_output_options(parser)
    parser.add_argument("--id", dest="ids", action="append", nargs="*", metavar="KEY=V", help="only these CCDs")
    parser.add_argument(
        "--only",
        metavar="WORDS",
        default="",
        help="only CCDs for which all words hold: good, bad, look, marked, disputed, failed, caveats, outlier, alarm, "
        "METRIC<NUMBER, or text; ! negates",
    )
    parser.add_argument("--format", choices=("id", "csv", "ecsv"), default="id", help="(default: id)")
    parser.add_argument("--summary", action="store_true", help="a summary of the night in Markdown instead")
    parser.add_argument("--overwrite", action="store_true", help="let FILE be replaced where there is one")
    add_alarm_option(parser)
    parser.add_argument("--output-file", "-o", metavar="FILE", type=Path, help="write there (default: stdout)")
    options = parser.parse_args(arguments_of(argv))
    alarms = alarms_of(options.alarms)
    rerun = output_of(options)
    rows = _rows(rerun, options.ids or [], options.only, alarms)
    text = _rendered(rows, options, rerun)
    if options.output_file is None:
        sys.stdout.write(text)
    else:
        from safelight.butler.atomic import write_text

        if options.output_file.exists() and not options.overwrite:
            raise UsageError(
                "FILE_EXISTS", f"{options.output_file} is there already.", "Choose another name, or give --overwrite."
            )

        write_text(options.output_file, text)
        print(f"{len(rows)} CCDs written to {options.output_file}", file=sys.stderr)
    return 0


def _rendered(rows: list[dict[str, Any]], options: Any, rerun: Path) -> str:
    if options.summary:
        from safelight.butler.butler import Butler
        from safelight.processccd.nightsummary import night_summary
        from safelight.processccd.visittimes import visit_times

        name = options.rerun or (rerun.name if options.output is None else str(rerun))
        times = visit_times(Butler(options.input), rows)
        return night_summary(rows, rerun=name, repository=str(options.input), times=times)
    from safelight.processccd.judged import render_export

    if not rows:
        raise EmptySelection("NOTHING_LEFT", "No CCD of the rerun is left.", "Loosen --only or --id.")
    return render_export(rows, options.format, meta={"rerun": str(rerun)})


def _rows(rerun: Path, groups: Sequence[Sequence[str]], words: str, alarms: Sequence[Alarm]) -> list[dict[str, Any]]:
    from safelight.commands.mark import key_types
    from safelight.dataid import select_rows
    from safelight.processccd.judged import judged_rows
    from safelight.processccd.ledger import OutcomeLedger
    from safelight.processccd.marks import MarkJournal
    from safelight.processccd.narrowing import parse_narrowing
    from safelight.processccd.report import COLUMNS

    with OutcomeLedger(rerun) as ledger:
        ccds = ledger.ccds()
    rows = judged_rows(ccds, MarkJournal(rerun).read(), alarms)
    narrowing = parse_narrowing(words, [column.name for column in COLUMNS])
    if groups and not ccds:
        raise UsageError("NOTHING_THERE", f"The rerun {rerun} has no results to select from.")
    if any(groups):
        chosen: dict[int, dict[str, Any]] = {}
        for group in groups:
            for row in select_rows(list(group), rows, key_types(ccds[0].data_id)) if group else rows:
                chosen.setdefault(id(row), row)
        rows = list(chosen.values())
    return [row for row in rows if narrowing.matches(row)]
