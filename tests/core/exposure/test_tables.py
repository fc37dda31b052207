"""Tables on disk against astropy's reader and writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from safelight.errors import ProcessingError, UsageError
from safelight.exposure.tables import read_table, write_table


@pytest.fixture
def table() -> Table:
    rng = np.random.default_rng(6)
    n = 19
    table = Table()
    table["id"] = np.arange(n, dtype=np.int64) + (180666816 << 32)
    table["coord_ra"] = rng.uniform(0, 6, n)
    table["coord_ra"].unit = u.rad
    table["flux"] = rng.normal(size=n).astype(np.float32)
    table["flux"].unit = u.count
    table["flux"].description = "a flux, whose description is longer than what one card of eighty characters can hold"
    table["xx"] = rng.normal(size=n)
    table["xx"].unit = u.pix**2
    table["flag"] = rng.random(n) > 0.5
    table["name"] = np.array([f"star {i}" for i in range(n)])
    table["cells"] = rng.normal(size=(n, 2, 3)).astype(np.float32)
    table["pair"] = rng.integers(0, 9, (n, 2)).astype(np.int32)
    for code in ("i2", "i4", "u1", "u2", "u4", "u8"):
        limits = np.iinfo(code)
        table[code] = rng.integers(limits.min, limits.max, n, dtype=code, endpoint=True)
    table.meta.update({"RA": 320.25, "SMATCHV": 1, "FILTER": "HSC-I", "LONG KEY": "x" * 100})
    return table


def test_a_table_reads_back_equal(tmp_path: Path, table: Table) -> None:
    table["i1"] = np.arange(-9, 10, dtype=np.int8)
    write_table(tmp_path / "t.fits", table)
    read = read_table(tmp_path / "t.fits")
    assert read.colnames == table.colnames
    for name in table.colnames:
        np.testing.assert_array_equal(read[name], table[name], err_msg=name)
        assert read[name].dtype == table[name].dtype, name
        assert read[name].unit == table[name].unit, name
        assert read[name].description == table[name].description, name
    assert read.meta == table.meta


def test_astropy_reads_the_same_table(tmp_path: Path, table: Table) -> None:
    write_table(tmp_path / "t.fits", table, "SRC")
    read = Table.read(tmp_path / "t.fits", hdu="SRC")
    for name in table.colnames:
        values = np.char.decode(read[name]) if name == "name" else read[name]
        np.testing.assert_array_equal(values, table[name], err_msg=name)
        assert read[name].unit == table[name].unit, name
    assert read["flag"].dtype == np.bool_
    with fits.open(tmp_path / "t.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert hdus[1].header["TDOC3"] == hdus[1].header["TCOMM3"] == table["flux"].description


def test_a_table_of_astropy_is_read(tmp_path: Path, table: Table) -> None:
    del table.meta["LONG KEY"]  # astropy warns about it
    table.write(tmp_path / "t.fits")
    read = read_table(tmp_path / "t.fits")
    for name in table.colnames:
        np.testing.assert_array_equal(read[name], table[name], err_msg=name)


def test_missing_values_stay_missing(tmp_path: Path) -> None:
    missing = np.array([True, False, False])
    table = Table(
        {
            "number": MaskedColumn([1, 2, 3], mask=missing),
            "flag": MaskedColumn([True, False, True], mask=missing),
            "real": MaskedColumn([1.0, 2.0, 3.0], mask=missing),
        }
    )
    write_table(tmp_path / "t.fits", table)
    read = read_table(tmp_path / "t.fits")
    np.testing.assert_array_equal(read["number"].mask, missing)
    np.testing.assert_array_equal(read["flag"].mask, missing)
    np.testing.assert_array_equal(np.isnan(read["real"]), missing)
    assert read["number"][1:].tolist() == [2, 3]


def test_an_empty_table_keeps_its_columns(tmp_path: Path, table: Table) -> None:
    write_table(tmp_path / "t.fits", table[:0])
    read = read_table(tmp_path / "t.fits")
    assert len(read) == 0
    assert [read[name].dtype.kind for name in table.colnames] == [table[name].dtype.kind for name in table.colnames]


@pytest.mark.real_data
def test_reference_shards_of_lsst_are_read_with_their_packed_flags(shared_data: Path) -> None:
    path = next((shared_data / "hsc_refcats" / "ps1_pv3_3pi_20170110").glob("*.fits"))
    with fits.open(path) as hdus:
        expected = hdus[1].data
        read = read_table(path)
        assert len(read) == len(expected)
        np.testing.assert_array_equal(read["coord_ra"], expected["coord_ra"])


def test_columns_of_python_objects_are_refused(tmp_path: Path) -> None:
    table = Table({"thing": np.array([{}, []], dtype=object)})
    with pytest.raises(UsageError, match="'thing'") as caught:
        write_table(tmp_path / "t.fits", table)
    assert caught.value.code == "UNSTORABLE_COLUMN"


def test_a_file_without_a_table_is_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "i.fits")
    with pytest.raises(ProcessingError) as caught:
        read_table(tmp_path / "i.fits")
    assert caught.value.code == "NO_TABLE"
