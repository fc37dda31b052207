"""Master frames: ours, LSST's own files, and plain images."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from safelight.errors import ProcessingError
from safelight.exposure import MaskPlanes, MasterFrame
from safelight.exposure.fits import read_master, write_master


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(5).normal(1000, 3, (40, 31)).astype(np.float32)


@pytest.fixture(params=["bias_14", "dark_14", "flat_14"])
def lsst_path(request: pytest.FixtureRequest, shared_data: Path) -> Path:
    return next((shared_data / "huntsman" / "lsst_masters").glob(f"{request.param}*.fits"))


@pytest.mark.real_data
def test_lsst_masters_are_read_as_astropy_reads_them(lsst_path: Path) -> None:
    master = read_master(lsst_path)
    with fits.open(lsst_path) as hdus:
        np.testing.assert_array_equal(master.image, hdus[1].data)
        assert master.mask is not None
        stored = {key[3:]: bit for key, bit in hdus[2].header.items() if key.startswith("MP_")}
        for name, bit in stored.items():
            np.testing.assert_array_equal(master.mask >> master.planes[name] & 1, hdus[2].data >> bit & 1)
        np.testing.assert_array_equal(master.variance, hdus[3].data)
    assert (master.exposure_time_s, master.contains_bias) == (1.0, False)
    assert master.header["OBSTYPE"] == lsst_path.name.split("_")[0]


@pytest.mark.real_data
def test_a_single_raw_dark_is_taken_to_contain_its_bias(shared_data: Path) -> None:
    for name, seconds in (("huntsman/dark.fits", 300.0), ("tres1/tres1-001d.fits.gz", 60.0)):
        master = read_master(shared_data / name)
        assert (master.contains_bias, master.exposure_time_s) == (True, seconds)
        np.testing.assert_array_equal(master.image, fits.getdata(shared_data / name))


@pytest.mark.real_data
def test_a_single_flat_has_nothing_to_do_with_the_bias_of_darks(shared_data: Path) -> None:
    assert not read_master(shared_data / "huntsman" / "flat.fits").contains_bias


def test_a_written_master_reads_back_equal(tmp_path: Path, image: np.ndarray) -> None:
    planes = MaskPlanes()
    mask = np.where(image > 1003, np.int32(planes.bits("BAD", "NO_DATA")), np.int32(0))
    header = {"OBSTYPE": "dark", "CALIB_ID": "filter=NONE calibDate=2013-11-03 calibVersion=x ccd=16", "NCOMBINE": 5}
    master = MasterFrame(image, mask, image * 2, exposure_time_s=60.0, contains_bias=True, header=header)
    write_master(tmp_path / "m.fits", master)
    read = read_master(tmp_path / "m.fits")
    np.testing.assert_array_equal(read.image, image)
    np.testing.assert_array_equal(read.mask, mask)
    np.testing.assert_array_equal(read.variance, image * 2)
    assert (read.exposure_time_s, read.contains_bias) == (60.0, True)
    assert {key: read.header[key] for key in header} == header
    assert read_master(tmp_path / "m.fits", variance=False).variance is None
    with fits.open(tmp_path / "m.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "IMAGE", "MASK", "VARIANCE"]


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "u2"])
def test_the_first_image_of_any_file_will_do(tmp_path: Path, image: np.ndarray, dtype: str) -> None:
    values = image.astype(dtype)
    fits.PrimaryHDU(values).writeto(tmp_path / "primary.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(values)]).writeto(tmp_path / "extension.fits")
    (tmp_path / "primary.fits.gz").write_bytes(gzip.compress((tmp_path / "primary.fits").read_bytes()))
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(read_master(path).image, values.astype(np.float32))


def test_a_rice_compressed_file_is_read(tmp_path: Path, image: np.ndarray) -> None:
    hdu = fits.CompImageHDU(image.astype(np.int16), compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "m.fits.fz")
    np.testing.assert_array_equal(read_master(tmp_path / "m.fits.fz").image, image.astype(np.int16))


def test_mask_planes_are_renumbered_by_name(tmp_path: Path, image: np.ndarray) -> None:
    mask = np.zeros(image.shape, np.int32)
    mask[0, 0], mask[1, 1], mask[2, 2] = 1 << 4, 1 << 0, 1 << 30
    mask_hdu = fits.ImageHDU(mask, name="MASK")
    mask_hdu.header["MP_BAD"], mask_hdu.header["MP_SAT"], mask_hdu.header["MP_OWN"] = 4, 0, 30
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="IMAGE"), mask_hdu]).writeto(tmp_path / "m.fits")
    master = read_master(tmp_path / "m.fits")
    assert master.mask is not None
    assert master.planes.names(int(master.mask[0, 0])) == ["BAD"]
    assert master.planes.names(int(master.mask[1, 1])) == ["SAT"]
    assert master.planes.names(int(master.mask[2, 2])) == ["OWN"]
    assert np.count_nonzero(master.mask) == 3


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"OBSTYPE": "dark", "CALIB_ID": "ccd=1", "EXPTIME": 300.0}, (False, 1.0)),
        ({"OBSTYPE": "dark", "HASBIAS": False, "EXPTIME": 1.0}, (False, 1.0)),
        ({"OBSTYPE": "dark", "HASBIAS": True, "EXPTIME": 45.0}, (True, 45.0)),
        ({"IMAGETYP": "Dark Frame", "EXPOSURE": 45.0}, (True, 45.0)),
        ({"IMAGETYP": "Flat Field", "EXPTIME": 3.0}, (False, 3.0)),
    ],
)
def test_whether_a_dark_contains_its_bias_is_read_from_the_header(
    tmp_path: Path, image: np.ndarray, cards: dict, expected: tuple[bool, float]
) -> None:
    hdu = fits.PrimaryHDU(image)
    hdu.header.update(cards)
    hdu.writeto(tmp_path / "m.fits")
    master = read_master(tmp_path / "m.fits")
    assert (master.contains_bias, master.exposure_time_s) == expected


def test_a_file_without_an_image_is_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU().writeto(tmp_path / "m.fits")
    with pytest.raises(ProcessingError, match="no two-dimensional image") as caught:
        read_master(tmp_path / "m.fits")
    assert caught.value.code == "NO_IMAGE"


def test_a_gzipped_file_cut_short_is_refused(tmp_path: Path, image: np.ndarray) -> None:
    fits.PrimaryHDU(image).writeto(tmp_path / "m.fits")
    packed = gzip.compress((tmp_path / "m.fits").read_bytes())
    (tmp_path / "m.fits.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ProcessingError) as caught:
        read_master(tmp_path / "m.fits.gz")
    assert caught.value.code == "FITS_TRUNCATED"
