"""Camera files of users: short ones by extension, and mistakes answered with file, field, value and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from safelight.errors import ConfigurationError
from safelight.instruments import load_instrument
from safelight.instruments.model import Box

ATTIC = """\
extends: generic
name: attic
pixel_scale_arcsec: 2.37
mirrored: true
header_wcs: null
amplifiers: |
  # measured with the photon transfer curve
  name, gain, read_noise_adu, saturation_adu
  A,    0.78, 11,             59000
filters:
  - {name: Filter 2, band: V, aliases: yellow;gelb}
header:
  columns:
    field: {keywords: [TARGET], case: upper}
"""


def _write(folder: Path, text: str, name: str = "attic.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_short_file_extends_generic(tmp_path: Path) -> None:
    camera = load_instrument(_write(tmp_path, ATTIC))
    generic = load_instrument("generic")
    assert (camera.name, camera.pixel_scale_arcsec, camera.mirrored) == ("attic", 2.37, True)
    assert camera.header_wcs is None
    assert camera.detector(0).amplifiers[0].gain == 0.78
    known = camera.filter("gelb")
    assert known is not None
    assert known.band == "V"
    assert camera.header.columns["field"].keywords == ("TARGET",)
    assert camera.header.columns["field"].default is None  # a rule replaces a rule
    assert camera.header.columns["filter"] == generic.header.columns["filter"]
    assert camera.templates == generic.templates


def test_a_file_can_extend_another_beside_it(tmp_path: Path) -> None:
    _write(tmp_path, ATTIC)
    camera = load_instrument(_write(tmp_path, "extends: attic.yaml\nname: cellar\n", "cellar.yaml"))
    assert (camera.name, camera.pixel_scale_arcsec) == ("cellar", 2.37)


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = _write(tmp_path, ATTIC)
    assert load_instrument(path) is load_instrument(path)
    path.write_text(ATTIC.replace("2.37", "1.5"))
    os.utime(path, ns=(1, 1))
    assert load_instrument(str(path)).pixel_scale_arcsec == 1.5


def test_an_overscan_camera_of_two_amplifiers_is_described_by_boxes(tmp_path: Path) -> None:
    text = """\
extends: generic
name: twin
pixel_scale_arcsec: 0.5
detectors: |
  id, width, height, raw_width, raw_height, raw_flip
  0,  100,   60,     120,       60,         LR
  1,  100,   60,     120,       60,         LR
amplifier_layout: |
  name, box,        raw_box,    raw_data_box, serial_overscan
  L,    0 0 50 60,  0 0 60 60,  0 0 50 60,    50 0 10 60
  R,    50 0 50 60, 60 0 60 60, 70 0 50 60,   60 0 10 60
amplifiers: |
  ccd, name, gain, read_noise_adu, saturation_adu
  0,   L,    1.5,  4,              60000
  0,   R,    1.6,  4,              60000
  1,   L,    1.7,  4,              60000
  1,   R,    1.8,  4,              60000
crosstalk: |
  0, 1e-4
  2e-4, 0
defects:
  epochs: ["2020-01-01", "2021-01-01"]
  boxes: |
    ccd, epochs, x0, y0, width, height
    1,   1-2,    5,  6,  1,     10
    1,   2,      7,  6,  2,     2
