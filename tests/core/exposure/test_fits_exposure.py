"""Exposures on disk: exact in our reader, readable by others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS

from safelight.errors import DatasetNotFound, ProcessingError, RepositoryError
from safelight.exposure import Exposure
from safelight.exposure.fits import read_exposure, write_exposure
from safelight.exposure.fits_models import psf_from
from safelight.exposure.wcs import TanSipWcs


@pytest.fixture
def path(tmp_path: Path, exposure: Exposure) -> Path:
    target = tmp_path / "calexp.fits"
    write_exposure(target, exposure)
    return target


def test_an_exposure_reads_back_equal(path: Path, exposure: Exposure, wcs: TanSipWcs) -> None:
    read = read_exposure(path)
    for plane in ("image", "mask", "variance"):
        stored, original = getattr(read, plane), getattr(exposure, plane)
        assert stored.dtype == original.dtype
        assert stored.dtype.isnative
        np.testing.assert_array_equal(stored.view(np.uint32), original.view(np.uint32))
    for name in ("planes", "detector_id", "detector_name", "detector_serial", "filter_name", "band", "gains", "header"):
        assert getattr(read, name) == getattr(exposure, name), name
    assert read.photo_calib == exposure.photo_calib
    assert repr(read.visit_info) == repr(exposure.visit_info)  # repr, for NaN is not equal to itself
    assert isinstance(read.wcs, TanSipWcs)
    for name in ("crpix", "crval", "cd", "a", "b"):
        np.testing.assert_array_equal(getattr(read.wcs, name), getattr(wcs, name), err_msg=name)
    assert read.psf is not None
    assert exposure.psf is not None
    np.testing.assert_array_equal(read.psf.image(20.0, 60.0), exposure.psf.image(20.0, 60.0))
    assert read.psf.n_stars == 31
    assert read.aperture_corrections is not None
    assert exposure.aperture_corrections is not None
    for name, field in exposure.aperture_corrections.fields.items():
        other = read.aperture_corrections.fields[name]
        np.testing.assert_array_equal(other.coefficients, field.coefficients)
        assert (other.width, other.height, other.rms, other.n_stars) == (96, 70, field.rms, field.n_stars)
        assert other.common_error == field.common_error


def test_an_uncalibrated_exposure_reads_back_with_nothing_invented(tmp_path: Path, exposure: Exposure) -> None:
    bare = Exposure(exposure.image, exposure.mask, exposure.variance)
    write_exposure(tmp_path / "bare.fits", bare)
    read = read_exposure(tmp_path / "bare.fits")
    assert (read.wcs, read.psf, read.aperture_corrections, read.photo_calib, read.visit_info) == (None,) * 5
    assert (read.header, read.gains, read.filter_name) == ({}, (), "")


def test_astropy_finds_the_layout_and_valid_checksums(path: Path, exposure: Exposure) -> None:
    with fits.open(path, checksum=True) as hdus:  # a wrong checksum warns, and warnings are errors
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "IMAGE", "MASK", "VARIANCE", "PSF", "APCORR"]
        for name in ("IMAGE", "MASK", "VARIANCE"):
            header = hdus[name].header
            assert header["EXTTYPE"] == name
            assert (header["LTV1"], header["LTV2"], header["INHERIT"]) == (0.0, 0.0, True)
            assert header["CTYPE1"] == "RA---TAN-SIP"
            np.testing.assert_array_equal(hdus[name].data, getattr(exposure, name.lower()))
        assert hdus["MASK"].header["MP_DETECTED_NEGATIVE"] == 6
        assert hdus["MASK"].header["MP_A_LONG_PLANE_NAME"] == 12
        assert (hdus["IMAGE"].header["BUNIT"], hdus["VARIANCE"].header["BUNIT"]) == ("adu", "adu2")
        primary = hdus[0].header
        assert primary["GAIN3"] == 3.67
        assert primary["MAGZERO"] - primary["MAGZSEC"] == pytest.approx(2.5 * np.log10(30.0))
        assert -2.5 * np.log10(1 / primary["FLUXMAG0"]) == pytest.approx(primary["MAGZERO"])
        assert primary["EXPTIME"] == 30.0
        assert primary["DATE-AVG"].startswith("2013-11-02T06:15:55.9")


def test_the_sky_positions_are_those_of_wcslib(path: Path, exposure: Exposure) -> None:
    x, y = np.array([0.0, 95.0, 13.5]), np.array([0.0, 69.0, 44.25])
    assert exposure.wcs is not None
    ra, dec = exposure.wcs.pixel_to_sky(x, y)
    with fits.open(path) as hdus:
        for name in ("IMAGE", "MASK", "VARIANCE"):
            other = WCS(hdus[name].header).all_pix2world(x, y, 0)
            np.testing.assert_allclose(other, [ra, dec], rtol=0, atol=1e-11)


def test_ccddata_reads_all_planes_without_a_warning(path: Path, exposure: Exposure) -> None:
    ccd = CCDData.read(path, hdu="IMAGE", hdu_mask="MASK", hdu_uncertainty="VARIANCE")
    assert ccd.unit == u.adu
    np.testing.assert_array_equal(ccd.data, exposure.image)
    np.testing.assert_array_equal(ccd.mask, exposure.mask != 0)
    np.testing.assert_array_equal(ccd.uncertainty.array, exposure.variance)
    assert ccd.uncertainty.uncertainty_type == "var"
    assert ccd.wcs is not None
    assert ccd.wcs.sip.a_order == 3


def test_provenance_stands_in_the_primary_header(tmp_path: Path, exposure: Exposure) -> None:
    write_exposure(tmp_path / "p.fits", exposure, provenance={"PROVVERS": "0.1.0", "CONFIG SHA256": "ab" * 32})
    assert fits.getheader(tmp_path / "p.fits")["CONFIG SHA256"] == "ab" * 32
    assert read_exposure(tmp_path / "p.fits").header["PROVVERS"] == "0.1.0"


def test_cards_of_the_raw_layout_and_wcs_are_not_copied(tmp_path: Path, exposure: Exposure) -> None:
    layout = {"BZERO": 32768.0, "NAXIS1": 2144, "CRVAL1": 10.0, "CD1_1": 1.0, "A_0_2": 3.0, "ZCMPTYPE": "RICE_1"}
    write_exposure(tmp_path / "q.fits", replace(exposure, header={**layout, "KEPT": 1}, wcs=None))
    header = fits.getheader(tmp_path / "q.fits")
    assert header["KEPT"] == 1
    assert not set(layout) & set(header)


def test_mask_planes_keep_the_numbers_of_the_file(path: Path) -> None:
    read = read_exposure(path)
    assert read.planes["A_LONG_PLANE_NAME"] == 12
    assert read.masked("NOT_DEBLENDED").sum() == (read.mask == 1 << 11).sum()


def test_a_wcs_of_another_kind_is_rendered_to_tan_sip(tmp_path: Path, exposure: Exposure, wcs: TanSipWcs) -> None:
    class Other:
        def pixel_to_sky(self, x, y):
            return wcs.pixel_to_sky(x, y)

        def sky_to_pixel(self, ra, dec):
            return wcs.sky_to_pixel(ra, dec)

    write_exposure(tmp_path / "r.fits", replace(exposure, wcs=Other()))
    read = read_exposure(tmp_path / "r.fits").wcs
    assert read is not None
    x, y = np.meshgrid(np.arange(0.0, 96, 5), np.arange(0.0, 70, 5))
    difference = np.subtract(read.pixel_to_sky(x, y), wcs.pixel_to_sky(x, y)) * 3.6e6
    assert np.abs(difference).max() < 0.1  # mas


def test_a_truncated_file_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for length in (len(content) - 2880, len(content) // 2, 3000):
        path.write_bytes(content[:length])
        with pytest.raises(ProcessingError) as caught:
            read_exposure(path)
        assert caught.value.code in ("FITS_TRUNCATED", "NOT_AN_EXPOSURE"), length


@pytest.mark.parametrize(("content", "code"), [(b"", "NOT_FITS"), (b"hello" * 1000, "NOT_FITS")])
def test_what_is_not_fits_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "x.fits").write_bytes(content)
    with pytest.raises(ProcessingError) as caught:
        read_exposure(tmp_path / "x.fits")
    assert caught.value.code == code


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match=r"nowhere\.fits") as caught:
        read_exposure(tmp_path / "nowhere.fits")
    assert caught.value.code == "FILE_NOT_FOUND"


def test_a_full_disk_is_a_sentence(exposure: Exposure) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(RepositoryError, match="cannot be written") as caught:
        write_exposure("/dev/full", exposure)
    assert caught.value.code == "DISK_FULL"


def test_cfitsio_unpacks_the_same_pixels(path: Path, exposure: Exposure, tmp_path: Path) -> None:
    funpack = shutil.which("funpack")
    if funpack is None:
        pytest.skip("cfitsio's funpack is not installed")
    subprocess.run([funpack, "-O", str(tmp_path / "plain.fits"), str(path)], check=True)
    with fits.open(tmp_path / "plain.fits") as hdus:
        for name in ("IMAGE", "MASK", "VARIANCE"):
            np.testing.assert_array_equal(hdus[name].data, getattr(exposure, name.lower()))


_LSST_SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np
from lsst.images import MaskedImage
masked = MaskedImage.read_legacy(sys.argv[1])
np.savez(sys.argv[2], image=masked.image.array, variance=masked.variance.array, bad=masked.mask.get("BAD"),
         detected=masked.mask.get("DETECTED"), unit=str(masked.image.unit),
         origin=[masked.bbox.x.min, masked.bbox.y.min])
"""


