"""Runs of the programs in processes of their own, and what they leave."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from safelight.processccd.ledger import OutcomeLedger

__all__ = ["SCRIPTS", "TEMPORARY", "assert_whole", "outputs", "run", "start", "statuses", "wait_for_stage"]

SCRIPTS = Path(sys.executable).parent
TEMPORARY = re.compile(r"\..+\.tmp-")


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPTS / str(arguments[0])), *map(str, arguments[1:])]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def start(*arguments: object) -> subprocess.Popen[bytes]:
    command = [str(SCRIPTS / str(arguments[0])), *map(str, arguments[1:])]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file() and not TEMPORARY.match(path.name))


def assert_whole(rerun: Path) -> None:
    """Every FITS file reads to its end and every text file parses."""
    import yaml
    from astropy.io import fits

    for path in files(rerun):
        if path.suffix == ".fits":
            with fits.open(path, memmap=False, lazy_load_hdus=False) as hdus:
                hdus.verify("exception")
                end = hdus[-1].fileinfo()["datLoc"] + hdus[-1].fileinfo()["datSpan"]
            assert path.stat().st_size == end, path
        elif path.suffix == ".yaml" and path.name != "repositoryCfg.yaml":
            assert yaml.safe_load(path.read_text()), path


def outputs(rerun: Path) -> set[str]:
    return {str(path.relative_to(rerun)) for path in rerun.glob("0*/**/*") if path.is_file()}


def statuses(root: Path, rerun: str) -> dict[str, str]:
    with OutcomeLedger(root / "rerun" / rerun) as ledger:
        return {str(ccd.data_id["ccd"]): ccd.status for ccd in ledger.ccds()}


def wait_for_stage(rerun: Path, stage: str = "characterize") -> None:
    """Until some CCD has come to a stage."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for journal in (rerun / ".safelight" / "journal").glob("*.jsonl"):
            if f'"stage":"{stage}"' in journal.read_text():
                return
        time.sleep(0.02)
    raise AssertionError(f"no CCD came to {stage}")