"""
    camera = load_instrument(_write(tmp_path, text, "twin.yaml"))
    assert [a.gain for d in camera.detectors for a in d.amplifiers] == [1.5, 1.6, 1.7, 1.8]
    assert camera.detector(1).amplifiers[1].serial_overscan == Box(x0=60, y0=0, width=10, height=60)
    assert camera.crosstalk is not None
    assert camera.crosstalk[1, 0] == 2e-4
    assert len(camera.defects_on(1, "2020-06-01")) == 1
    assert len(camera.defects_on(1, "2022-06-01")) == 2
    assert len(camera.defects) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extends: generic\nname: x\npixel_scale: 1.0\n", ["no field pixel_scale", "did you mean pixel_scale_arcsec"]),
        ("name: x\n", ["pixel_scale_arcsec is missing", "pointing_uncertainty_arcsec is missing"]),
        ("extends: generic\npixel_scale_arcsec: wide\n", ["pixel_scale_arcsec is 'wide'", "valid number"]),
        ("extends: generic\nrotation_uncertainty_deg: 200\n",
         ["rotation_uncertainty_deg is 200", "less than or equal to 180"]),
        ("extends: generic\namplifiers: |\n  name, gain\n  A, 1.0\n",
         ["detectors[0].amplifiers[0].read_noise_adu is missing"]),
        ("extends: generic\namplifiers: |\n  name, gain\n  A\n", ["line 2 has 1 cells", "2 columns"]),
        ("extends: generic\namplifiers: |\n  gain\n  1.0\n", ["amplifiers must be a table with a column 'name'"]),
        ("extends: generic\ncrosstalk: [[0, 1], [1]]\n", ["crosstalk", "square matrix"]),
        ("extends: generic\ndefects: {boxes: [{ccd: 0, x0: 1, y0: 1, width: 0, height: 1}]}\n",
         ["defects", "without width"]),
        ("extends: generic\ndefects: {epoch: []}\n", ["unknown keys epoch"]),
        ("extends: generic\nheader: {columns: {visit: {keyword: RUN}}}\n",
         ["header.columns.visit.keyword", "did you mean keywords"]),
        ("extends: generic\nheader: {columns: {visit: {translator: subaru}}}\n", ["no such translator", "hsc_visit"]),
        ("extends: generic\nheader: {columns: {visit: {keywords: [A], pattern: '('}}}\n", ["not a regular expression"]),
        ("extends: generic\nheader: {visit_info: {exptime: EXPTIME}}\n", ["there is no exptime", "exposure_time_s"]),
        ("extends: generic\ndetectors: [{id: 0, width: 10}]\n", ["all stated or all left out"]),
        ("extends: generic\ndetectors: [{id: 0, type: GUIDE}]\n", ["detectors[0].type is 'GUIDE'", "'SCIENCE'"]),
        ("extends: generic\ndistortion: {pixel_size_mm: 0.01, terms: [{i: 0, j: 0, x: 1}]}\n",
         ["distortion", "no column y"]),
        ("- a list\n", ["does not hold a mapping"]),
        ("name: [unclosed\n", ["not valid YAML", "line"]),
        ("extends: generics\n", ["There is no camera", "generics"]),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_with_file_field_value_and_what_is_allowed(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_instrument(path)
    message = caught.value.message + caught.value.hint
    for word in words:
        assert word in message
    assert "pydantic" not in message
    assert str(tmp_path) in message


def test_amplifier_boxes_outside_the_frame_are_refused(tmp_path: Path) -> None:
    text = """\
extends: generic
detectors: [{id: 0, width: 100, height: 100}]
amplifiers:
  - {name: A, gain: 1, read_noise_adu: 1, saturation_adu: 1, raw_data_box: [0, 0, 100, 101]}
"""
    with pytest.raises(ConfigurationError, match=r"raw_data_box .* is not inside 100x100"):
        load_instrument(_write(tmp_path, text))


def test_a_file_that_extends_itself_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, "extends: attic.yaml\n")
    with pytest.raises(ConfigurationError, match="extends itself"):
        load_instrument(path)


def test_an_unknown_camera_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no camera 'hcs'") as caught:
        load_instrument("hcs")
    assert caught.value.code == "UNKNOWN_INSTRUMENT"
    assert "Did you mean hsc?" in caught.value.hint
    assert "generic, hsc, huntsman" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "extends: generic\nname: x\npixel_scale_arcsec: 1\npixel_scale_arcsec: 2\n",
        "extends: generic\nname: x\nheader: {columns: {visit: VISIT, visit: RUN}}\n",
    ],
)
def test_a_field_given_twice_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"(pixel_scale_arcsec|visit) twice, again in line [34]"):
        load_instrument(path)
