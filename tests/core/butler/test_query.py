"""Selecting data IDs in a Gen2 repository."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from safelight.butler import Butler
from safelight.errors import DataIdError, EmptySelection, RepositoryError

RAW_KEYS = ["field", "dateObs", "pointing", "filter", "visit", "ccd", "taiObs", "expTime"]


def ids(butler: Butler, expression: object) -> list[tuple[int, int]]:
    return [(row["visit"], row["ccd"]) for row in butler.query(expression)]  # type: ignore[arg-type]


def test_keys_have_the_types_and_the_order_of_gen2_listings(repository: Path) -> None:
    keys = Butler(repository).keys("raw")
    assert list(keys) == RAW_KEYS
    assert [keys[key] for key in RAW_KEYS] == [str, str, int, str, int, int, str, float]


def test_the_tutorial_selections_have_33_16_and_17_rows(repository: Path) -> None:
    butler = Butler(repository)
    assert len(butler.query("")) == 33
    assert len(butler.query("filter=HSC-I")) == 16
    assert len(butler.query([["filter=HSC-R"]])) == 17


def test_typed_keys_come_first_in_a_row(repository: Path) -> None:
    row = Butler(repository).query("ccd=16 visit=903986")[0]
    assert list(row) == ["ccd", "visit", *[key for key in RAW_KEYS if key not in ("ccd", "visit")]]
    assert row == {
        "ccd": 16,
        "visit": 903986,
        "field": "STRIPE82L",
        "dateObs": "2013-11-02",
        "pointing": 671,
        "filter": "HSC-I",
        "taiObs": "2013-11-02",
        "expTime": 30.0,
    }


def test_rows_come_in_the_order_of_ingest(repository: Path) -> None:
    connection = sqlite3.connect(repository / "registry.sqlite3")
    expected = connection.execute("SELECT visit, ccd FROM raw ORDER BY id").fetchall()
    connection.close()
    assert ids(Butler(repository), "") == expected
    assert ids(Butler(repository), "ccd>=0 visit>0") == expected


def test_the_last_key_varies_fastest(repository: Path) -> None:
    assert ids(Butler(repository), "visit=903988^903986 ccd=23^16") == [
        (903988, 23),
        (903988, 16),
        (903986, 23),
        (903986, 16),
    ]


def test_an_expression_with_range_and_list_selects_as_gen2_does(repository: Path) -> None:
    assert ids(Butler(repository), "filter=HSC-I visit=903986..904014:2 ccd=16^22") == [
        (903986, 16),
        (903986, 22),
        (903988, 16),
    ]


def test_a_frame_named_by_two_groups_comes_once_and_is_counted(repository: Path) -> None:
    selection = Butler(repository).query([["visit=903336"], ["ccd=17"]])
    assert [(row["visit"], row["ccd"]) for row in selection] == [(903336, 17), (903336, 24), (903988, 17)]
    assert selection.repeated == 1


def test_a_value_without_frames_is_noted_and_the_others_go_on(repository: Path) -> None:
    selection = Butler(repository).query("visit=903334^903335 ccd=16")
    assert len(selection) == 1
    (note,) = selection.notes
    assert "visit=903335" in note
    assert "903334 and 903336" in note


def test_an_empty_group_beside_a_full_one_is_noted(repository: Path) -> None:
    selection = Butler(repository).query("visit=903334 or visit=1")
    assert len(selection) == 4
    assert "visit=1" in selection.notes[0]


def test_any_column_of_the_registry_may_be_named(repository: Path) -> None:
    selection = Butler(repository).query("dataType=OBJECT ccd=0", columns=["proposal"])
    assert selection[0]["dataType"] == "OBJECT"
    assert selection[0]["proposal"] is None


def test_an_unknown_key_is_an_error_that_names_all_keys(repository: Path) -> None:
    with pytest.raises(DataIdError) as caught:
        Butler(repository).query("vist=903334")
    assert caught.value.code == "UNKNOWN_KEY"
    assert "visit?" in caught.value.hint
    assert all(key in caught.value.hint for key in RAW_KEYS)


def test_an_empty_selection_names_its_cause_and_what_exists(repository: Path) -> None:
    with pytest.raises(EmptySelection) as caught:
        Butler(repository).query("filter=HSC-I visit=903334")
    assert caught.value.exit_code == 4
    assert "filter=HSC-I selects 16 of 33 raw frames" in caught.value.message
    assert "903986" in caught.value.hint


def test_frames_without_a_file_are_left_out_and_noted(repository: Path) -> None:
    path = Butler(repository).uri("raw", visit=903334, ccd=16)
    path.unlink()
    selection = Butler(repository).query("visit=903334")
    assert [row["ccd"] for row in selection] == [22, 23, 100]
    assert "1 of 4 raw files" in selection.notes[0]
    assert len(Butler(repository).query("visit=903334", check_files=False)) == 4
    with pytest.raises(EmptySelection) as caught:
        Butler(repository).query("visit=903334 ccd=16")
    assert caught.value.code == "FILES_MISSING"


def test_a_dangling_link_is_no_file(repository: Path) -> None:
    path = Butler(repository).uri("raw", visit=903334, ccd=16)
    path.unlink()
    path.symlink_to(repository / "nowhere.fits")
    assert [row["ccd"] for row in Butler(repository).query("visit=903334")] == [22, 23, 100]


@pytest.mark.parametrize("suffix", [".gz", ".fz"])
def test_compressed_files_are_found(repository: Path, suffix: str) -> None:
    path = Butler(repository).uri("raw", visit=903334, ccd=16)
    path.rename(path.with_name(path.name + suffix))
    assert Butler(repository).uri("raw", visit=903334, ccd=16).name.endswith(".fits" + suffix)
    assert len(Butler(repository).query("visit=903334 ccd=16")) == 1


def test_reading_never_changes_the_registry(repository: Path) -> None:
    path = repository / "registry.sqlite3"
    before = path.read_bytes(), path.stat().st_mtime_ns, sorted(repository.iterdir())
    butler = Butler(repository, rerun="new")
    butler.query("visit=903334")
    butler.path_for("calexp", visit=903334, ccd=16)
    assert not butler.exists("calexp", visit=903334, ccd=16)
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(repository.iterdir())) == before


def test_a_registry_that_was_replaced_is_read_anew(repository: Path) -> None:
    butler = Butler(repository)
    assert len(butler.query("")) == 33
    other = repository / "other.sqlite3"
    other.write_bytes((repository / "registry.sqlite3").read_bytes())
    connection = sqlite3.connect(other)
    connection.execute("DELETE FROM raw WHERE filter = 'HSC-R'")
    connection.commit()
    connection.close()
    other.replace(repository / "registry.sqlite3")
    assert len(butler.query("")) == 16


def test_a_damaged_registry_is_an_error_in_words(repository: Path) -> None:
    (repository / "registry.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(RepositoryError) as caught:
        Butler(repository).query("")
    assert caught.value.code == "BAD_DATABASE"


def test_a_query_of_one_visit_uses_an_index_and_does_not_scan(repository: Path) -> None:
    from safelight.dataid import bind, parse

    registry = Butler(repository).registry
    for expression in ("visit=903334", "visit=903334..903340", "visit>=903334 visit<903340 ccd=16", "visit=1^2^3"):
        (group,) = bind(parse(expression), registry.all_keys())
        condition, parameters = group.sql()
        sql = f"EXPLAIN QUERY PLAN SELECT visit FROM raw WHERE {condition} ORDER BY +id"
        plan = " ".join(str(row[-1]) for row in registry.database.fetch(sql, parameters))
        assert "SEARCH raw USING" in plan
        assert "SCAN" not in plan


def test_a_butler_can_be_sent_to_another_process(repository: Path) -> None:
    butler = Butler(repository, rerun="a")
    butler.query("")
    copy = pickle.loads(pickle.dumps(butler))
    assert copy.output == butler.output
    assert len(copy.query("filter=HSC-I")) == 16


def test_opening_and_querying_does_not_import_astropy(repository: Path) -> None:
    program = (
        "import sys; from safelight.butler import Butler; "
        f"b = Butler({str(repository)!r}, rerun='a'); assert len(b.query('filter=HSC-I')) == 16; "
        "print([name for name in ('astropy', 'numba', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
