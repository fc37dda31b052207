"""Path templates: what Gen2 writes, and back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight.butler.datasettypes import COMMON_TEMPLATES, DatasetTypes
from safelight.butler.templates import PathTemplate
from safelight.errors import ConfigurationError, UsageError
from safelight.instruments import load_instrument

HSC = DatasetTypes(load_instrument("hsc").templates)

_TEXT = st.text("ABCxyz0189-_:+", min_size=1, max_size=10)
_NUMBER = st.integers(0, 10**9)


def test_the_paths_of_the_tutorial_are_gen2s() -> None:
    data_id = {
        "field": "STRIPE82L",
        "dateObs": "2013-11-02",
        "pointing": 671,
        "filter": "HSC-I",
        "visit": 903986,
        "ccd": 16,
    }
    assert {kind: HSC[kind].template.format(data_id) for kind in ("raw", "calexp", "src", "processCcd_metadata")} == {
        "raw": "STRIPE82L/2013-11-02/00671/HSC-I/HSC-0903986-016.fits",
        "calexp": "00671/HSC-I/corr/CORR-0903986-016.fits",
        "src": "00671/HSC-I/output/SRC-0903986-016.fits",
        "processCcd_metadata": "00671/HSC-I/processCcd_metadata/0903986-016.yaml",
    }


def test_every_hsc_template_is_the_one_of_lsst_19() -> None:
    with (Path(__file__).parent / "lsst_templates.csv").open(newline="") as file:
        theirs = {row["dataset_type"]: row["template"] for row in csv.DictReader(file)}
    assert len(theirs) >= 35
    assert load_instrument("hsc").templates == theirs


@settings(max_examples=30)
@given(st.data())
@pytest.mark.parametrize("name", HSC.names())
def test_a_path_reads_back_to_its_data_id(name: str, data: st.DataObject) -> None:
    template = HSC[name].template
    data_id = {key: data.draw(_NUMBER if kind is int else _TEXT, key) for key, kind in template.keys.items()}
    path = template.format(data_id)
    for suffix in ("", ".gz", ".fz"):
        parsed = template.parse(path + suffix)
        assert parsed is not None
        assert template.format(parsed) == path
    if all("-" not in str(value) for value in data_id.values()):
        assert template.parse(path) == data_id


@given(st.text("0123456789-.fitsHSC/", max_size=40))
def test_what_a_template_reads_it_also_writes(path: str) -> None:
    template = HSC["calexp"].template
    parsed = template.parse(path)
    assert parsed is None or template.format(parsed) == path.removesuffix(".gz").removesuffix(".fz")


@pytest.mark.parametrize(
    "path",
    [
        "00671/HSC-I/corr/CORR-903986-016.fits",
        "0671/HSC-I/corr/CORR-0903986-016.fits",
        "00671/HSC/I/corr/CORR-0903986-016.fits",
        "00671/HSC-I/corr/CORR-0903986-016.fits.bak",
        "x/00671/HSC-I/corr/CORR-0903986-016.fits",
    ],
)
def test_other_paths_are_not_read(path: str) -> None:
    assert HSC["calexp"].template.parse(path) is None


def test_a_key_that_stands_twice_must_have_one_value() -> None:
    template = HSC["bias"].template
    assert template.parse("BIAS/2013-11-03/NONE/BIAS-2013-11-03-016.fits") == {"calibDate": "2013-11-03", "ccd": 16}
    assert template.parse("BIAS/2013-11-03/NONE/BIAS-2013-11-04-016.fits") is None


def test_a_missing_key_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        HSC["src"].template.format({"visit": 1, "ccd": 2})
    assert caught.value.code == "INCOMPLETE_DATA_ID"
    assert "pointing, filter" in caught.value.message


@pytest.mark.parametrize("value", ["", "..", "a/b", "/etc", "a\0b"])
def test_a_value_cannot_lead_out_of_the_repository(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        PathTemplate("x/%(field)s/y").format({"field": value})
    assert caught.value.code == "BAD_PATH_VALUE"


@pytest.mark.parametrize("text", ["", "/abs/%(visit)d", "a/../%(visit)d", "%(visit)r", "100%", "%(visit)5.2f"])
def test_a_text_that_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        PathTemplate(text)


def test_common_templates_are_all_templates() -> None:
    for text in COMMON_TEMPLATES.values():
        assert PathTemplate(text).text == text


def test_an_unknown_dataset_type_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        HSC["calexpp"]
    assert "calexp?" in caught.value.hint


def test_outputs_whose_names_leave_out_the_visit_are_refused() -> None:
    types = DatasetTypes({"calexp": "all/CORR-%(ccd)03d.fits", "raw": "%(frameId)s.fits"})
    assert types["raw"].template.keys == {"frameId": str}
    with pytest.raises(ConfigurationError, match="overwrite each other") as caught:
        types["calexp"]
    assert caught.value.code == "BAD_TEMPLATE"
