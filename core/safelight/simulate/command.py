"""The options of `safelight simulate` and what it does; the command itself is in `safelight.commands`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight.simulate.spec import NightSpec

__all__ = ["SETS", "add_arguments", "night_from", "run"]

SETS = ("tutorial", "night", "demo", "tiny", "real-sky")


def _numbers(text: str) -> tuple[int, ...]:
    """Numbers and ranges as in data IDs: ``1^4..6``, commas too."""
    numbers: list[int] = []
    for part in text.replace(",", "^").split("^"):
        first, _, last = part.partition("..")
        if not first.isdigit() or (last and not last.isdigit()):
            raise ArgumentTypeError(f"{text!r} is not a list of numbers such as 903334^903986 or 16..25")
        numbers.extend(range(int(first), int(last or first) + 1))
    if not numbers:
        raise ArgumentTypeError(f"the range {text!r} is empty")
    return tuple(numbers)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the positional PATH and all options of a simulated night to `parser`."""
    parser.add_argument("path", type=Path, metavar="PATH", help="new directory for the repository, or one to complete")
    parser.add_argument(
        "--set",
        dest="preset",
        choices=SETS,
        default="demo",
        help="which night: the 33 frames of the processCcd tutorial, these and a visit of all 104 CCDs, "
        "4 of the 33 (default), 2 of them, or 12 CCDs fitted to the catalogue given by --sky",
    )
    parser.add_argument(
        "--sky",
        type=Path,
        metavar="DIR",
        help="folder with the HTM shards of real reference catalogues (PS1, and Gaia beside it) to use as the sky",
    )
    parser.add_argument("--seeing", type=float, metavar="ARCSEC", help="FWHM of the PSF of all visits")
    parser.add_argument("--visits", type=_numbers, metavar="N^N..N", help="only these visits of the set")
    parser.add_argument("--ccds", type=_numbers, metavar="N^N..N", help="only these CCDs of the set")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of all random numbers")
    parser.add_argument(
        "--raw-calibrations",
        type=int,
        default=0,
        metavar="N",
        help="add N raw bias, N dark and, for each filter, N dome-flat frames",
    )
    parser.add_argument("-j", "--processes", type=int, default=1, metavar="N", help="worker processes")


def night_from(arguments: Namespace) -> NightSpec:
    """The night that parsed options describe; raises `UsageError`."""
    from safelight.simulate.presets import spec_from_options

    return spec_from_options(
        preset=arguments.preset,
        sky=arguments.sky,
        seeing_arcsec=arguments.seeing,
        visits=arguments.visits,
        ccds=arguments.ccds,
        seed=arguments.seed,
        raw_calibrations=arguments.raw_calibrations,
    )


def run(arguments: Namespace, progress: Callable[[int, int, str], None] | None = None) -> NightSpec:
    """Make (or complete) the night that parsed options describe; raises `SafelightError`."""
    from safelight.simulate.night import simulate_night

    night = night_from(arguments)
    simulate_night(arguments.path, night, processes=arguments.processes, progress=progress)
    return night
