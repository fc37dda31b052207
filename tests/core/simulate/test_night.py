"""A night on disk: a repository, resumed where it stopped, the same whoever makes it."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from safelight.butler import Butler
from safelight.errors import DatasetNotFound, UsageError
from safelight.simulate import NightSpec, simulate_night
from safelight.simulate.command import _numbers
from safelight.simulate.presets import PRESETS, spec_from_options
from safelight.simulate.truth import cosmic_ray_mask, load_night, read_truth, true_master, true_wcs, truth_file

VISIT, CCD = 903336, 17
DATA_ID = {"visit": VISIT, "ccd": CCD}


def one_frame() -> NightSpec:
    return replace(PRESETS["tutorial"]().restricted((VISIT,), (CCD,)), name="one frame")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A repository of one frame with masters, made by two worker processes."""
    path = tmp_path_factory.mktemp("night") / "DATA"
    seen: list[tuple[int, int]] = []
    simulate_night(path, one_frame(), processes=2, progress=lambda done, total, what: seen.append((done, total)))
    assert seen == [(k, 4) for k in (1, 2, 3, 4)]
    return path


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_repository_has_the_frame_at_its_place_and_in_its_registry(root):
    butler = Butler(root)
    rows = butler.query("").rows
    assert [(row["visit"], row["ccd"], row["filter"], row["pointing"], row["field"]) for row in rows] == [
        (VISIT, CCD, "HSC-R", 533, "STRIPE82L")
    ]
    assert butler.exists("raw", rows[0])
    assert str(butler.uri("raw", rows[0])).endswith("STRIPE82L/2013-06-17/00533/HSC-R/HSC-0903336-017.fits")


@pytest.mark.parametrize(
    ("kind", "date", "start", "end"),
    [
        ("bias", "2013-11-03", "2013-05-07", "2014-05-02"),
        ("dark", "2013-11-03", "2013-05-07", "2014-05-02"),
        ("flat", "2013-06-17", "2012-12-19", "2013-12-14"),
    ],
)
def test_masters_are_found_with_the_validity_of_the_real_registry(root, kind, date, start, end):
    butler = Butler(root)
    row = butler.query("").rows[0]
    choice = butler.find_calibration(kind, row)
    assert (choice.calib_date, choice.valid_start, choice.valid_end) == (date, start, end)
    assert choice.path.is_file()


def test_defects_and_reference_catalogues_are_there(root):
    butler = Butler(root)
    boxes, _ = butler.defects(butler.query("").rows[0])
    assert boxes
    assert set(butler.reference_catalogs()) == {"ps1_pv3_3pi_20170110", "gaia_dr2_20200414"}
    assert not list(root.rglob("*.tmp-*"))


def test_masters_differ_from_the_stored_truth_by_their_noise_only(root):
    from safelight.exposure.fits import read_master

    for kind, folder, tolerance in (("bias", "BIAS", 0.5), ("flat", "FLAT", 0.002)):
        path = next((root / "CALIB" / folder).rglob("*.fits"))
        difference = read_master(path).image - true_master(root, kind, CCD, "HSC-R")
        assert abs(np.median(difference)) < 0.01 * tolerance
        assert 0.2 * tolerance < difference.std() < 2 * tolerance


def test_the_truth_tells_pointing_zeropoint_psf_and_sources(root):
    truth = read_truth(root, VISIT, CCD)
    assert truth.zeropoint_mag == pytest.approx(27.1, abs=0.03)
    assert truth.fwhm_arcsec == pytest.approx(0.72, rel=0.1)
    sources = truth.sources
    x, y = true_wcs(root, VISIT, CCD).sky_to_pixel(sources["ra"], sources["dec"])
    np.testing.assert_allclose(x, sources["x"], atol=1e-5)
    np.testing.assert_allclose(y, sources["y"], atol=1e-5)
    magnitude = truth.zeropoint_mag - 2.5 * np.log10(sources["flux"] / truth.exposure_time_s)
    np.testing.assert_allclose(magnitude, sources["mag"], atol=1e-9)
    mask = cosmic_ray_mask(root, VISIT, CCD)
    assert mask.shape == (4176, 2048)
    assert 100 < mask.sum() < 6000
    assert load_night(root) == one_frame()