def test_lsst_images_reads_it_as_a_legacy_masked_image(path: Path, exposure: Exposure, tmp_path: Path) -> None:
    python = os.environ.get("SAFELIGHT_PY312", sys.executable)
    if subprocess.run([python, "-c", "import lsst.images"], capture_output=True, check=False).returncode:
        pytest.skip("lsst.images (Python >= 3.12) is not installed; name a Python that has it in SAFELIGHT_PY312")
    subprocess.run([python, "-c", _LSST_SCRIPT, str(path), str(tmp_path / "lsst.npz")], check=True)
    with np.load(tmp_path / "lsst.npz") as read:
        np.testing.assert_array_equal(read["image"], exposure.image)
        np.testing.assert_array_equal(read["variance"], exposure.variance)
        np.testing.assert_array_equal(read["bad"], exposure.masked("BAD"))
        np.testing.assert_array_equal(read["detected"], exposure.masked("DETECTED"))
        assert str(read["unit"]) == "adu"
        assert read["origin"].tolist() == [0, 0]


def test_a_psf_extension_without_its_cards_is_named() -> None:
    with pytest.raises(RepositoryError, match="PSFOVERS"):
        psf_from(
            {"PSFDEG": 0, "PSFX0": 0, "PSFY0": 0, "PSFXSCAL": 1, "PSFYSCAL": 1, "PSFNSTAR": 1},
            np.ones((1, 3, 3), dtype=np.float32),
        )
