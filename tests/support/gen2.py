"""Gen2 repositories without pixels: registry rows and empty files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from safelight.butler.repository import create_repository

__all__ = [
    "GEN2_SCHEMA",
    "TUTORIAL",
    "Frame",
    "add_frames",
    "frames_of",
    "make_files",
    "make_registry",
    "make_repository",
    "tutorial_frames",
]

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


class Frame(NamedTuple):
    """A row of the registry's table of raw frames."""

    visit: int
    ccd: int
    filter: str = "HSC-R"
    date: str = "2013-06-17"
    pointing: int = 533
    field: str = "STRIPE82L"

    @property
    def path(self) -> str:
        """Where Gen2 puts it."""
        night = f"{self.field}/{self.date}/{self.pointing:05d}/{self.filter}"
        return f"{night}/HSC-{self.visit:07d}-{self.ccd:03d}.fits"


def frames_of(visits: Iterable[int], ccds: Iterable[int]) -> Iterator[Frame]:
    """Frames in HSC-R of each of the visits with each of the CCDs."""
    ccds = tuple(ccds)
    return (Frame(visit, ccd) for visit in visits for ccd in ccds)


def tutorial_frames() -> Iterator[Frame]:
    """The tutorial's 33 frames."""
    for visit, (filter_, date, pointing, ccds) in TUTORIAL.items():
        for ccd in ccds:
            yield Frame(visit, ccd, filter_, date, pointing)


def add_frames(root: Path, frames: Iterable[Frame]) -> None:
    """Enter frames into the registry of a repository."""
    frames = list(frames)
    connection = sqlite3.connect(root / "registry.sqlite3")
    with connection:
        connection.executemany(
            "INSERT INTO raw (visit, ccd, pointing, expTime, field, filter, dateObs, taiObs, dataType) "
            "VALUES (?, ?, ?, '30.0', ?, ?, ?, ?, 'OBJECT')",
            # Text, as Gen2 inserts it: the columns' affinity makes numbers of it.
            ((str(f.visit), str(f.ccd), str(f.pointing), f.field, f.filter, f.date, f.date) for f in frames),
        )
        connection.executemany(
            "INSERT OR IGNORE INTO raw_visit VALUES (?, ?, ?, ?, ?)",
            ((f.visit, f.field, f.filter, f.date, f.date) for f in frames),
        )
    connection.close()


def make_registry(root: Path, frames: Iterable[Frame] = ()) -> Path:
    """A repository of HSC, as it is made today, that knows the frames but has none of their files; returns `root`."""
    create_repository(root, "hsc")
    _make_tables(root)
    add_frames(root, frames)
    return root


def make_repository(root: Path, frames: Iterable[Frame]) -> Path:
    """An old-style Gen2 repository of HSC with the frames' files, which are empty; returns `root`."""
    frames = list(frames)
    root.mkdir()
    (root / "_mapper").write_text("lsst.obs.hsc.HscMapper\n")
    _make_tables(root)
    add_frames(root, frames)
    make_files(root, frames)
    return root


def make_files(root: Path, frames: Iterable[Frame]) -> None:
    """An empty file for each frame: it fails as soon as it is read."""
    for frame in frames:
        path = root / frame.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _make_tables(root: Path) -> None:
    connection = sqlite3.connect(root / "registry.sqlite3")
    connection.executescript(GEN2_SCHEMA)
    connection.close()