def test_a_second_call_makes_nothing_and_changes_nothing(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.fits")}
    seen: list[str] = []
    simulate_night(root, one_frame(), progress=lambda done, total, what: seen.append(what))
    assert seen == []
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.fits")} == before
    with sqlite3.connect(root / "registry.sqlite3") as registry:
        assert registry.execute("SELECT count(*) FROM raw").fetchone() == (1,)


def _left_by_a_dead_process(final):
    """A half-written temporary file such as a killed process leaves."""
    code = (
        "import os, pathlib, sys\n"
        "from safelight.butler.atomic import atomic_path\n"
        "with atomic_path(pathlib.Path(sys.argv[1])) as path:\n"
        "    path.write_bytes(b'half')\n"
        "    print(path, flush=True)\n"
        "    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(final)], capture_output=True, text=True, check=False)
    stale = Path(done.stdout.strip())
    assert done.returncode == 9
    assert stale.read_bytes() == b"half"
    return stale


def test_a_missing_file_alone_is_made_again_and_is_the_same_in_another_process(root):
    raw, flat = next(root.rglob("HSC-*.fits")), next((root / "CALIB").rglob("FLAT-*.fits"))
    digest, flat_time = _digest(raw), flat.stat().st_mtime_ns
    raw.unlink()
    stale = _left_by_a_dead_process(raw)
    seen: list[str] = []
    simulate_night(root, one_frame(), progress=lambda done, total, what: seen.append(what))
    assert seen == [f"frame {VISIT}, CCD {CCD}"]
    assert _digest(raw) == digest
    assert flat.stat().st_mtime_ns == flat_time
    assert not stale.exists()


def test_another_night_is_not_mixed_into_a_repository(root):
    with pytest.raises(UsageError, match="differs in seed") as caught:
        simulate_night(root, replace(one_frame(), seed=1))
    assert caught.value.code == "OTHER_NIGHT"


def test_a_folder_with_other_things_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        simulate_night(tmp_path, one_frame())
    assert caught.value.code == "NOT_EMPTY"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(UsageError) as caught:
        simulate_night(tmp_path / "notes.txt", one_frame())
    assert caught.value.code == "NOT_A_DIRECTORY"


def test_a_night_that_was_killed_before_its_first_file_can_be_begun_again(tmp_path):
    from safelight.simulate.night import _begin

    root = tmp_path / "DATA"
    (root / "truth").mkdir(parents=True)
    _left_by_a_dead_process(root / "truth" / "night.yaml")
    _begin(root, one_frame())
    assert load_night(root) == one_frame()
    assert sorted(path.name for path in root.iterdir()) == ["_mapper", "truth"]
    (root / "_mapper").unlink()  # killed between the two
    _begin(root, one_frame())
    assert (root / "_mapper").is_file()


def test_the_truth_of_a_frame_that_was_not_simulated_is_named(root):
    with pytest.raises(DatasetNotFound) as caught:
        read_truth(root, 1, 2)
    assert str(truth_file(root, 1, 2)) in caught.value.message


def test_frames_are_made_by_seed_visit_and_ccd_alone(small, night):
    from safelight.simulate.frame import FrameSimulator

    from .conftest import NO_SOURCES, FixedSky

    visit, other = night.visits[0], replace(night.visits[0], visit=904026)
    first = FrameSimulator(small, night, FixedSky(NO_SOURCES))
    later = FrameSimulator(small, night, FixedSky(NO_SOURCES))
    later.frame(other, 50)
    a, b = first.frame(visit, 50).pixels, later.frame(visit, 50).pixels
    np.testing.assert_array_equal(a, b)
    seeded = FrameSimulator(small, replace(night, seed=night.seed + 1), FixedSky(NO_SOURCES))
    assert not np.array_equal(a, seeded.frame(visit, 50).pixels)
    assert not np.array_equal(a, first.frame(other, 50).pixels)


def test_the_tutorial_is_the_33_frames_of_the_lesson():
    night = PRESETS["tutorial"]()
    listed = {visit.visit: visit.ccds for visit in night.visits}
    assert listed == {
        903334: (16, 22, 23, 100),
        903336: (17, 24),
        903338: (18, 25),
        903342: (4, 10, 100),
        903344: (0, 5, 11),
        903346: (1, 6, 12),
        903986: (16, 22, 23, 100),
        903988: (16, 17, 23, 24),
        903990: (18, 25),
        904010: (4, 10, 100),
        904014: (1, 6, 12),
    }
    count = {name: sum(len(v.ccds) for v in night.visits if v.filter == name) for name in ("HSC-R", "HSC-I")}
    assert count == {"HSC-R": 17, "HSC-I": 16}
    assert {(v.filter, v.date_obs) for v in night.visits} == {("HSC-R", "2013-06-17"), ("HSC-I", "2013-11-02")}
    assert len(night.ccds) == 16
    assert sum(len(master.ccds) for master in night.masters) == 64


def test_the_night_ends_with_a_visit_of_every_ccd_that_sees_the_sky():
    lesson, night = PRESETS["tutorial"](), PRESETS["night"]()
    assert night.visits[:-1] == lesson.visits
    whole = night.visits[-1]
    assert whole.ccds == tuple(range(104))
    assert (whole.date_obs, whole.ut_start) > (night.visits[-2].date_obs, night.visits[-2].ut_start)
    for visit in night.visits:
        for kind in ("bias", "dark", "flat"):
            of_kind = [m for m in night.masters if m.kind == kind and m.filter in ("NONE", visit.filter)]
            assert set(visit.ccds) <= {ccd for master in of_kind for ccd in master.ccds}


def test_a_night_survives_yaml():
    import yaml

    night = spec_from_options(preset="demo", raw_calibrations=2, seed=5, seeing_arcsec=0.9)
    assert NightSpec.from_dict(yaml.safe_load(yaml.safe_dump(night.to_dict()))) == night
    with pytest.raises(UsageError, match="not the description"):
        NightSpec.from_dict({"name": "x"})


def test_options_restrict_a_night_and_errors_say_what_there_is():
    night = spec_from_options(preset="tutorial", visits=(903334, 903986), ccds=(16,))
    assert [(visit.visit, visit.ccds) for visit in night.visits] == [(903334, (16,)), (903986, (16,))]
    assert [(master.kind, master.filter, master.ccds) for master in night.masters] == [
        ("bias", "NONE", (16,)),
        ("dark", "NONE", (16,)),
        ("flat", "HSC-R", (16,)),
        ("flat", "HSC-I", (16,)),
    ]
    for options, code in (
        ({"preset": "tutorail"}, "UNKNOWN_SET"),
        ({"visits": (1,)}, "EMPTY_NIGHT"),
        ({"seeing_arcsec": 9.0}, "BAD_SEEING"),
        ({"raw_calibrations": -1}, "BAD_NUMBER"),
        ({"preset": "real-sky"}, "NO_SKY"),
    ):
        with pytest.raises(UsageError) as caught:
            spec_from_options(**options)
        assert caught.value.code == code


def test_lists_of_numbers_are_written_as_in_data_ids():
    import argparse

    assert _numbers("1^4..6") == (1, 4, 5, 6)
    assert _numbers("903334,903986") == (903334, 903986)
    for wrong in ("", "a", "6..4", "1^"):
        with pytest.raises(argparse.ArgumentTypeError):
            _numbers(wrong)


def test_a_catalogue_that_does_not_cover_a_ccd_is_refused_before_anything_is_written(tmp_path, shared_data):
    folder = shared_data / "hsc_refcats"
    if not folder.is_dir():
        pytest.skip("the real reference catalogues are absent: there is no ../shared/data/hsc_refcats")
    night = one_frame()
    elsewhere = replace(night, visits=(replace(night.visits[0], ra_deg=150.0),), sky=str(folder))
    with pytest.raises(UsageError) as caught:
        simulate_night(tmp_path / "DATA", elsewhere)
    assert caught.value.code == "SKY_NOT_COVERED"
    assert not (tmp_path / "DATA").exists()


def test_raw_calibrations_are_in_the_cameras_format(tmp_path, hsc):
    from safelight.instruments import translate_header
    from safelight.simulate.header import raw_header

    night = replace(one_frame(), raw_calibrations=1)
    kinds = {}
    for visit in night.calibration_visits():
        header = raw_header(visit, hsc.detector(CCD))
        row = translate_header(hsc, dict(header))
        kinds[header["DATA-TYP"]] = (row["field"], row["expTime"])
        assert row["visit"] == visit.visit
    assert kinds == {"BIAS": ("BIAS", 0.0), "DARK": ("DARK", 300.0), "DOMEFLAT": ("DOMEFLAT", 10.0)}
    assert isinstance(raw_header(night.visits[0], hsc.detector(CCD)), fits.Header)
