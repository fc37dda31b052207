"""``safelight check``: is every file of the reruns what was written?"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from safelight.commands.shell import Parser, arguments_of

__all__ = ["main"]

_DESCRIPTION = """\
Compare every file of all reruns with the size and checksum that were recorded when it was
written. Files that no run recorded (a killed run leaves some; they are written anew when it
is resumed) and temporary files are listed, but are no damage.

exit codes: 0 all recorded files are whole, 1 some are damaged or missing"""

_EXAMPLE = """\
safelight check DATA
  safelight check DATA --rerun first --quick"""

_TEMPORARY = re.compile(r"\..+\.tmp-[0-9]+-[0-9a-f]+")
_OWN = (".safelight", "logs", "config", "schema", "rerun")
_OWN_FILES = ("repositoryCfg.yaml", "_mapper", "_parent")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(prog="safelight check", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("input", metavar="DATA", help="the repository, or one output repository (--output)")
    parser.add_argument("--rerun", action="append", metavar="NAME", help="only this rerun (repeatable; default: all)")
    parser.add_argument("--quick", action="store_true", help="compare sizes only, not checksums")
    options = parser.parse_args(arguments_of(argv))
    from safelight.butler.datasets import LEDGER_PATH
    from safelight.butler.repository import open_repository
    from safelight.butler.rerun import list_reruns
    from safelight.butler.roots import resolve_roots

    root = open_repository(resolve_roots(options.input).root).root
    outputs = {name: root / "rerun" / name for name in options.rerun or list_reruns(root)}
    if not options.rerun and (root / LEDGER_PATH).is_file():
        outputs = {str(root): root} | outputs
    damaged = sum(check_rerun(path, name, checksums=not options.quick) for name, path in outputs.items())
    count = "1 rerun" if len(outputs) == 1 else f"{len(outputs)} reruns"
    print(f"{count}: " + (f"{damaged} files damaged or missing" if damaged else "all files are whole"))
    return 1 if damaged else 0


def check_rerun(output: Path, name: str, *, checksums: bool) -> int:
    """Check one rerun and print what was found; the number of files that are not what was written."""
    from safelight.butler.datasets import DatasetLedger
    from safelight.errors import DatasetNotFound

    if not output.is_dir():
        raise DatasetNotFound("NO_SUCH_RERUN", f"There is no rerun {name}: {output} does not exist.")
    ledger = DatasetLedger(output)
    try:
        recorded = {file.path for file in ledger.files()}
        problems = ledger.verify(checksums=checksums)
    finally:
        ledger.close()
    for problem in problems:
        print(f"{problem.code} {problem.message}", file=sys.stderr)
    for path in _files(output):
        relative = path.relative_to(output)
        if _TEMPORARY.fullmatch(path.name):
            print(f"temporary: {relative}", file=sys.stderr)
        elif path not in recorded and relative.parts[0] not in _OWN and path.name not in _OWN_FILES:
            print(f"not recorded: {relative}", file=sys.stderr)
    print(f"{name}: {len(recorded)} files recorded, {len(problems)} damaged or missing")
    return len(problems)


def _files(root: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(root):
        for name in sorted(names):
            yield Path(directory, name)
