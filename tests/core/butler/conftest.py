"""A small HSC repository with the tutorial's 33 frames: registry rows and empty files, no pixels."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

#: visit -> filter, date, pointing, ccds: the frames of LSST's tutorial.
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

#: As Gen2's ingest makes them.
GEN2_SCHEMA = """
CREATE TABLE raw (id integer primary key autoincrement, field text,visit int,ccd int,pointing int,filter text,
 proposal text,dateObs text,taiObs text,expTime double,pa double,autoguider int,ccdTemp double,config text,
 frameId text,expId text,dataType text, unique(visit,ccd));
CREATE TABLE raw_visit (visit int,field text,filter text,dateObs text,taiObs text, unique(visit));
"""


def raw_path(visit: int, ccd: int) -> str:
    """Where Gen2 puts a raw frame of the tutorial."""
    filter_, date, pointing, _ = TUTORIAL[visit]
    return f"STRIPE82L/{date}/{pointing:05d}/{filter_}/HSC-{visit:07d}-{ccd:03d}.fits"


def make_registry(path: Path) -> None:
    """A registry with the 33 frames, as Gen2 stores them."""
    connection = sqlite3.connect(path)
    connection.executescript(GEN2_SCHEMA)
    for visit, (filter_, date, pointing, ccds) in TUTORIAL.items():
        for ccd in ccds:
            # Text, as Gen2 inserts it: the columns' affinity makes numbers of it.
            values = ("STRIPE82L", str(visit), str(ccd), str(pointing), filter_, date, date, "30.0", "OBJECT")
            connection.execute(
                "INSERT INTO raw (field, visit, ccd, pointing, filter, dateObs, taiObs, expTime, dataType) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        connection.execute("INSERT INTO raw_visit VALUES (?, ?, ?, ?, ?)", (visit, "STRIPE82L", filter_, date, date))
    connection.commit()
    connection.close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An old-style Gen2 repository with the frames' files, which are empty."""
    root = tmp_path / "DATA"
    root.mkdir()
    (root / "_mapper").write_text("lsst.obs.hsc.HscMapper\n")
    make_registry(root / "registry.sqlite3")
    for visit, (_, _, _, ccds) in TUTORIAL.items():
        for ccd in ccds:
            path = root / raw_path(visit, ccd)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


@pytest.fixture
def gen2_schema() -> str:
    """The SQL that makes Gen2's registry."""
    return GEN2_SCHEMA
