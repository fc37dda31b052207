"""``safelight logs``: the log of a run or of its CCDs, followed if wanted."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.commands.shell import Parser, arguments_of
from safelight.errors import DatasetNotFound

if TYPE_CHECKING:
    from safelight.processccd.runlist import RunOverview

__all__ = ["main"]

_POLL_S = 0.2

_DESCRIPTION = """\
Print the log of the newest run of a rerun, or of one CCD of it. -f goes on until the run is over.
Logs are plain files, in logs/RUN/ of the rerun: run.log, and one for each CCD."""

_EXAMPLE = """\
safelight logs DATA --rerun first -f
  safelight logs DATA --rerun first --id visit=903986 ccd=16"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0, or an error where there is no such log."""
    parser = Parser(prog="safelight logs", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("input", metavar="DATA", help="the repository")
    parser.add_argument("--rerun", metavar="NAME", required=True, help="the rerun")
    parser.add_argument("--run", metavar="RUN", help="one of its runs (default: the newest; see safelight runs)")
    parser.add_argument("--id", dest="ids", nargs="+", metavar="KEY=V", help="only these CCDs (default: the whole run)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run is over")
    parser.add_argument("--path", action="store_true", help="print the names of the files instead")
    options = parser.parse_args(arguments_of(argv))
    from safelight.commands.rundirs import newest_run, rerun_directory

    run = newest_run(rerun_directory(options.input, options.rerun), options.run)
    paths = _ccd_logs(run, options.ids) if options.ids else [_run_log(run)]
    if options.path:
        print("\n".join(map(str, paths)))
    elif options.follow:
        _follow(run, paths)
    else:
        for path in paths:
            _print(path, head=len(paths) > 1)
    return 0


def _run_log(run: RunOverview) -> Path:
    from safelight.processccd.logs import log_folder

    path = log_folder(run.output, run.run) / "run.log"
    if not path.is_file():
        raise DatasetNotFound("NO_LOG", f"The run {run.run} has no log at {path}.")
    return path


def _ccd_logs(run: RunOverview, words: list[str]) -> list[Path]:
    """The logs of the CCDs that the words select among those of the run's plan."""
    from safelight.dataid import KeyType, select_rows
    from safelight.processccd.events import RunStarted
    from safelight.processccd.journal import JournalReader
    from safelight.processccd.logs import ccd_log, log_folder

    started = next((event for event in JournalReader(run.journal).read() if isinstance(event, RunStarted)), None)
    rows = [ccd["data_id"] | {"_key": ccd["key"]} for ccd in (started.ccds if started else [])]
    keys: dict[str, KeyType] = {}
    for row in rows:
        keys |= {name: type(value) for name, value in row.items() if isinstance(value, int | float | str)}
    keys.pop("_key", None)
    folder = log_folder(run.output, run.run)
    paths = [folder / ccd_log(str(row["_key"])) for row in select_rows(words, rows, keys)]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise DatasetNotFound(
            "NO_LOG",
            f"The run {run.run} has no log of {' '.join(words)}.",
            "CCDs that were skipped or not yet begun have none.",
        )
    return found


def _print(path: Path, *, head: bool) -> None:
    if head:
        print(f"==> {path.name} <==")
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            sys.stdout.write(line)


def _follow(run: RunOverview, paths: list[Path]) -> None:
    """Print what comes until the run is over and nothing more has come."""
    from safelight.processccd.runlist import overview

    files = [path.open(encoding="utf-8", errors="replace") for path in paths]
    try:
        over = False
        while True:
            for file in files:
                sys.stdout.write(file.read())
            sys.stdout.flush()
            if over:
                return
            now = overview(run.output, run.journal)
            over = now is None or not now.live  # one more round: what it wrote at its end
            if not over:
                time.sleep(_POLL_S)
    finally:
        for file in files:
            file.close()
