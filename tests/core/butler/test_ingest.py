"""Ingest: rows and files together or not at all, bad files named, nothing lost in a crash."""

from __future__ import annotations

import gzip
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from safelight.butler import Butler, placement, registryedit
from safelight.butler.ingest import ingest_calibs, ingest_curated_defects, ingest_images
from safelight.commands.ingest import ingest_calibs as calibs_command
from safelight.commands.ingest import ingest_images as images_command
from safelight.errors import ConfigurationError, RepositoryError, UsageError


def hsc_cards(
    visit: int, ccd: int, filter_: str = "HSC-i", date: str = "2013-11-02", mjd: float = 56598.26
) -> dict[str, Any]:
    return {
        "INSTRUME": "Hyper Suprime-Cam",
        "EXP-ID": f"HSCA{visit:06d}00",
        "FRAMEID": f"HSCA{visit:06d}{ccd % 100:02d}",
        "DET-ID": ccd,
        "OBJECT": "STRIPE82L",
        "FILTER01": filter_,
        "MJD": mjd,
        "DATE-OBS": date,
        "EXPTIME": 30.0,
        "INST-PA": "0.000",
        "PROP-ID": "o13015",
        "DATA-TYP": "OBJECT",
        "T_CFGFIL": "config.txt",
    }


def write_raw(path: Path, cards: dict[str, Any]) -> Path:
    hdu = fits.PrimaryHDU(np.arange(12, dtype=np.uint16).reshape(3, 4))
    for key, value in cards.items():
        hdu.header[key] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    hdu.writeto(path)
    return path


def write_master(path: Path, cards: dict[str, Any]) -> Path:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 4), np.float32))])
    for key, value in cards.items():
        hdus[0].header[key] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    hdus.writeto(path)
    return path


def master_cards(kind: str, ccd: int, date: str, filter_: str = "NONE") -> dict[str, Any]:
    return {"OBSTYPE": kind, "CALIB_ID": f"filter={filter_} calibDate={date} calibVersion=x ccd={ccd}"}


@pytest.fixture
def raws(tmp_path: Path) -> list[Path]:
    return [write_raw(tmp_path / "in" / f"r{ccd}.fits", hsc_cards(903986, ccd)) for ccd in (16, 22, 23)]


def rows(root: Path, statement: str, name: str = "registry.sqlite3") -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{root / name}?mode=ro", uri=True)
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


def consistent(root: Path) -> None:
    """No row without its file, no temporary left."""
    if (root / "registry.sqlite3").exists():
        butler = Butler(root)
        for visit, ccd in rows(root, "SELECT visit, ccd FROM raw"):
            assert butler.exists("raw", visit=visit, ccd=ccd)
    assert not list(root.rglob(".*.tmp-*"))


