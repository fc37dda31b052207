"""Alarms: how they are written, what they compare with, and where reports and exports flag them; the settings file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from safelight.butler.datasets import CcdRecord, DatasetLedger
from safelight.butler.repository import create_repository
from safelight.commands.main import main
from safelight.errors import ConfigurationError, UsageError
from safelight.processccd.alarms import Alarm, UsualValues, parse_alarm, parse_alarms
from safelight.settings import change_setting, default_settings, read_settings, settings_path, write_default_settings


@pytest.mark.parametrize(
    ("text", "alarm"),
    [
        ("fwhm_arcsec>1.2", Alarm("fwhm_arcsec", ">", 1.2)),
        (" fwhm_arcsec >= .9 ", Alarm("fwhm_arcsec", ">=", 0.9)),
        ("zeropoint_mag<median-0.3", Alarm("zeropoint_mag", "<", -0.3, relative=True)),
        ("sky_level_e > median + 5e3", Alarm("sky_level_e", ">", 5000.0, relative=True)),
        ("wcs_offset_arcsec<-1", Alarm("wcs_offset_arcsec", "<", -1.0)),
    ],
)
def test_an_alarm_is_read_and_its_text_reads_the_same(text: str, alarm: Alarm) -> None:
    assert parse_alarm(text) == alarm
    assert parse_alarm(str(alarm)) == alarm


def test_several_alarms_stand_in_one_text_each_once() -> None:
    both = parse_alarms(["fwhm_arcsec > 1.2, zeropoint_mag < median - 0.3", "fwhm_arcsec>1.2"])
    assert list(map(str, both)) == ["fwhm_arcsec>1.2", "zeropoint_mag<median-0.3"]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("fwhm>1", "UNKNOWN_METRIC", "Did you mean fwhm_arcsec?"),
        ("fwhm_arcsec=1", "NOT_AN_ALARM", "zeropoint_mag<median-0.3"),
        ("fwhm_arcsec>median", "NOT_AN_ALARM", ""),
        ("fwhm_arcsec>1.2x", "NOT_AN_ALARM", ""),
        ("fwhm_arcsec>nan", "NOT_AN_ALARM", ""),
        ("", "NOT_AN_ALARM", ""),
    ],
)
def test_what_is_no_alarm_is_refused_with_a_sentence(text: str, code: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_alarm(text)
    assert caught.value.code == code
    assert says in str(caught.value)


def test_what_was_not_measured_rings_nothing() -> None:
    usual = UsualValues((), ())
    alarms = parse_alarms(["fwhm_arcsec>1.2", "fwhm_arcsec<0.1", "zeropoint_mag<median-0.3"])
    for metrics in ({}, {"fwhm_arcsec": None}, {"fwhm_arcsec": float("nan")}, {"zeropoint_mag": 1.0}):
        assert usual.ringing(alarms, {"visit": 1}, metrics) == []


def test_the_usual_value_is_the_median_of_the_other_visits_of_the_filter_and_night() -> None:
    def ccd(
        visit: int, value: float, filter_: str = "R", night: str = "N"
    ) -> tuple[dict[str, object], dict[str, object]]:
        return {"visit": visit, "filter": filter_, "dateObs": night}, {"zeropoint_mag": value}

    ccds = [
        ccd(1, 27.0),
        ccd(1, 27.2),
        ccd(2, 27.3),
        ccd(3, 27.5),
        ccd(4, 20.0),
        ccd(9, 1.0, "I"),
        ccd(8, 2.0, night="M"),
    ]
    usual = UsualValues(ccds, ["zeropoint_mag"])
    assert usual.of(ccds[-3][0], "zeropoint_mag") == pytest.approx(27.3)  # of 27.1, 27.3 and 27.5
    assert usual.of({"visit": 5, "filter": "R", "dateObs": "N"}, "zeropoint_mag") == pytest.approx(27.2)
    assert usual.of(ccds[-1][0], "zeropoint_mag") is None
    assert usual.of(ccds[0][0], "fwhm_arcsec") is None


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def data(home: Path) -> Path:
    """Four visits of one CCD; the last has clouds and bad seeing."""
    create_repository(home / "DATA", "hsc")
    path = home / "DATA" / "rerun" / "first"
    path.mkdir(parents=True)
    (path / "repositoryCfg.yaml").write_text("!RepositoryCfg_v1\n_parents: []\n")
    ledger = DatasetLedger(path)
    for visit in range(4):
        data_id = {"visit": visit, "ccd": 1, "filter": "HSC-I", "dateObs": "2013-11-02", "expTime": 30.0}
        last = visit == 3
        metrics = {"fwhm_arcsec": 1.5 if last else 0.7, "zeropoint_mag": 26.5 if last else 27.0}
        ledger.record_ccd(CcdRecord(data_id, "done", metrics=metrics))
    ledger.close()
    return home / "DATA"


def test_report_and_export_flag_what_is_beyond_the_alarms_of_the_settings_or_of_the_option(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def flags(*words: str) -> list[str]:
        assert main(["report", str(data), "--rerun", "first", "--format", "json", *words]) == 0
        return [row.get("alarms") for row in json.loads(capsys.readouterr().out)]

    assert flags() == [None] * 4
    change_setting(settings_path(), "alarms", ["zeropoint_mag<median-0.3", "fwhm_arcsec>1.2"])
    assert flags() == ["", "", "", "zeropoint_mag<median-0.3 fwhm_arcsec>1.2"]
    assert flags("--alarm", "fwhm_arcsec>0.6", "--alarm", "fwhm_arcsec>2") == ["fwhm_arcsec>0.6"] * 4
    assert flags("--alarm", "off") == [None] * 4
    assert main(["export", str(data), "--rerun", "first", "--only", "alarm"]) == 0
    assert capsys.readouterr().out == "--id visit=3 ccd=1\n"
    assert main(["export", str(data), "--rerun", "first", "--summary"]) == 0
    assert "| zeropoint\\_mag\\<median-0.3 |    1 |   3 1 |" in capsys.readouterr().out
    assert main(["report", str(data), "--rerun", "first", "--alarm", "fwhm>1"]) == 2
    assert "Did you mean fwhm_arcsec?" in capsys.readouterr().err


def test_a_report_comes_although_the_settings_cannot_be_used_and_says_so(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("\nbell = maybe\n")
    assert main(["report", str(data), "--rerun", "first"]) == 0
    told = capsys.readouterr()
    assert "27.000" in told.out
    assert f"{settings_path()}:2:" in told.err


# --- settings ---------------------------------------------------------------------------------------------------------


def test_the_default_file_is_documented_all_commented_out_and_every_default_in_it_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "a" / "settings.toml"
    write_default_settings(path)
    assert tomllib.loads(path.read_text()) == {}
    assert read_settings(path) == read_settings(tmp_path / "absent.toml")
    with pytest.raises(FileExistsError):
        write_default_settings(path)
    lines = [line.removeprefix("# ") for line in default_settings().splitlines() if " = " in line]
    path.write_text("\n".join(lines))
    assert len(lines) == 7
    settings = read_settings(path)
    assert settings.alarms == ("fwhm_arcsec>1.2", "zeropoint_mag<median-0.3")
    assert settings == type(settings)(alarms=settings.alarms)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("bell = true\nbel = true", 2, "there is no setting 'bel'; did you mean 'bell'?"),
        ("\n\nbell = 1", 3, "bell must be true or false, not 1."),
        ("title = true\nalarms = ['fwhm>1']", 2, "There is no metric 'fwhm' to ring. Did you mean fwhm_arcsec?"),
        ("alarms = 3", 1, "alarms must be a list of texts"),
        ("stale_s = 0", 1, "a number of seconds"),
        ("theme = 'pink'", 1, "one of auto, dark"),
        ("bell = true\nbell", 2, "it is not TOML"),
    ],
)
def test_a_wrong_line_is_named_with_the_file(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(path)
    assert caught.value.message.startswith(f"{path}:{line}: ")
    assert says in caught.value.message


def test_changing_one_value_leaves_every_other_line_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.toml"
    assert change_setting(path, "alarms", ["fwhm_arcsec>1.2"]).alarms == ("fwhm_arcsec>1.2",)
    assert [line for line in path.read_text().splitlines() if line not in default_settings().splitlines()] == [
        'alarms = ["fwhm_arcsec>1.2"]'
    ]
    text = "# mine\nalarms = [ # why\n  'fwhm_arcsec>1', # seeing\n]\nbell = false # quiet\n"
    path.write_text(text)
    change_setting(path, "alarms", [])
    assert path.read_text() == "# mine\nalarms = []\nbell = false # quiet\n"
    with pytest.raises(UsageError, match="bell must be true or false"):
        change_setting(path, "bell", "perhaps")
    path.write_text("broken")
    with pytest.raises(ConfigurationError):
        change_setting(path, "bell", True)
    assert path.read_text() == "broken"


def test_the_settings_command_shows_creates_and_changes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*words: str) -> tuple[int, str]:
        code = main(["settings", *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    assert "(not there: the defaults hold" in call()[1]
    code, told = call("--create")
    assert code == 0
    assert f"wrote {settings_path()}" in told
    assert "keys.toml" in told
    assert "is yours, and was not changed" in call("--create")[1]
    assert 'alarms = ["fwhm_arcsec>1.2"]' in call("alarms", "fwhm_arcsec > 1.2")[1]
    assert "alarms = []" in call("alarms", "off")[1]
    assert "bell = false" in call("bell", "off")[1]
    assert "stale_s = 60.0" in call("stale_s", "60")[1]
    assert call("bell", "perhaps")[0] == 2
    assert call("bells", "on")[0] == 2
    assert call("bell")[0] == 2
