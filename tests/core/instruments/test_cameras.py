"""The cameras that come with the library, against the tables from which they were made."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from safelight.errors import ConfigurationError
from safelight.instruments import builtin_instruments, instrument_for_mapper, load_instrument


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_three_cameras_come_with_the_library() -> None:
    assert builtin_instruments() == ["generic", "hsc", "huntsman"]
    assert load_instrument("hsc") is load_instrument("hsc")


def test_hsc_has_all_its_parts() -> None:
    hsc = load_instrument("hsc")
    assert len(hsc.detectors) == 112
    assert sum(len(d.amplifiers) for d in hsc.detectors) == 448
    assert sum(d.type == "SCIENCE" for d in hsc.detectors) == 104
    assert len(hsc.filters) == 24
    assert len(hsc.color_terms) == 64
    assert hsc.distortion is not None
    assert len(hsc.distortion.powers) == 55
    assert len(hsc.defects) == 6426
    assert len({defect.valid_from for defect in hsc.defects}) == 8
    assert hsc.exposure_id(903334, 16) == 180666816
    assert [d.id for d in hsc.detectors if d.raw_flip == "TB"] == [100, 101, 102, 103]


def test_hsc_amplifiers_are_those_of_the_table(shared_facts: Path) -> None:
    hsc = load_instrument("hsc")
    boxes = {"box": "bbox", "raw_box": "raw", "raw_data_box": "data", "serial_overscan": "hoscan",
             "parallel_overscan": "voscan", "prescan": "prescan"}  # fmt: skip
    rows = _rows(shared_facts / "hsc_amps.csv")
    assert len(rows) == 448
    for row in rows:
        detector = hsc.detector(int(row["detector"]))
        assert detector.name == row["det_name"]
        amplifier = detector.amplifiers[int(row["amp"])]
        assert amplifier.name == row["amp"]
        assert amplifier.gain == float(row["gain"])
        assert amplifier.read_noise_adu == float(row["read_noise_e"])
        assert amplifier.saturation_adu == float(row["saturation_adu"])
        suspect = float(row["suspect_adu"])
        assert amplifier.suspect_adu == (None if math.isnan(suspect) else suspect)
        linear = float(row["linearity_c0"]) if row["linearity_type"] == "Squared" else 0.0
        assert amplifier.linearity_coefficient == linear
        assert amplifier.readout_corner == row["readout_corner"]
        for name, column in boxes.items():
            box = getattr(amplifier, name)
            assert [box.x0, box.y0, box.width, box.height] == [
                int(row[f"{column}_{k}"]) for k in ("x0", "y0", "w", "h")
            ]


def test_hsc_filters_colour_terms_crosstalk_and_defects_are_those_of_the_tables(shared_facts: Path) -> None:
    hsc = load_instrument("hsc")
    for row in _rows(shared_facts / "hsc_filters.csv"):
        known = hsc.filter(row["physical_filter"])
        assert known is not None
        assert known.name == row["physical_filter"]
        assert known.band == row["afw_name"].replace("UNRECOGNISED", "")
        assert known.wavelength_nm == float(row["lambda_eff_nm"])
        for alias in row["aliases"].split(";"):
            assert not alias or hsc.filter(alias) is known
    terms = {(t.catalog, t.filter, t.primary, t.secondary, t.c0, t.c1, t.c2) for t in hsc.color_terms}
    assert terms == {
        (r["refcat_glob"], r["filter"], r["primary"], r["secondary"], float(r["c0"]), float(r["c1"]), float(r["c2"]))
        for r in _rows(shared_facts / "hsc_colorterms.csv")
    }
    assert hsc.crosstalk is not None
    for row in _rows(shared_facts / "hsc_crosstalk.csv"):
        assert hsc.crosstalk[int(row["target_amp"]), int(row["source_amp"])] == float(row["coefficient"])
    mapped = {row["filter"]: row["refcat_filter"] for row in _rows(shared_facts / "hsc_refcat_filtermap.csv")}
    assert hsc.reference_catalogs.filter_map == mapped
    expected = sorted(
        (int(r["ccd"]), r["valid_from"], *(int(r[k]) for k in ("x0", "y0", "width", "height")))
        for r in _rows(shared_facts / "hsc_defects.csv")
    )
    found = sorted((d.detector, d.valid_from, d.box.x0, d.box.y0, d.box.width, d.box.height) for d in hsc.defects)
    assert found == expected


def test_hsc_paths_and_registry_are_gen2s(shared_facts: Path) -> None:
    hsc = load_instrument("hsc")
    gen2 = {row["dataset_type"]: row["template"] for row in _rows(shared_facts / "dataset_templates_v19.csv")}
    for name, template in hsc.templates.items():
        assert template == gen2[name], name
    values = {"pointing": 671, "filter": "HSC-I", "visit": 903986, "ccd": 16}
    assert hsc.templates["calexp"] % values == "00671/HSC-I/corr/CORR-0903986-016.fits"
    schema = (shared_facts / "registry_schema.sql").read_text()
    created = schema[schema.index("autoincrement,") + len("autoincrement,") : schema.index("unique(visit,ccd)")]
    columns = dict(part.split() for part in created.replace("\n", " ").split(",") if part.strip())
    assert hsc.registry_columns == columns


@pytest.mark.parametrize(
    ("date", "epoch"),
    [
        ("1969-12-31", None),
        ("1970-01-01", "1970-01-01T00:00:00"),
        ("2013-01-30", "1970-01-01T00:00:00"),
        ("2013-01-31", "2013-01-31T00:00:00"),
        ("2013-06-17", "2013-01-31T00:00:00"),
        ("2030-01-01", "2016-12-23T00:00:00"),
    ],
)
def test_an_epoch_of_defects_holds_until_the_next(date: str, epoch: str | None) -> None:
    hsc = load_instrument("hsc")
    assert hsc.defect_epoch(date) == epoch
    boxes = hsc.defects_on(9, date)
    assert boxes == [d.box for d in hsc.defects if d.detector == 9 and d.valid_from == epoch]
    assert bool(boxes) == (epoch is not None)
    assert hsc.defects_on(104, date) == []  # focus CCDs have none


def test_half_of_ccd_9_was_dead_in_the_first_epoch() -> None:
    boxes = load_instrument("hsc").defects_on(9, "2012-05-05")
    assert any((box.x0, box.width, box.height) == (1024, 1024, 4176) for box in boxes)


def test_names_of_filters_are_found_in_any_case_with_bands_last() -> None:
    hsc, generic = load_instrument("hsc"), load_instrument("generic")
    for name in ("HSC-I", "hsc-i", " W-S-I+ ", "i"):
        found = hsc.filter(name)
        assert found is not None
        assert found.name == "HSC-I"
    assert hsc.filter("U") is None
    assert [f.name for n in ("V", "Johnson V", "Red") if (f := generic.filter(n)) is not None] == ["V", "V", "Rc"]
    assert generic.filter("Filter 2") is None


@pytest.mark.parametrize(
    ("dotted", "name"),
    [("lsst.obs.hsc.HscMapper", "hsc"), ("lsst.obs.hsc.HscMapper\n", "hsc"), ("safelight.generic", "generic"),
     ("huntsman", "huntsman")],
)  # fmt: skip
def test_a_gen2_mapper_means_its_camera(dotted: str, name: str) -> None:
    assert instrument_for_mapper(dotted).name == name


def test_an_unknown_mapper_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"lsst\.obs\.hsc\.HscMaper") as caught:
        instrument_for_mapper("lsst.obs.hsc.HscMaper")
    assert caught.value.code == "UNKNOWN_MAPPER"
    assert "Did you mean lsst.obs.hsc.HscMapper?" in caught.value.hint


def test_an_unknown_ccd_is_answered_with_the_range() -> None:
    with pytest.raises(ConfigurationError, match="no CCD 112") as caught:
        load_instrument("hsc").detector(112)
    assert "0 to 111" in caught.value.hint


def test_raw_boxes_of_each_hsc_amplifier_do_not_overlap_and_fill_the_assembled_frame() -> None:
    for detector in load_instrument("hsc").detectors:
        assembled = np.zeros((detector.height, detector.width), np.uint8)
        for amplifier in detector.amplifiers:
            assembled[amplifier.box.slices] += 1
            assert amplifier.raw_data_box.inside(detector.raw_width, detector.raw_height)
        assert (assembled == 1).all()
        break  # the layout is shared by all detectors, which the table test shows


def test_how_far_a_first_wcs_may_be_off_depends_on_where_it_came_from() -> None:
    generic = load_instrument("generic")
    assert generic.search_range("pointing").parity_known is False
    assert generic.search_range("header").parity_known is True
    assert load_instrument("hsc").search_range("camera model").pointing_uncertainty_arcsec == 120
