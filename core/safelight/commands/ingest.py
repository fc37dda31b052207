"""``ingestImages.py``, ``ingestCalibs.py``, ``ingestReferenceCatalog.py``, and the same as ``safelight ingest …``."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.commands.shell import Parser, arguments_of, guarded
from safelight.errors import UsageError

if TYPE_CHECKING:
    from safelight.butler.ingestreport import IngestReport
    from safelight.butler.roots import Roots

__all__ = ["ingest_calibs", "ingest_images", "ingest_reference_catalog", "main"]

_MODES = ("link", "copy", "move", "skip")

_IMAGES = """\
Register raw frames and bring them to their places in the repository DATA, which is made if it
does not exist. Bad files (not FITS, empty, cut off, without a keyword) are named and counted;
the others go in. A frame is known by visit and ccd.

exit codes: 0 every file taken, 1 some files are bad, 2 usage, 5 repository unusable"""

_IMAGES_EXAMPLE = """\
{prog} DATA raw/*.fits
  {prog} DATA 'raw/*.fits.gz' --mode copy --badFile '*-focus*' --badId ccd=104..111
  {prog} DATA lights/*.fits --instrument generic --set filter=r --set ra=286.04 --set dec=36.63"""

_CALIBS = """\
Register master calibrations (bias, dark, flat, fringe, sky, defects) in the calibration
registry and bring them to their places beside it: DATA/CALIB, or --calib. Kind, ccd, filter
and date are read from OBSTYPE and CALIB_ID, else from what the camera's header rules say. A
master is valid DAYS before and after its date, up to the middle between neighbours; defects
hold until the next list.

exit codes: 0 every file taken, 1 some files are bad, 2 usage, 5 repository unusable"""

_CALIBS_EXAMPLE = """\
{prog} DATA masters/*.fits --validity 180 --mode link
  {prog} DATA dark.fits --validity 30 --type dark --set ccd=0 --set calibDate=2021-01-07"""

_DEFECTS = """\
Write the curated defect lists of the camera of DATA as FITS tables and register them, each
valid until the next."""

_REFCAT = """\
Make a reference catalogue of HTM shards in DATA/ref_cats from tables of stars: FITS, CSV, ECSV,
VOTable or Parquet. Which columns hold what is said with -c or in a file of config.NAME = VALUE
lines, which is read, never executed. Angles are in degrees, magnitudes in AB."""

_REFCAT_EXAMPLE = """\
{prog} DATA tycho2.csv --name tycho2 -c ra_name=ra dec_name=dec "mag_column_list=['VT']"
  {prog} DATA stars.fits --configfile stars.py"""


def ingest_images(argv: Sequence[str] | None = None) -> int:
    """The program ``ingestImages.py``; returns its exit code."""
    return guarded("ingestImages.py", lambda: _images("ingestImages.py", arguments_of(argv)))


def ingest_calibs(argv: Sequence[str] | None = None) -> int:
    """The program ``ingestCalibs.py``; returns its exit code."""
    return guarded("ingestCalibs.py", lambda: _calibs("ingestCalibs.py", arguments_of(argv)))


def ingest_reference_catalog(argv: Sequence[str] | None = None) -> int:
    """The program ``ingestReferenceCatalog.py``; returns its exit code."""
    program = "ingestReferenceCatalog.py"
    return guarded(program, lambda: _reference_catalog(program, arguments_of(argv)))


def main(argv: Sequence[str] | None = None) -> int:
    """``safelight ingest images|calibs|defects|refcat``; returns its exit code.

    Raises
    ------
    SafelightError
        Whatever is wrong with the arguments or the repository; the caller shows it.
    """
    arguments = arguments_of(argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(), end="")
        return 0
    name, *rest = arguments
    if name not in _WHAT:
        near = difflib.get_close_matches(name, _WHAT, n=1)
        raise UsageError(
            "UNKNOWN_COMMAND",
            f"There is nothing called {name!r} to ingest.",
            f"Did you mean {near[0]}?" if near else f"What can be ingested: {', '.join(_WHAT)}.",
        )
    return _WHAT[name][0](f"safelight ingest {name}", rest)


def _overview() -> str:
    listed = "\n".join(f"  {name:8}{text}" for name, (_, text) in _WHAT.items())
    return (
        "usage: safelight ingest WHAT DATA FILE …\n\n"
        f"Bring files into the repository DATA.\n\nWHAT is one of\n{listed}\n\n"
        "example:\n  safelight ingest images DATA raw/*.fits\n\nsafelight ingest WHAT --help says more.\n"
    )


def _images(program: str, arguments: list[str]) -> int:
    parser = Parser(prog=program, description=_IMAGES, example=_IMAGES_EXAMPLE.format(prog=program))
    parser.add_argument("root", metavar="DATA", help="the repository")
    parser.add_argument("files", metavar="FILE", nargs="+", help="raw frames; globs in quotes are resolved too")
    _add_common(parser, default_mode="link")
    parser.add_argument(
        "--badId", nargs="+", action="append", default=[], metavar="KEY=VALUE", help="leave these frames out"
    )
    parser.add_argument("--instrument", metavar="CAMERA", help="camera of a new repository: a name or a YAML file")
    _add_set(parser, "a registry column, or ra, dec, angle (degrees), scale (arcsec/pixel), mirrored")
    options = parser.parse_intermixed_args(arguments)

    from safelight.butler.ingest import ingest_images as ingest

    report = ingest(
        _roots(options).input,
        options.files,
        mode=options.mode,
        dry_run=options.dry_run,
        create=options.create,
        ignore_ingested=options.ignore_ingested,
        bad_id=options.badId,
        bad_file=[pattern for patterns in options.badFile for pattern in patterns],
        instrument=options.instrument,
        values=_pairs(options.set),
        progress=_progress(program),
    )
    return _show(report, program)


def _calibs(program: str, arguments: list[str]) -> int:
    parser = Parser(prog=program, description=_CALIBS, example=_CALIBS_EXAMPLE.format(prog=program))
    parser.add_argument("root", metavar="DATA", help="the repository")
    parser.add_argument("files", metavar="FILE", nargs="+", help="master frames; globs in quotes are resolved too")
    parser.add_argument("--validity", type=int, required=True, metavar="DAYS", help="days before and after its date")
    _add_common(parser, default_mode="move")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--calib", metavar="DIR", help="where calibrations go (default: DATA/CALIB)")
    target.add_argument("--output", metavar="DIR", help="the same, as Gen2 has it")
    parser.add_argument("--type", metavar="KIND", help="kind of all files, whatever their headers say")
    _add_set(parser, "ccd, filter or calibDate of all files, whatever their headers say")
    options = parser.parse_intermixed_args(arguments)

    from safelight.butler.ingest import ingest_calibs as ingest

    roots = _roots(options)
    report = ingest(
        roots.input,
        roots.calib or roots.output,
        options.files,
        validity_days=options.validity,
        mode=options.mode,
        dry_run=options.dry_run,
        create=options.create,
        ignore_ingested=options.ignore_ingested,
        bad_file=[pattern for patterns in options.badFile for pattern in patterns],
        kind=options.type,
        values=_pairs(options.set),
    )
    return _show(report, program)


def _defects(program: str, arguments: list[str]) -> int:
    parser = Parser(prog=program, description=_DEFECTS, example=f"{program} DATA")
    parser.add_argument("root", metavar="DATA", help="the repository")
    parser.add_argument("--calib", metavar="DIR", help="where calibrations go (default: DATA/CALIB)")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would be done")
    options = parser.parse_args(arguments)

    from safelight.butler.ingest import ingest_curated_defects

    roots = _roots(options)
    return _show(ingest_curated_defects(roots.input, roots.calib, dry_run=options.dry_run), program)


def _add_common(parser: argparse.ArgumentParser, default_mode: str) -> None:
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument(
        "--mode",
        choices=_MODES,
        default=default_mode,
        help=f"how files come to their places; skip: they are there already (default: {default_mode})",
    )
    parser.add_argument("--create", action="store_true", help="begin with an empty registry")
    parser.add_argument("--ignore-ingested", action="store_true", help="pass over what is registered already")
    parser.add_argument(
        "--badFile", nargs="+", action="append", default=[], metavar="GLOB", help="leave out files with such names"
    )


def _add_set(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=f"{what} (repeatable)")


def _pairs(words: Sequence[str]) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key or not value:
            raise UsageError("BAD_OPTION", f"--set {word} is not KEY=VALUE.", "Write e.g. --set filter=r.")
        if key in pairs:
            raise UsageError("BAD_OPTION", f"--set {key} stands twice.", "Keep one of them.")
        pairs[key] = value
    return pairs


def _roots(options: argparse.Namespace) -> Roots:
    from safelight.butler.roots import resolve_roots

    return resolve_roots(options.root, calib=getattr(options, "calib", None), output=getattr(options, "output", None))


def _progress(program: str) -> Callable[[int, int, Path], None] | None:
    """A counter that overwrites itself, on a terminal only."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int, path: Path) -> None:
        end = "\r" if done + 1 < total else "\r\033[K"
        print(f"\r\033[K{program}: {done + 1}/{total} {path.name}", end=end, file=sys.stderr, flush=True)

    return show


def _show(report: IngestReport, program: str) -> int:
    """Print the report: what a dry run would do and the counts on stdout, what is wrong on stderr."""
    *details, summary = report.lines()
    for line in details:
        print(line, file=sys.stdout if report.dry_run and not line.startswith("bad ") else sys.stderr)
    sys.stderr.flush()
    print(f"{program}: {summary}")
    return report.exit_code


def _reference_catalog(program: str, arguments: list[str]) -> int:
    parser = Parser(prog=program, description=_REFCAT, example=_REFCAT_EXAMPLE.format(prog=program))
    parser.add_argument("root", metavar="DATA", help="the repository")
    parser.add_argument("files", metavar="FILE", nargs="+", help="tables of stars; globs in quotes are resolved too")
    parser.add_argument("--name", help="name of the catalogue (dataset_config.ref_dataset_name)")
    parser.add_argument("-C", "--configfile", metavar="FILE", help="config.NAME = VALUE lines, or YAML")
    parser.add_argument(
        "-c", "--config", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="one or more fields"
    )
    parser.add_argument("--replace", action="store_true", help="replace a catalogue of that name")
    options = parser.parse_intermixed_args(arguments)

    from safelight.butler.ingestfiles import gather
    from safelight.butler.ingestreport import IngestReport
    from safelight.butler.repository import open_repository
    from safelight.refcats import ingest_reference_catalog as ingest
    from safelight.refcats import load_ingest_config

    named = [f"dataset_config.ref_dataset_name={options.name}"] if options.name else []
    config = load_ingest_config(options.configfile, [*options.config, *named])
    root = open_repository(_roots(options).input).root / "ref_cats"
    report = IngestReport(root)
    files = gather(options.files, (), report)
    if report.bad:
        raise UsageError(report.bad[0].code, report.bad[0].message, "Check the names of the files.")
    summary = ingest(files, root, config, replace=options.replace)
    dropped = f", {summary.dropped} without a position left out" if summary.dropped else ""
    print(f"{program}: {summary.rows} stars{dropped} in {len(summary.shards)} shards: {summary.root}")
    return 0


_WHAT: dict[str, tuple[Callable[[str, list[str]], int], str]] = {
    "images": (_images, "raw frames, into the registry of DATA"),
    "calibs": (_calibs, "master bias, dark, flat, … frames, with their validity"),
    "defects": (_defects, "the curated defect lists of the camera"),
    "refcat": (_reference_catalog, "tables of stars, as a reference catalogue in HTM shards"),
}
