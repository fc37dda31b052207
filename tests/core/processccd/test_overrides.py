"""Configuration in layers and its saved form."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from safelight.errors import ConfigurationError, ConfigurationMismatch
from safelight.processccd.consistency import compare_config, config_path, keep_config, keep_versions, versions_path
from safelight.processccd.overrides import ConfigLayers, config_fields, flatten, parse_config_text
from safelight.processccd.savedconfig import config_hash, differences, load_saved, render_config, saved_text


def with_text(*assignments: str) -> ConfigLayers:
    layers = ConfigLayers()
    for assignment in assignments:
        layers.set_text(assignment, "-c")
    return layers


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("isr.doFlat=False", "isr.doFlat", False),
        ("config.isr.doFlat=False", "isr.doFlat", False),
        ("isr.overscanOrder=12", "isr.overscanOrder", 12),
        ("isr.overscanMaxDev=12", "isr.overscanMaxDev", 12.0),
        ("isr.saturation=None", "isr.saturation", None),
        ("isr.saturation=5e4", "isr.saturation", 5e4),
        ("isr.overscanFitType=MEDIAN", "isr.overscanFitType", "MEDIAN"),
        ("calibrate.astromRefObjLoader.ref_dataset_name=None", "calibrate.astromRefObjLoader.ref_dataset_name", "None"),
        ("calibrate.photoCal.colorLimits={'g-r': (0, 1.5)}", "calibrate.photoCal.colorLimits", {"g-r": (0.0, 1.5)}),
    ],
)
def test_text_is_taken_as_it_stands_by_text_fields_and_as_a_literal_by_others(
    assignment: str, path: str, value: object
) -> None:
    assert flatten(with_text(assignment).build())[path] == value


@pytest.mark.parametrize(
    ("assignment", "code"),
    [
        ("isr.doFlats=False", "UNKNOWN_CONFIG_FIELD"),
        ("isr=1", "UNKNOWN_CONFIG_FIELD"),
        ("isr.doFlat=1", "BAD_CONFIG_VALUE"),
        ("isr.doFlat=true", "BAD_CONFIG_VALUE"),
        ("isr.overscanOrder=3.5", "BAD_CONFIG_VALUE"),
        ("isr.overscanOrder=True", "BAD_CONFIG_VALUE"),
        ("isr.overscanOrder=0", "BAD_CONFIG_VALUE"),
        ("isr.overscanFitType=SPLIN", "BAD_CONFIG_VALUE"),
        ("isr.fwhm=__import__('os').getpid()", "BAD_CONFIG_VALUE"),
        ("isr.doFlat=", "BAD_CONFIG_ASSIGNMENT"),
        ("isr.doFlat", "BAD_CONFIG_ASSIGNMENT"),
    ],
)
def test_what_a_field_refuses_is_a_configuration_error(assignment: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_text(assignment)
    assert caught.value.code == code
    assert caught.value.exit_code == 2


def test_an_unknown_field_names_the_nearest_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_text("isr.doCrostalk=False")
    assert "isr.doCrosstalk" in caught.value.hint


def test_the_later_assignment_wins_and_every_one_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "my.py"
    file.write_text("# mine\n\nconfig.isr.overscanOrder = 7\n")
    layers = ConfigLayers()
    layers.set_text("isr.overscanOrder=5", "-c")
    layers.load_file(file)
    assert layers.build().isr.overscanOrder == 7
    assert [(a.value, a.source) for a in layers.history("isr.overscanOrder")] == [
        (30, "default"),
        (5, "-c"),
        (7, f"{file}:3"),
    ]
    layers.set_text("isr.overscanOrder=6", "-c")
    assert layers.build().isr.overscanOrder == 6


@pytest.mark.parametrize(
    "line",
    [
        "for k in (1, 2): pass",
        "config.isr.doFlat = not True",
        "config.isr.fwhm = open('/etc/passwd').read()",
        "config.isr.doFlat, config.isr.doBias = True, True",
        "isr.doFlat = True",
        "config.load('other.py')",
        "config.isr.doFlat +",
    ],
)
def test_a_configuration_file_is_never_executed(tmp_path: Path, line: str) -> None:
    marker = tmp_path / "executed"
    with pytest.raises(ConfigurationError) as caught:
        parse_config_text(f"{line}\nopen({str(marker)!r}, 'w')\n", "my.py")
    assert caught.value.code == "BAD_CONFIG_FILE"
    assert "my.py:1" in caught.value.message
    assert not marker.exists()


def test_the_head_of_a_file_that_gen2_saved_is_passed_over() -> None:
    text = """\
