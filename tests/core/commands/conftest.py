"""A Gen2 repository of the tutorial's frames without pixels, and a way to call commands."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

TUTORIAL = {
    903334: ("HSC-R", "2013-06-17", 533, (16, 22, 23, 100)),
    903336: ("HSC-R", "2013-06-17", 533, (17, 24)),
    903338: ("HSC-R", "2013-06-17", 533, (18, 25)),
    903342: ("HSC-R", "2013-06-17", 533, (4, 10, 100)),
    903344: ("HSC-R", "2013-06-17", 533, (0, 5, 11)),
    903346: ("HSC-R", "2013-06-17", 533, (1, 6, 12)),
    903986: ("HSC-I", "2013-11-02", 671, (16, 22, 23, 100)),
    903988: ("HSC-I", "2013-11-02", 671, (16, 17, 23, 24)),
    903990: ("HSC-I", "2013-11-02", 671, (18, 25)),
    904010: ("HSC-I", "2013-11-02", 671, (4, 10, 100)),
    904014: ("HSC-I", "2013-11-02", 671, (1, 6, 12)),
}

_SCHEMA = """
CREATE TABLE raw (id integer primary key autoincrement, field text, visit int, ccd int, pointing int, filter text,
 proposal text, dateObs text, taiObs text, expTime double, pa double, autoguider int, ccdTemp double, config text,
 frameId text, expId text, dataType text, unique(visit, ccd));
CREATE TABLE raw_visit (visit int, field text, filter text, dateObs text, taiObs text, unique(visit));
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[[Sequence[str] | None], int]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Call a command's main function with arguments; gives exit code, stdout and stderr."""

    def run(command: Command, *arguments: object) -> Result:
        try:
            code = command([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse's --help
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    """The tutorial's 33 frames: a registry and empty files."""
    root = tmp_path / "DATA"
    root.mkdir()
    (root / "_mapper").write_text("lsst.obs.hsc.HscMapper\n")
    with sqlite3.connect(root / "registry.sqlite3") as connection:
        connection.executescript(_SCHEMA)
        for visit, (filter_, date, pointing, ccds) in TUTORIAL.items():
            connection.execute("INSERT INTO raw_visit VALUES (?, 'STRIPE82L', ?, ?, ?)", (visit, filter_, date, date))
            for ccd in ccds:
                connection.execute(
                    "INSERT INTO raw (field, visit, ccd, pointing, filter, dateObs, taiObs, expTime, dataType) "
                    "VALUES ('STRIPE82L', ?, ?, ?, ?, ?, ?, 30.0, 'OBJECT')",
                    (visit, ccd, pointing, filter_, date, date),
                )
                name = f"STRIPE82L/{date}/{pointing:05d}/{filter_}/HSC-{visit:07d}-{ccd:03d}.fits"
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).touch()
    connection.close()
    return root
