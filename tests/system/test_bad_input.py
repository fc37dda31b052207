"""Bad input: a sentence and a code for each, nothing half-written, and the other CCDs of the run finish."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from safelight.commands.main import main as safelight
from safelight.commands.processccd import main as process_ccd

Call = Callable[..., Any]
Edit = Callable[[Path], None]

RAW = "STRIPE82L/2013-06-17/00533/{filter}/HSC-{visit:07d}-016.fits"


def rewrite(path: Path, change: Callable[[fits.PrimaryHDU], fits.PrimaryHDU | None]) -> None:
    """Replace a FITS file by a changed one (the original may be linked elsewhere)."""
    with fits.open(path, memmap=False) as hdus:
        hdu = hdus[0].copy()
    changed = change(hdu) or hdu
    path.unlink()
    changed.writeto(path)


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def wrong_size(hdu: fits.PrimaryHDU) -> fits.PrimaryHDU:
    return fits.PrimaryHDU(np.full((100, 90), 1000, np.uint16), hdu.header)


def without(keyword: str) -> Edit:
    def change(hdu: fits.PrimaryHDU) -> None:
        del hdu.header[keyword]

    return lambda path: rewrite(path, change)


def elsewhere(hdu: fits.PrimaryHDU) -> None:
    for keyword, value in (("RA", "03:00:00.000"), ("DEC", "+60:00:00.00")):
        for name in (keyword, f"{keyword}2000"):
            if name in hdu.header:
                hdu.header[name] = value


def saturated(hdu: fits.PrimaryHDU) -> None:
    hdu.data[:] = 65535


def three_stars(hdu: fits.PrimaryHDU) -> None:
    """The frame's own noise and overscan, with all sources replaced by three."""
    rng = np.random.default_rng(3)
    data = hdu.data.astype(np.float64)
    level = np.median(data[1000:3000], axis=0)
    data[:] = level + rng.normal(0.0, 8.0, data.shape)
    y, x = np.mgrid[-20:21, -20:21]
    for row, column in ((900, 300), (2000, 1300), (3100, 700)):
        data[row - 20 : row + 21, column - 20 : column + 21] += 8000 * np.exp(-(x**2 + y**2) / (2 * 1.8**2))
    hdu.data = np.clip(np.round(data), 0, 65535).astype(np.uint16)


#: visit -> name, what is done to a copy of the good raw file, the registry's columns, the code and words expected
CASES: dict[int, tuple[str, Edit, dict[str, str], str, list[str]]] = {
    903400: ("truncated", lambda p: replace(p, p.read_bytes()[:5_000_000]), {}, "RAW_TRUNCATED", ["903400"]),
    903402: ("empty", lambda p: replace(p, b""), {}, "RAW_EMPTY", ["903402"]),
    903404: ("not FITS", lambda p: replace(p, b"hello " * 1000), {}, "RAW_NOT_FITS", ["903404"]),
    903406: ("wrong size", lambda p: rewrite(p, wrong_size), {}, "RAW_WRONG_SIZE", ["90x100", "2144x4241"]),
    903408: ("no EXPTIME", without("EXPTIME"), {}, "MISSING_KEYWORD", ["EXPTIME"]),
    903410: ("no bias", lambda p: None, {"taiObs": "1999-01-01"}, "NO_BIAS", ["1999-01-01", "2013-11-03"]),
    903412: ("no dark", lambda p: None, {"taiObs": "2001-01-01"}, "NO_DARK", ["2001-01-01", "2013-11-03"]),
    903414: ("no flat", lambda p: None, {"filter": "HSC-Z"}, "NO_FLAT", ["HSC-Z", "HSC-R"]),
    903416: ("elsewhere on the sky", lambda p: rewrite(p, elsewhere), {}, "MISSING_SHARDS", [".fits", "ref_cats"]),
    903418: ("all saturated", lambda p: rewrite(p, saturated), {}, "ALL_SATURATED", ["saturated"]),
    903420: ("three stars", lambda p: rewrite(p, three_stars), {}, "TOO_FEW_STARS", ["3"]),
}
NAN_MASTER_CCD = 100


def register(root: Path, visit: int, changes: dict[str, str]) -> Path:
    """A copy of the good frame under another visit number; gives its raw file."""
    with sqlite3.connect(root / "registry.sqlite3") as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute("SELECT * FROM raw WHERE visit = 903334 AND ccd = 16").fetchone())
        row |= {"visit": visit} | changes
        del row["id"]
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO raw ({columns}) VALUES ({marks})", list(row.values()))
    connection.close()
    path = root / RAW.format(filter=row["filter"], visit=visit)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(root / RAW.format(filter="HSC-R", visit=903334), path)
    return path