import lsst.pipe.tasks.processCcd
assert type(config)==lsst.pipe.tasks.processCcd.ProcessCcdConfig, 'config is of type %s.%s'
# Dataset type
root.isr.doFlat=False
config.isr.fwhm=float('inf')
"""
    assert parse_config_text(text, "saved.py") == [("isr.doFlat", False, 4), ("isr.fwhm", math.inf, 5)]


def test_a_missing_configuration_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ConfigLayers().load_file(tmp_path / "absent.py")


def test_every_field_survives_being_saved_and_loaded() -> None:
    layers = with_text(
        "isr.saturation=5e4", "calibrate.photoCal.colorLimits={'g-r': (-float, 1)}".replace("-float", "0")
    )
    config = layers.build()
    saved = load_saved(saved_text(config, layers), "processCcd.py")
    assert list(saved.values) == list(config_fields())
    assert differences(saved, config, layers.source) == []
    assert saved.sources == {"isr.saturation": "-c", "calibrate.photoCal.colorLimits": "-c"}
    again = ConfigLayers()
    for path, value in saved.values.items():
        again.set_value(path, value, "saved")
    assert again.build() == config
    assert config_hash(again.build()) == config_hash(config)


def test_a_saved_file_documents_every_field() -> None:
    lines = render_config(ConfigLayers().build()).splitlines()
    settings = [k for k, line in enumerate(lines) if line.startswith("config.")]
    assert len(settings) == len(config_fields())
    assert all(lines[k - 1].startswith("# ") for k in settings)


def test_a_glob_shows_the_fields_that_match_it_whatever_their_case_unless_told_otherwise() -> None:
    config = ConfigLayers().build()
    assert "config.isr.doFlat=True" in render_config(config, glob="*.doflat")
    assert render_config(config, glob="*.doflat", ignore_case=False) == ""


def test_a_rerun_refuses_another_configuration_and_names_every_field_both_values_and_who_set_them(
    tmp_path: Path,
) -> None:
    first = with_text("isr.doFlat=False", "isr.overscanOrder=9")
    keep_config(tmp_path, first.build(), first)
    keep_config(tmp_path, first.build(), first)
    second = ConfigLayers()
    second.set_value("isr.overscanOrder", 8, "my.py:3")
    with pytest.raises(ConfigurationMismatch) as caught:
        keep_config(tmp_path, second.build(), second)
    assert caught.value.exit_code == 3
    assert "isr.doFlat: the rerun has False (-c), now True (default)" in caught.value.message
    assert "isr.overscanOrder: the rerun has 9 (-c), now 8 (my.py:3)" in caught.value.message
    assert len(compare_config(tmp_path, second.build(), second)) == 2


def test_clobbering_keeps_numbered_backups_the_newest_first(tmp_path: Path) -> None:
    for order in (3, 4, 5):
        layers = with_text(f"isr.overscanOrder={order}")
        keep_config(tmp_path, layers.build(), layers, clobber=True)
    path = config_path(tmp_path)
    stored = [load_saved(p.read_text(), p.name).values["isr.overscanOrder"] for p in _with_backups(path)]
    assert stored == [5, 4, 3]
    layers = with_text("isr.overscanOrder=6")
    keep_config(tmp_path, layers.build(), layers, clobber=True, backup=False)
    assert len(_with_backups(path)) == 3, "--no-backup-config adds none"


def _with_backups(path: Path) -> list[Path]:
    return [path, *sorted(path.parent.glob(path.name + "~*"))]


@pytest.mark.parametrize(("stored", "present", "same"), [(1.0, 1.0 + 5e-9, True), (1.0, 1.0001, False)])
def test_numbers_are_compared_with_gen2s_tolerance(stored: float, present: float, same: bool) -> None:
    before, after = with_text(f"isr.fwhm={stored!r}"), with_text(f"isr.fwhm={present!r}")
    saved = load_saved(saved_text(before.build(), before), "x")
    assert (differences(saved, after.build(), after.source) == []) is same


def test_another_package_version_is_refused_unless_clobbered(tmp_path: Path) -> None:
    keep_versions(tmp_path, {"numpy": "1.0", "scipy": "2.0"})
    keep_versions(tmp_path, {"numpy": "1.0", "astropy": "7.0"})
    with pytest.raises(ConfigurationMismatch, match=r"numpy: 1\.0 vs 1\.1"):
        keep_versions(tmp_path, {"numpy": "1.1"})
    keep_versions(tmp_path, {"numpy": "1.1"}, clobber=True)
    text = versions_path(tmp_path).read_text()
    assert text == "astropy: '7.0'\nnumpy: '1.1'\nscipy: '2.0'\n"
    assert versions_path(tmp_path).with_name("packages.yaml~1").is_file()


def test_a_camera_sets_its_own_layer() -> None:
    from safelight.instruments import load_instrument
    from safelight.processccd.cameraconfig import camera_layers

    camera = load_instrument("generic").model_copy(update={"process_config": {"isr.doBias": False}})
    layers = camera_layers(camera)
    assert layers.build().isr.doBias is False
    assert layers.source("isr.doBias") == "camera generic"
