"""Compressed images against astropy's own codec and files of LSST."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from safelight.errors import ProcessingError
from safelight.exposure.compression import compress, decompress, decompress_rows, is_lossless_gzip
from safelight.exposure.fits_cards import Card, with_checksum
from safelight.exposure.fits_exposure import primary_hdu


def _file(path: Path, image: np.ndarray, rows: int) -> Path:
    packed = compress(image, rows)
    cards = [Card(key, value) for key, value in packed.cards.items()]
    path.write_bytes(primary_hdu([]) + with_checksum(cards, packed.data))
    return path


def _hdu(path: Path) -> tuple[dict, bytes]:
    with fits.open(path, disable_image_compression=True) as hdus:
        info = hdus[1].fileinfo()
        header = dict(hdus[1].header)
    return header, path.read_bytes()[info["datLoc"] : info["datLoc"] + info["datSpan"]]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i2", "u1"])
@pytest.mark.parametrize("rows", [1, 7, 16, 100])
def test_astropy_reads_back_every_bit(tmp_path: Path, dtype: str, rows: int) -> None:
    rng = np.random.default_rng(1)
    image = (rng.normal(0, 100, (37, 23)) if dtype[0] == "f" else rng.integers(0, 120, (37, 23))).astype(dtype)
    with fits.open(_file(tmp_path / "a.fits", image, rows), checksum=True) as hdus:
        assert isinstance(hdus[1], fits.CompImageHDU)
        assert hdus[1].data.dtype.newbyteorder("=") == image.dtype
        np.testing.assert_array_equal(hdus[1].data, image)


def test_nan_payloads_and_negative_zero_survive() -> None:
    image = np.array([[np.nan, -0.0], [np.inf, 1e-42]], dtype=np.float32)
    image.view(np.uint32)[0, 0] = 0x7FC12345
    packed = compress(image)
    np.testing.assert_array_equal(decompress(packed.cards, packed.data).view(np.uint32), image.view(np.uint32))


@pytest.mark.parametrize("method", ["GZIP_1", "GZIP_2"])
@pytest.mark.parametrize("dtype", ["f4", "i4", "i2"])
def test_images_compressed_by_astropy_are_read(tmp_path: Path, method: str, dtype: str) -> None:
    image = np.random.default_rng(2).integers(-1000, 1000, (50, 41)).astype(dtype)
    hdu = fits.CompImageHDU(image, compression_type=method, tile_shape=(3, 41), quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "b.fits")
    header, data = _hdu(tmp_path / "b.fits")
    assert is_lossless_gzip(header)
    np.testing.assert_array_equal(decompress(header, data), image)
    rows = np.arange(1, len(image), 3)
    np.testing.assert_array_equal(decompress_rows(header, data, rows), image[rows])


def test_other_compressions_are_left_to_astropy(tmp_path: Path) -> None:
    image = np.random.default_rng(3).normal(size=(64, 64)).astype(np.float32)
    for number, hdu in enumerate(
        [
            fits.CompImageHDU(image, compression_type="RICE_1"),
            fits.CompImageHDU(image, compression_type="GZIP_1", quantize_level=4),
            fits.CompImageHDU(image, compression_type="GZIP_2", tile_shape=(8, 8), quantize_level=0),
        ]
    ):
        path = tmp_path / f"{number}.fits"
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
        assert not is_lossless_gzip(_hdu(path)[0])


def test_a_damaged_tile_is_named() -> None:
    image = np.random.default_rng(4).normal(size=(64, 64)).astype(np.float32)
    packed = compress(image)
    damaged = bytearray(packed.data)
    damaged[len(damaged) // 2 : len(damaged) // 2 + 40] = bytes(40)
    with pytest.raises(ProcessingError, match=r"Tile [1-4] of 4") as caught:
        decompress(packed.cards, bytes(damaged))
    assert caught.value.code == "FITS_DAMAGED"


def test_blank_planes_take_next_to_no_space() -> None:
    assert len(compress(np.zeros((512, 2048), np.int32)).data) < 20_000