def test_a_new_repository_gets_camera_registry_and_links(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    report = ingest_images(root, raws)
    assert (len(report.ingested), report.bad, report.exit_code) == (3, [], 0)
    assert (root / "_mapper").read_text() == "lsst.obs.hsc.HscMapper\n"
    link = root / "STRIPE82L/2013-11-02/00671/HSC-I/HSC-0903986-016.fits"
    assert link.is_symlink()
    assert link.readlink() == raws[0]
    assert rows(root, "SELECT visit, ccd, pointing, filter, dateObs, taiObs, expTime, typeof(pa) FROM raw")[0] == (
        903986,
        16,
        671,
        "HSC-I",
        "2013-11-02",
        "2013-11-02",
        30.0,
        "real",
    )
    assert rows(root, "SELECT * FROM raw_visit") == [(903986, "STRIPE82L", "HSC-I", "2013-11-02", "2013-11-02")]
    assert len(Butler(root).query("visit=903986")) == 3
    consistent(root)


def test_the_registry_has_gen2s_schema(tmp_path: Path, raws: list[Path], gen2_schema: str) -> None:
    ingest_images(tmp_path / "DATA", raws)
    theirs = sqlite3.connect(":memory:")
    theirs.executescript(gen2_schema)
    for table in ("raw", "raw_visit"):
        pragma = f"SELECT name, type FROM pragma_table_info('{table}')"
        ours = [(name, kind.lower()) for name, kind in rows(tmp_path / "DATA", pragma)]
        assert ours == [(name, kind.lower()) for name, kind in theirs.execute(pragma)]
    theirs.close()


@pytest.mark.parametrize("mode", ["link", "copy", "move"])
def test_each_mode_brings_whole_files(tmp_path: Path, raws: list[Path], mode: Any) -> None:
    contents = [path.read_bytes() for path in raws]
    root = tmp_path / "DATA"
    report = ingest_images(root, raws, mode=mode)
    assert [item.destination.read_bytes() for item in report.ingested] == contents
    assert [path.exists() for path in raws] == [mode != "move"] * 3
    assert [item.destination.is_symlink() for item in report.ingested] == [mode == "link"] * 3
    consistent(root)


def test_skip_registers_files_that_are_in_place_and_refuses_others(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    place = root / "STRIPE82L/2013-11-02/00671/HSC-I/HSC-0903986-016.fits"
    place.parent.mkdir(parents=True)
    raws[0].rename(place)
    report = ingest_images(root, [place, raws[1]], mode="skip")
    assert [item.source for item in report.ingested] == [place]
    assert [bad.code for bad in report.bad] == ["NOT_IN_PLACE"]


def test_bad_files_are_named_and_counted_and_the_others_go_in(tmp_path: Path, raws: list[Path]) -> None:
    whole = raws[0].read_bytes()
    folder = tmp_path / "in"
    (folder / "empty.fits").touch()
    (folder / "text.fits").write_text("hello")
    (folder / "cut.fits").write_bytes(whole[:-2875])
    (folder / "cuthead.fits").write_bytes(whole[:2000])
    (folder / "cut.fits.gz").write_bytes(gzip.compress(whole)[:-20])
    cards = hsc_cards(903986, 24)
    del cards["EXPTIME"]
    write_raw(folder / "nokey.fits", cards)
    report = ingest_images(tmp_path / "DATA", [str(folder / "*.fits*"), folder / "none.fits", folder])
    assert sorted((bad.source.name, bad.code) for bad in report.bad) == [
        ("cut.fits", "RAW_TRUNCATED"),
        ("cut.fits.gz", "RAW_TRUNCATED"),
        ("cuthead.fits", "RAW_TRUNCATED"),
        ("empty.fits", "RAW_EMPTY"),
        ("in", "IS_A_DIRECTORY"),
        ("nokey.fits", "MISSING_KEYWORD"),
        ("none.fits", "NO_SUCH_FILE"),
        ("text.fits", "RAW_NOT_FITS"),
    ]
    assert len(report.ingested) == 3
    assert report.exit_code == 1
    assert all(bad.source.name in bad.message for bad in report.bad)
    assert report.lines()[-1].startswith("3 raw ingested")
    consistent(tmp_path / "DATA")


def test_a_file_without_its_last_padding_is_whole(tmp_path: Path, raws: list[Path]) -> None:
    raws[0].write_bytes(raws[0].read_bytes()[:-2000])
    assert len(ingest_images(tmp_path / "DATA", raws).ingested) == 3


def test_compressed_frames_keep_their_suffix(tmp_path: Path, raws: list[Path]) -> None:
    packed = tmp_path / "in" / "packed.fits.gz"
    packed.write_bytes(gzip.compress(raws[0].read_bytes()))
    root = tmp_path / "DATA"
    ingest_images(root, [packed])
    assert Butler(root).uri("raw", visit=903986, ccd=16).name == "HSC-0903986-016.fits.gz"


def test_a_second_ingest_of_the_same_files_changes_nothing(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws)
    before = (root / "registry.sqlite3").read_bytes()
    report = ingest_images(root, raws)
    assert (report.ingested, report.already, report.exit_code) == ([], raws, 0)
    assert (root / "registry.sqlite3").read_bytes() == before


def test_another_file_of_a_registered_frame_is_bad_unless_ignored(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws)
    other = write_raw(tmp_path / "in" / "other.fits", {**hsc_cards(903986, 16), "EXPTIME": 60.0})
    assert [bad.code for bad in ingest_images(root, [other]).bad] == ["ALREADY_INGESTED"]
    report = ingest_images(root, [other], ignore_ingested=True)
    assert (report.bad, len(report.skipped)) == ([], 1)
    assert rows(root, "SELECT expTime FROM raw WHERE ccd = 16") == [(30.0,)]


def test_two_files_of_one_frame_in_one_command_are_told_apart(tmp_path: Path, raws: list[Path]) -> None:
    twin = tmp_path / "in" / "twin.fits"
    shutil.copy(raws[0], twin)
    report = ingest_images(tmp_path / "DATA", [*raws, twin])
    assert [(bad.source.name, bad.code) for bad in report.bad] == [("twin.fits", "SAME_FRAME")]


def test_a_foreign_file_at_the_destination_is_never_overwritten(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    place = root / "STRIPE82L/2013-11-02/00671/HSC-I/HSC-0903986-016.fits"
    place.parent.mkdir(parents=True)
    place.write_text("precious")
    report = ingest_images(root, raws, mode="copy")
    assert [bad.code for bad in report.bad] == ["DESTINATION_EXISTS"]
    assert place.read_text() == "precious"
    assert rows(root, "SELECT ccd FROM raw") == [(22,), (23,)]


def test_bad_ids_and_bad_names_are_left_out(tmp_path: Path, raws: list[Path]) -> None:
    report = ingest_images(tmp_path / "DATA", raws, bad_id=["ccd=22..30 filter=HSC-I"], bad_file=["r16*"])
    assert (report.ingested, report.bad) == ([], [])
    assert [why for _, why in report.skipped] == [
        "its name matches --badFile r16*",
        "it matches --badId ccd=22..30 filter=HSC-I",
        "it matches --badId ccd=22..30 filter=HSC-I",
    ]


def test_a_dry_run_writes_nothing_and_says_what_it_would_do(tmp_path: Path, raws: list[Path]) -> None:
    report = ingest_images(tmp_path / "DATA", raws, dry_run=True)
    assert not (tmp_path / "DATA").exists()
    assert "-> " + str(tmp_path / "DATA/STRIPE82L/2013-11-02/00671/HSC-I/HSC-0903986-016.fits") in report.lines()[0]


def test_create_begins_with_an_empty_registry(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws)
    ingest_images(root, raws[:1], create=True)
    assert rows(root, "SELECT visit, ccd FROM raw") == [(903986, 16)]
    assert len(rows(root, "SELECT * FROM raw_visit")) == 1


def test_later_visits_are_added_to_the_visits(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws)
    ingest_images(root, [write_raw(tmp_path / "in/b.fits", hsc_cards(903334, 5, "HSC-r", "2013-06-17", 56460.5))])
    assert rows(root, "SELECT visit, filter FROM raw_visit ORDER BY visit") == [(903334, "HSC-R"), (903986, "HSC-I")]


def test_an_unknown_camera_is_said_with_the_keywords_looked_for(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "in/x.fits", {"INSTRUME": "My Camera"})
    with pytest.raises(ConfigurationError) as caught:
        ingest_images(tmp_path / "DATA", [path])
    assert caught.value.code == "UNKNOWN_CAMERA"
    assert "INSTRUME = 'My Camera'" in caught.value.message
    assert not (tmp_path / "DATA").exists()


def test_another_camera_than_the_repositorys_is_refused(tmp_path: Path, raws: list[Path]) -> None:
    ingest_images(tmp_path / "DATA", raws)
    with pytest.raises(RepositoryError) as caught:
        ingest_images(tmp_path / "DATA", raws, instrument="generic")
    assert caught.value.code == "OTHER_CAMERA"


def test_what_a_poor_header_lacks_is_told_on_ingest_and_found_again(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "in/x.fits", {"EXPTIME": 60.0, "DATE-OBS": "2012-06-17T01:58:50"})
    root = tmp_path / "DATA"
    values = {"filter": "r", "field": "TRES1", "ra": "19:04:09.6", "dec": "36.63", "scale": "2.374", "mirrored": "yes"}
    ingest_images(root, [path], instrument="generic", values=values)
    butler = Butler(root)
    (row,) = butler.query("filter=r field=TRES1")
    pointing = butler.pointing(row)
    assert pointing is not None
    assert pointing.ra_deg == pytest.approx(286.04)
    assert (pointing.dec_deg, pointing.pixel_scale_arcsec, pointing.mirrored) == (36.63, 2.374, True)
    assert pointing.position_angle_deg is None
    frame = butler.get("raw", row)
    assert frame.wcs_origin == "pointing"
    assert frame.visit_info.boresight_ra_deg == pytest.approx(286.04)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"filtre": "r"}, "UNKNOWN_COLUMN"),
        ({"expTime": "long"}, "UNCASTABLE_VALUE"),
        ({"ra": "286.04"}, "BAD_POINTING"),
        ({"ra": "386.04", "dec": "0"}, "BAD_POINTING"),
        ({"ra": "x", "dec": "0"}, "BAD_POINTING"),
        ({"scale": "-1"}, "BAD_POINTING"),
        ({"mirrored": "maybe"}, "BAD_POINTING"),
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path: Path, raws: list[Path], values: dict[str, str], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        ingest_images(tmp_path / "DATA", raws, values=values)
    assert caught.value.code == code
    assert not (tmp_path / "DATA").exists()


def test_a_failure_while_registering_leaves_registry_and_files_as_before(
    tmp_path: Path, raws: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws[:1])
    before = (root / "registry.sqlite3").read_bytes(), sorted(path for path in root.rglob("*.fits"))
    for name in ("update_visits", "create_raw_tables"):
        with monkeypatch.context() as patch:

            def fail(*arguments: object, **options: object) -> None:
                raise sqlite3.OperationalError("database or disk is full")

            patch.setattr(f"safelight.butler.ingestimages.{name}", fail)
            with pytest.raises(RepositoryError) as caught:
                ingest_images(root, raws, mode="copy")
        assert caught.value.code == "DISK_FULL"
        assert ((root / "registry.sqlite3").read_bytes(), sorted(path for path in root.rglob("*.fits"))) == before
        assert all(path.exists() for path in raws)
        consistent(root)


@pytest.mark.parametrize("mode", ["link", "copy", "move"])
@pytest.mark.parametrize("moment", ["before registering", "after registering"])
def test_a_killed_ingest_leaves_no_row_without_file_and_is_completed_by_the_same_command(
    tmp_path: Path, raws: list[Path], mode: str, moment: str
) -> None:
    root = tmp_path / "DATA"
    contents = sorted(path.read_bytes() for path in raws)
    target = "ingestimages.edit_registry" if moment == "before registering" else "placement.Placements.finish"
    program = (
        "import os, signal, sys; from unittest import mock\n"
        "from safelight.butler.ingest import ingest_images\n"
        "die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"with mock.patch('safelight.butler.{target}', die):\n"
        f"    ingest_images({str(root)!r}, sys.argv[1:], mode={mode!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *map(str, raws)], check=False)
    assert done.returncode == -signal.SIGKILL
    consistent(root)
    assert all(path.exists() for path in raws)
    ingest_images(root, raws, mode=mode)  # type: ignore[arg-type]
    assert sorted(Butler(root).uri("raw", row).read_bytes() for row in Butler(root).query("")) == contents
    consistent(root)


def test_two_ingests_at_once_are_kept_apart(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    root.mkdir()
    with registryedit.ingest_lock(root), pytest.raises(RepositoryError) as caught:
        ingest_images(root, raws)
    assert caught.value.code == "INGEST_RUNNING"


def test_too_little_space_is_said_before_anything_is_copied(
    tmp_path: Path, raws: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(RepositoryError) as caught:
        ingest_images(tmp_path / "DATA", raws, mode="copy")
    assert caught.value.code == "DISK_FULL"
    assert not list((tmp_path / "DATA").rglob("*.fits"))


def test_masters_are_placed_and_valid_around_their_dates(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws)
    masters = [
        write_master(tmp_path / "m/b.fits", master_cards("bias", 16, "2013-11-03")),
        write_master(tmp_path / "m/d.fits", master_cards("dark", 16, "2013-11-03")),
        write_master(tmp_path / "m/fi.fits", master_cards("flat", 16, "2013-11-03", "HSC-I")),
        write_master(tmp_path / "m/fr.fits", master_cards("flat", 16, "2013-06-17", "HSC-R")),
    ]
    report = ingest_calibs(root, None, masters, validity_days=180)
    assert (len(report.ingested), report.bad) == (4, [])
    assert not any(path.exists() for path in masters)
    found = rows(
        root / "CALIB", "SELECT filter, ccd, calibDate, validStart, validEnd FROM flat", "calibRegistry.sqlite3"
    )
    assert found == [
        ("HSC-I", 16, "2013-11-03", "2013-05-07", "2014-05-02"),
        ("HSC-R", 16, "2013-06-17", "2012-12-19", "2013-12-14"),
    ]
    choice = Butler(root).find_calibration("flat", {"visit": 903986, "ccd": 16})
    assert choice.path == root / "CALIB/FLAT/2013-11-03/HSC-I/FLAT-2013-11-03-HSC-I-016.fits"
    assert Butler(root).find_calibration("bias", {"visit": 903986, "ccd": 16}).valid_start == "2013-05-07"


def test_a_later_master_trims_its_neighbour_and_leaves_other_ccds_alone(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws)
    for name, ccd, date in (("a", 16, "2013-06-17"), ("b", 22, "2013-06-17")):
        master = write_master(tmp_path / f"m/{name}.fits", master_cards("bias", ccd, date))
        ingest_calibs(root, None, [master], validity_days=180)
    connection = sqlite3.connect(root / "CALIB" / "calibRegistry.sqlite3")
    connection.execute("UPDATE bias SET validEnd = '2020-01-01' WHERE ccd = 22")  # set by hand
    connection.commit()
    connection.close()
    ingest_calibs(
        root, None, [write_master(tmp_path / "m/c.fits", master_cards("bias", 16, "2013-11-03"))], validity_days=180
    )
    statement = "SELECT ccd, validStart, validEnd FROM bias ORDER BY ccd, validStart"
    assert rows(root / "CALIB", statement, "calibRegistry.sqlite3") == [
        (16, "2012-12-19", "2013-08-25"),
        (16, "2013-08-26", "2014-05-02"),
        (22, "2012-12-19", "2020-01-01"),
    ]


def test_bad_masters_are_named_and_counted(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws)
    good = write_master(tmp_path / "m/good.fits", master_cards("bias", 16, "2013-11-03"))
    files = [
        good,
        write_master(tmp_path / "m/twin.fits", master_cards("bias", 16, "2013-11-03")),
        write_master(tmp_path / "m/kind.fits", master_cards("arc", 16, "2013-11-03")),
        write_master(tmp_path / "m/date.fits", master_cards("dark", 16, "yesterday")),
        raws[0],
    ]
    report = ingest_calibs(root, None, files, validity_days=180, mode="copy")
    assert sorted((bad.source.name, bad.code) for bad in report.bad) == [
        ("date.fits", "NO_CALIB_ID"),
        ("kind.fits", "NOT_A_CALIBRATION"),
        ("r16.fits", "NOT_A_CALIBRATION"),
        ("twin.fits", "SAME_FRAME"),
    ]
    assert [item.source for item in report.ingested] == [good]
    again = ingest_calibs(root, None, [good], validity_days=180, mode="copy")
    assert (again.already, again.exit_code) == ([good], 0)


def test_what_a_masters_header_lacks_can_be_told(tmp_path: Path, raws: list[Path]) -> None:
    root = tmp_path / "DATA"
    ingest_images(root, raws)
    plain = write_master(tmp_path / "m/plain.fits", {})
    values = {"ccd": "16", "calibDate": "2013-11-03"}
    report = ingest_calibs(root, None, [plain], validity_days=9, mode="link", kind="dark", values=values)
    assert report.ingested[0].row == {"filter": "NONE", "ccd": 16, "calibDate": "2013-11-03"}
    for options, code in (
        ({"kind": "darc"}, "UNKNOWN_CALIBRATION"),
        ({"values": {"visit": "1"}}, "UNKNOWN_COLUMN"),
        ({"validity_days": -1}, "BAD_VALIDITY"),
    ):
        with pytest.raises(UsageError) as caught:
            ingest_calibs(root, None, [plain], **{"validity_days": 9, **options})  # type: ignore[arg-type]
        assert caught.value.code == code


@pytest.mark.real_data
def test_curated_defects_are_registered_as_lsst_has_them(tmp_path: Path, shared_data: Path) -> None:
    from safelight.butler import create_repository
    from safelight.instruments import load_instrument

    root = tmp_path / "DATA"
    create_repository(root, "hsc")
    hsc = load_instrument("hsc")
    few = hsc.model_copy(update={"detectors": tuple(d for d in hsc.detectors if d.id in (0, 9, 33, 100, 104, 111))})
    report = ingest_curated_defects(root, None, few)
    statement = (
        "SELECT filter, ccd, calibDate, validStart, validEnd FROM defects "
        "WHERE ccd IN (0, 9, 33, 100, 104, 111) ORDER BY ccd, calibDate"
    )
    theirs = rows(shared_data / "gen2", statement, "ci_hsc_calibRegistry.sqlite3")
    assert len(theirs) == len(report.ingested) == 4 * 8 + 2
    assert rows(root / "CALIB", statement, "calibRegistry.sqlite3") == theirs
    assert not [path for path in (root / "CALIB").iterdir() if path.name.startswith(".defects")]
    boxes, origin = Butler(root).defects({"visit": 1, "ccd": 9, "taiObs": "2012-06-01"})
    assert boxes == hsc.defects_on(9, "2012-06-01")
    assert "1970-01-01T00:00:00" in origin
    assert ingest_curated_defects(root, None, few).ingested == []


def test_the_commands_return_their_exit_codes_and_print_counts(
    tmp_path: Path, raws: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "DATA"
    assert images_command([str(root), *map(str, raws), "--badId", "ccd=22"]) == 0
    assert "2 raw ingested" in capsys.readouterr().out
    (tmp_path / "in" / "empty.fits").touch()
    assert images_command([str(root), str(tmp_path / "in" / "empty.fits")]) == 1
    captured = capsys.readouterr()
    assert "RAW_EMPTY" in captured.err
    assert "1 bad" in captured.out
    master = write_master(tmp_path / "m/b.fits", master_cards("bias", 16, "2013-11-03"))
    assert calibs_command([str(root), str(master), "--validity", "180", "--mode", "copy"]) == 0
    assert "1 bias ingested" in capsys.readouterr().out
    assert calibs_command([str(tmp_path / "no"), str(master), "--validity", "180"]) == 5
    assert "[NO_SUCH_DIRECTORY]" in capsys.readouterr().err
    assert images_command([str(root), str(raws[0]), "--set", "x"]) == 2
    assert images_command([str(root), str(raws[0]), "--badId", "vist=1"]) == 2
    assert "visit?" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["images", "calibs", "defects", "refcat"])
def test_every_ingest_command_shows_an_example(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    from safelight.commands.ingest import main

    with pytest.raises(SystemExit) as caught:
        main([what, "--help"])
    assert caught.value.code == 0
    assert f"safelight ingest {what} DATA" in capsys.readouterr().out.split("example:")[1]


def test_a_reference_catalogue_is_ingested_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safelight.butler import create_repository
    from safelight.commands.ingest import ingest_reference_catalog

    root = tmp_path / "DATA"
    create_repository(root, "generic")
    table = tmp_path / "stars.csv"
    table.write_text("ra,dec,VT\n286.0,36.6,10.5\n286.1,36.7,11.5\n")
    arguments = ["--name", "stars", "-c", "ra_name=ra", "dec_name=dec", "mag_column_list=VT"]
    assert ingest_reference_catalog([str(root), str(table), *arguments]) == 0
    assert "2 stars" in capsys.readouterr().out
    assert list(Butler(root).reference_catalogs()) == ["stars"]
    assert ingest_reference_catalog([str(root), str(tmp_path / "none.csv"), *arguments]) == 2