@pytest.fixture(scope="module")
def spoiled(tiny_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The night with one good CCD and one of each bad kind, after a run over all of them."""
    root = tmp_path_factory.mktemp("spoiled") / "DATA"
    shutil.copytree(
        tiny_night,
        root,
        copy_function=lambda s, t: os.link(s, t) if s.endswith(".fits") else shutil.copy2(s, t),
        ignore=shutil.ignore_patterns("rerun"),
    )
    for visit, (_, edit, changes, _, _) in CASES.items():
        edit(register(root, visit, changes))
    with sqlite3.connect(root / "CALIB" / "calibRegistry.sqlite3") as connection:
        connection.execute("UPDATE bias SET validStart = '2000-01-01' WHERE ccd = 16")
    connection.close()
    flat = next((root / "CALIB" / "FLAT").rglob(f"*-{NAN_MASTER_CCD:03d}.fits"))
    _fill_with_nan(flat)
    return root


def _fill_with_nan(path: Path) -> None:
    from safelight.exposure.fits import read_master, write_master

    master = read_master(path)
    master.image = np.full_like(master.image, np.nan)
    path.unlink()
    write_master(path, master)


@pytest.fixture(scope="module")
def rows(spoiled: Path) -> dict[tuple[int, int], dict[str, Any]]:
    """The report of a run over everything: (visit, ccd) -> row."""
    command = [sys.executable, "-c", "import sys; from safelight.commands.main import main; sys.exit(main())"]
    line = subprocess.run(
        [*command, "run", str(spoiled), "--rerun", "all", "-j", "2"], capture_output=True, text=True, check=False
    )
    assert line.returncode == 1, line.stderr
    assert "Traceback" not in line.stderr
    told = subprocess.run(
        [*command, "report", str(spoiled), "--rerun", "all", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {(row["visit"], row["ccd"]): row for row in json.loads(told.stdout)}


def test_the_good_ccd_of_the_run_is_done(rows: dict[tuple[int, int], dict[str, Any]]) -> None:
    assert rows[903334, 16]["status"] == "done"
    assert len(rows) == len(CASES) + 2


@pytest.mark.parametrize("visit", CASES, ids=[case[0] for case in CASES.values()])
def test_a_bad_frame_fails_with_a_code_and_a_sentence(
    rows: dict[tuple[int, int], dict[str, Any]], spoiled: Path, visit: int
) -> None:
    _, _, _, code, words = CASES[visit]
    row = rows[visit, 16]
    assert row["status"] == "failed"
    assert row["code"].startswith(code)
    for word in words:
        assert word in row["message"]
    assert row["message"].rstrip().endswith((".", ")"))
    assert outputs_of(spoiled / "rerun" / "all", visit) == []


def test_a_master_without_a_usable_pixel_fails_its_ccd(
    rows: dict[tuple[int, int], dict[str, Any]], spoiled: Path
) -> None:
    row = rows[903334, NAN_MASTER_CCD]
    assert (row["status"], row["code"]) == ("failed", "BAD_MASTER")
    assert "flat" in row["message"]


def test_the_failures_left_no_temporary_file(rows: dict[tuple[int, int], dict[str, Any]], spoiled: Path) -> None:
    assert not list((spoiled / "rerun").rglob(".*.tmp-*"))


def test_only_failures_are_done_again_when_asked(
    call: Call, rows: dict[tuple[int, int], dict[str, Any]], spoiled: Path
) -> None:
    plan = json.loads(call(safelight, "plan", spoiled, "--rerun", "all", "--failed", "--format", "json").out)
    assert len(plan["ccds"]) == len(CASES) + 1
    assert all(ccd["state"] == "failed" for ccd in plan["ccds"])


def outputs_of(rerun: Path, visit: int) -> list[Path]:
    return [path for path in rerun.glob(f"0*/**/*{visit:07d}*") if path.is_file()]


# ---- places that cannot be written --------------------------------------------------------------------------------


def test_an_output_below_a_file_is_refused(call: Call, tiny_night: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = call(process_ccd, tiny_night, "--output", tmp_path / "file" / "out", "--id")
    assert result.code == 5
    assert "file" in result.err
    assert "Traceback" not in result.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 30 MB, which holds no calexp; needs the right to mount."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_fails_the_ccd_and_leaves_no_part_of_it(call: Call, tiny_night: Path, small_disk: Path) -> None:
    output = small_disk / "out"
    result = call(process_ccd, tiny_night, "--output", output, "--id", "ccd=16")
    assert result.code == 1
    assert "DISK_FULL" in result.err
    assert "Traceback" not in result.err
    assert [path for path in output.rglob("*") if re.search(r"0903334|\.tmp-", path.name)] == []


def test_a_disk_without_room_for_the_first_file_is_refused(call: Call, tiny_night: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="space"):
        filler.write_bytes(bytes(40_000_000))
    result = call(process_ccd, tiny_night, "--output", small_disk / "out", "--id", "ccd=16")
    assert result.code == 5
    assert "DISK_FULL" in result.err
    assert "Traceback" not in result.err


def test_a_read_only_disk_is_refused(call: Call, tiny_night: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    result = call(process_ccd, tiny_night, "--output", small_disk / "out", "--id", "ccd=16")
    assert result.code == 5
    assert "NOT_WRITABLE" in result.err
    assert "Traceback" not in result.err


def test_a_file_that_cannot_be_written_to_its_end_leaves_no_part(tiny_night: Path) -> None:
    """Works without the right to mount: the system refuses to let any file grow beyond 20 MB."""
    line = [str(Path(sys.executable).with_name("processCcd.py")), str(tiny_night), "--rerun", "limited"]
    done = subprocess.run(
        [*line, "--id", "ccd=16"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000)),
    )
    assert done.returncode == 1
    assert re.search("DISK_FULL|CANNOT_WRITE", done.stderr)
    assert "Traceback" not in done.stderr
    assert outputs_of(tiny_night / "rerun" / "limited", 903334) == []
