"""Defect lists as FITS tables, in Gen2's form and in later ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight.butler.defects_io import read_defects, write_defects
from safelight.errors import RepositoryError
from safelight.instruments import Box

_BOXES = st.lists(
    st.builds(
        lambda x0, y0, width, height: Box(x0=x0, y0=y0, width=width, height=height),
        st.integers(0, 2047),
        st.integers(0, 4175),
        st.integers(1, 2048),
        st.integers(1, 4176),
    ),
    max_size=12,
)


@settings(max_examples=25)
@given(_BOXES)
def test_boxes_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, boxes: list[Box]) -> None:
    path = tmp_path_factory.mktemp("defects") / "x.fits"
    write_defects(path, boxes, {"DETECTOR": 9, "CALIB_ID": "filter=None calibDate=2013-01-31T00:00:00 ccd=9"})
    assert read_defects(path) == boxes


def test_the_table_is_a_fits_region_table_with_one_based_centres(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    write_defects(path, [Box(x0=0, y0=10, width=4, height=1), Box(x0=7, y0=8, width=1, height=1)], {"DETECTOR": 3})
    with fits.open(path) as hdus:
        table, header = hdus[1].data, hdus[1].header
        np.testing.assert_array_equal(table["X"], [2.5, 8.0])
        np.testing.assert_array_equal(table["Y"], [11.0, 9.0])
        assert [shape.strip() for shape in table["SHAPE"]] == ["BOX", "POINT"]
        np.testing.assert_array_equal(table["R"], [[4, 1], [1, 1]])
        assert (header["OBSTYPE"], header["DETECTOR"], header["DEFECTS_SCHEMA"]) == ("defects", 3, "FITS Region")


def test_boxes_turned_by_right_angles_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    columns = [
        fits.Column("X", "D", array=[10.0, 10.0]),
        fits.Column("Y", "D", array=[20.5, 20.0]),
        fits.Column("SHAPE", "8A", array=["ROTBOX", "rotbox"]),
        fits.Column("R", "2D", array=[[2.0, 5.0], [3.0, 5.0]]),
        fits.Column("ROTANG", "D", array=[90.0, 180.0]),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    with pytest.raises(RepositoryError):  # the first's corner would lie between pixels only for X
        read_defects(tmp_path / "absent.fits")
    assert read_defects(path)[1] == Box(x0=8, y0=17, width=3, height=5)
    assert (read_defects(path)[0].width, read_defects(path)[0].height) == (5, 2)


@pytest.mark.parametrize(("shape", "angle"), [("CIRCLE", 0.0), ("ROTBOX", 45.0)])
def test_other_shapes_are_refused_in_words(tmp_path: Path, shape: str, angle: float) -> None:
    path = tmp_path / "x.fits"
    columns = [
        fits.Column("X", "D", array=[1.0]),
        fits.Column("Y", "D", array=[1.0]),
        fits.Column("SHAPE", "8A", array=[shape]),
        fits.Column("R", "2D", array=[[3.0, 3.0]]),
        fits.Column("ROTANG", "D", array=[angle]),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    with pytest.raises(RepositoryError) as caught:
        read_defects(path)
    assert caught.value.code == "BAD_DEFECTS"


@pytest.mark.real_data
def test_a_list_written_by_lsst_is_read(shared_data: Path) -> None:
    path = shared_data / "huntsman" / "lsst_masters" / "defects_14_Huntsman_2021-01-07.fits"
    boxes = read_defects(path)
    assert len(boxes) == 245
    assert boxes[0] == Box(x0=724, y0=8, width=1, height=1)
