"""Every kind of dataset goes through put and get unchanged, and a full disk leaves the old one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from safelight.butler import Butler
from safelight.errors import RepositoryError, UsageError
from safelight.exposure import Exposure, MasterFrame
from safelight.instruments import Box

CCD = {"visit": 903986, "ccd": 16}


@pytest.fixture
def butler(repository: Path) -> Butler:
    return Butler(repository, rerun="r")


def make_exposure() -> Exposure:
    random = np.random.default_rng(1)
    return Exposure(
        image=random.normal(100, 5, (40, 30)).astype(np.float32),
        mask=random.integers(0, 8, (40, 30)).astype(np.int32),
        variance=np.full((40, 30), 25, np.float32),
        detector_id=16,
        filter_name="HSC-I",
    )


def test_an_exposure_comes_back_pixel_by_pixel(butler: Butler) -> None:
    exposure = make_exposure()
    record = butler.put(exposure, "calexp", CCD)
    assert record.path == butler.output / "00671/HSC-I/corr/CORR-0903986-016.fits"  # type: ignore[operator]
    again = butler.get("calexp", CCD)
    for plane in ("image", "mask", "variance"):
        np.testing.assert_array_equal(getattr(again, plane), getattr(exposure, plane))
    assert butler.get("calexp_md", CCD)["FILTER"] == "HSC-I"
    assert [row["ccd"] for row in butler.query("", "calexp")] == [16]


def test_a_table_comes_back_with_its_flags(butler: Butler) -> None:
    table = Table({"id": np.arange(3), "calib_psf_used": [True, False, True], "flux": [1.0, np.nan, 3.0]})
    butler.put(table, "src", CCD)
    again = butler.get("src", CCD)
    assert again["calib_psf_used"].dtype == bool
    for name in table.colnames:
        np.testing.assert_array_equal(again[name], table[name])


def test_a_master_goes_to_the_output_and_its_calibration_date_names_it(butler: Butler) -> None:
    identity = {"ccd": 16, "calibDate": "2013-11-03", "filter": "HSC-I"}
    image = np.linspace(0.9, 1.1, 1200, dtype=np.float32).reshape(40, 30)
    butler.put(MasterFrame(image), "flat", identity)
    np.testing.assert_array_equal(butler.get("flat", identity).image, image)


@pytest.mark.parametrize(
    ("dataset_type", "identity", "thing"),
    [
        ("defects", {"ccd": 16, "calibDate": "2013-01-31T00:00:00"}, [Box(x0=1, y0=2, width=3, height=4)]),
        ("processCcd_metadata", CCD, {"processCcd": {"n": 3, "text": "é", "x": [1.5, None]}}),
        ("processCcd_config", {}, "config.isr.doBias=True\n"),
    ],
)
def test_small_things_come_back_as_they_were(
    butler: Butler, dataset_type: str, identity: dict[str, Any], thing: Any
) -> None:
    butler.put(thing, dataset_type, identity)
    assert butler.get(dataset_type, identity) == thing


def test_the_camera_is_a_dataset_too(butler: Butler) -> None:
    assert butler.get("camera").name == "hsc"


@pytest.mark.parametrize(
    ("dataset_type", "thing"), [("processCcd_config", 3), ("processCcd_metadata", {"x": object()})]
)
def test_what_does_not_fit_a_form_is_refused_and_leaves_nothing(
    butler: Butler, dataset_type: str, thing: object
) -> None:
    with pytest.raises(UsageError):
        butler.put(thing, dataset_type, CCD)
    assert not butler.exists(dataset_type, CCD)
    assert butler.ledger.files() == []


def test_a_form_that_is_not_known_is_refused_by_name(butler: Butler) -> None:
    path = butler.create_output() / "transmission" / "optics.fits"
    path.parent.mkdir()
    path.touch()
    with pytest.raises(RepositoryError) as caught:
        butler.get("transmission_optics")
    assert caught.value.code == "NO_FORMATTER"


def test_running_out_of_space_in_mid_file_keeps_the_old_dataset(butler: Butler, repository: Path) -> None:
    butler.put({"old": True}, "processCcd_metadata", CCD)
    # The system's limit on the size of a file makes a real write fail half-way.
    program = (
        "import resource, signal, sys; from safelight.butler import Butler\n"
        "from safelight.errors import RepositoryError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"b = Butler({str(repository)!r}, rerun='r'); b.ledger.files()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try: b.put({'new': 'x' * 100000}, 'processCcd_metadata', visit=903986, ccd=16)\n"
        "except RepositoryError as error: print(error.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "DISK_FULL"
    assert butler.get("processCcd_metadata", CCD) == {"old": True}
    assert butler.ledger.verify() == []
    assert len(list(butler.uri("processCcd_metadata", CCD).parent.iterdir())) == 1
