"""Measure Safelight's accuracy against the simulator's truth and beside its peers.

The frames are simulated once into the cache folder and processed anew in every run. Peers that are not installed are
named and left out; README.md beside this file says how to install them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.accuracy.sections import FRAME_SECTIONS, SECTIONS, Log, Options

if TYPE_CHECKING:
    from tests.benchmarks.accuracy.frames import Frame
    from tests.benchmarks.accuracy.rows import Row


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def _options(arguments: list[str] | None) -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=sorted(SECTIONS),
        metavar="SECTION",
        help=f"measure only this (may be repeated): {', '.join(sorted(SECTIONS))}",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="6 CCDs in place of 28, 40 stress cases and 3 frames in place of 500 and 12, "
        "16 CCDs for pulls in place of 200",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("benchmark-cache"),
        metavar="DIR",
        help="folder for the simulated frames, about 2.5 GB (default: benchmark-cache); kept for the next run",
    )
    parser.add_argument(
        "--sky",
        type=Path,
        default=Path(__file__).resolve().parents[4] / "shared" / "data" / "hsc_refcats",
        metavar="DIR",
        help="folder with the HTM shards of PS1 and Gaia (default: ../shared/data/hsc_refcats)",
    )
    parser.add_argument("--cases", type=_positive, metavar="N", help="stress cases (default: 500)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the stress cases (default: 1)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table as ECSV, or CSV by its name")
    parser.add_argument("-j", "--processes", type=_positive, default=os.cpu_count() or 1, metavar="N")
    parsed = parser.parse_args(arguments)
    only = tuple(dict.fromkeys(parsed.only or SECTIONS))
    if FRAME_SECTIONS & set(only):
        if not parsed.sky.is_dir():
            parser.error(f"there is no folder {parsed.sky}; give one with the shards of PS1 and Gaia by --sky")
        try:
            parsed.cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"--cache {parsed.cache}: {error.strerror}")
        if not os.access(parsed.cache, os.R_OK | os.W_OK | os.X_OK):
            parser.error(f"--cache {parsed.cache} cannot be written to")
    if parsed.output is not None and not parsed.output.resolve().parent.is_dir():
        parser.error(f"-o {parsed.output}: there is no folder {parsed.output.parent}")
    return Options(
        only=only,
        quick=parsed.quick,
        cache=parsed.cache,
        sky=parsed.sky,
        cases=parsed.cases if parsed.cases is not None else 40 if parsed.quick else 500,
        seed=parsed.seed,
        processes=parsed.processes,
    ), parsed.output


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; exit code 1 where a demand is missed, 2 where something could not be measured."""
    options, output = _options(arguments)
    from tests.benchmarks.accuracy.peers import presence

    from safelight.errors import SafelightError
    from safelight.processccd.runtime import limit_threads

    limit_threads()
    began = time.monotonic()

    def log(message: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {message}", file=sys.stderr, flush=True)

    for line in presence():
        log(line)
    rows: list[Row] = []
    stopped = 0
    try:
        _measure(options, rows, output, log)
    except SafelightError as error:
        log(f"stopped: {error.message}" + (f" {error.hint}" if error.hint else ""))
        stopped = 2
    except KeyboardInterrupt:
        log("stopped by the keyboard")
        stopped = 130
    if rows:
        _print_table(rows)
    return stopped or (1 if any(row.met is False for row in rows) else 0)


def _measure(options: Options, rows: list[Row], output: Path | None, log: Log) -> None:
    """Add the rows of each section to `rows`, and write them all to `output` after each: a section can take an hour."""
    from tests.benchmarks.accuracy.rows import write_table

    frames: list[Frame] = []
    if FRAME_SECTIONS & set(options.only):
        from tests.benchmarks.accuracy.frames import prepare

        frames = prepare(options.cache, options.sky, quick=options.quick, processes=options.processes, log=log)
    for name in options.only:
        log(f"measuring: {name}")
        rows += SECTIONS[name](options, frames, log)
        if output is not None:
            write_table(rows, output)


def _print_table(rows: list[Row]) -> None:
    from tests.benchmarks.accuracy.peers import presence
    from tests.benchmarks.accuracy.rows import table_text

    print("\n".join(presence()))
    print(table_text(rows))


if __name__ == "__main__":
    sys.exit(main())
