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

from tests.benchmarks.accuracy.sections import FRAME_SECTIONS, SECTIONS, Options


def _options(arguments: list[str] | None) -> Options:
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
        help="6 CCDs in place of 28, 40 stress cases in place of 500, 16 CCDs for pulls in place of 200",
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
    parser.add_argument("--cases", type=int, metavar="N", help="stress cases (default: 500)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the stress cases (default: 1)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table as ECSV, or CSV by its name")
    parser.add_argument("-j", "--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    parsed = parser.parse_args(arguments)
    if not parsed.sky.is_dir():
        parser.error(f"there is no folder {parsed.sky}; give one with the shards of PS1 and Gaia by --sky")
    return Options(
        only=tuple(parsed.only or SECTIONS),
        quick=parsed.quick,
        cache=parsed.cache,
        sky=parsed.sky,
        cases=parsed.cases or (40 if parsed.quick else 500),
        seed=parsed.seed,
        processes=parsed.processes,
    ), parsed.output


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; exit code 1 where a demand is missed."""
    options, output = _options(arguments)
    from tests.benchmarks.accuracy.peers import presence
    from tests.benchmarks.accuracy.rows import table_text, write_table

    from safelight.processccd.runtime import limit_threads

    limit_threads()
    began = time.monotonic()

    def log(message: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {message}", file=sys.stderr, flush=True)

    for line in presence():
        log(line)
    frames = []
    if FRAME_SECTIONS & set(options.only):
        from tests.benchmarks.accuracy.frames import prepare

        frames = prepare(options.cache, options.sky, quick=options.quick, processes=options.processes, log=log)
    rows = []
    for name in options.only:
        log(f"measuring: {name}")
        rows += SECTIONS[name](options, frames, log)
    print("\n".join(presence()))
    print(table_text(rows))
    if output is not None:
        write_table(rows, output)
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
