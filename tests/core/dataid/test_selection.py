"""Typed constraints: the same rows in memory and in SQL, and the reasons for empty selections."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safelight.dataid import KeyType, bind, parse, select_rows
from safelight.dataid.globs import sqlite_glob
from safelight.errors import DataIdError, EmptySelection

KEYS: dict[str, KeyType] = {
    "field": str,
    "dateObs": str,
    "pointing": int,
    "filter": str,
    "visit": int,
    "ccd": int,
    "taiObs": str,
    "expTime": float,
}


def make_rows() -> list[dict[str, Any]]:
    rows = []
    for visit, filter_, date, ccds in [
        (903334, "HSC-R", "2013-06-17", (16, 22, 23, 100)),
        (903336, "HSC-R", "2013-06-17", (17, 24)),
        (903986, "HSC-I", "2013-11-02", (16, 22, 23, 100)),
        (903988, "HSC-I", "2013-11-02", (16, 17, 23, 24)),
    ]:
        for ccd in ccds:
            rows.append(
                {
                    "field": "STRIPE82L",
                    "dateObs": date,
                    "pointing": 533 if filter_ == "HSC-R" else 671,
                    "filter": filter_,
                    "visit": visit,
                    "ccd": ccd,
                    "taiObs": date,
                    "expTime": 30.0,
                }
            )
    return rows


ROWS = make_rows()


def chosen(expression: str) -> list[tuple[int, int]]:
    return [(row["visit"], row["ccd"]) for row in select_rows(expression, ROWS, KEYS)]


def refused(expression: str | list[str]) -> DataIdError:
    with pytest.raises(DataIdError) as caught:
        select_rows(expression, ROWS, KEYS)
    return caught.value


def empty(expression: str) -> EmptySelection:
    with pytest.raises(EmptySelection) as caught:
        select_rows(expression, ROWS, KEYS)
    return caught.value


def test_nothing_typed_selects_every_row_in_its_order() -> None:
    assert select_rows("", ROWS, KEYS) == ROWS


def test_rows_come_in_the_order_in_which_values_are_named() -> None:
    assert chosen("ccd=23^16 visit=903988^903986") == [(903988, 23), (903986, 23), (903988, 16), (903986, 16)]


def test_a_row_selected_by_two_groups_comes_once() -> None:
    assert chosen("visit=903336 or filter=HSC-R ccd=17^16") == [(903336, 17), (903336, 24), (903334, 16)]


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("expTime>=30", 14),
        ("expTime>30 or ccd<17", 3),
        ("ccd!=16^22..24", 4),
        ("field~STRIPE*", 14),
        ("filter~*-R", 6),
        ("visit~90398?", 8),
        ("dateObs>=2013-07-01", 8),
        ("expTime=30", 14),
        ("expTime=29..31", 14),
        ("ccd>=16 ccd<=17", 5),
    ],
)
def test_operators_beyond_gen2_select(expression: str, count: int) -> None:
    assert len(chosen(expression)) == count


def test_a_range_on_a_text_key_means_decimal_spellings() -> None:
    rows = [{"field": text} for text in ("7", "007", "8", "a", "12", "", "٧")]
    assert select_rows("field=7..12", rows, {"field": str}) == [{"field": "7"}, {"field": "8"}, {"field": "12"}]


def test_unknown_key_names_the_nearest_and_all() -> None:
    error = refused("visit=903334 Filtre=HSC-R")
    assert (error.code, error.span) == ("UNKNOWN_KEY", (13, 19))
    assert "filter?" in error.hint
    assert all(key in error.hint for key in KEYS)


@pytest.mark.parametrize(
    ("expression", "value", "hint"),
    [
        ("visit=9033x4", "'9033x4'", "visit="),
        ("ccd=1,2", "'1,2'", "ccd=1^2"),
        ("visit=9033*", "'9033*'", "visit~9033*"),
        ("ccd=1..", "'1..'", "A..B"),
        ("ccd=1_0", "'1_0'", "ccd="),
        ("visit=99999999999999999999", "'99999999999999999999'", "visit="),
        ("expTime=nan", "'nan'", "expTime="),
        ("visit=", "''", "visit="),
    ],
)
def test_uncastable_value_names_value_type_and_key(expression: str, value: str, hint: str) -> None:
    error = refused(expression)
    assert error.code == "UNCASTABLE_VALUE"
    assert value in error.message
    assert expression.split("=")[0] in error.message
    assert hint in error.hint
    assert error.span is not None
    assert expression[slice(*error.span)] == value.strip("'")


def test_a_whole_expression_quoted_as_one_word_is_told_apart() -> None:
    error = refused(["visit=903334 ccd=16"])
    assert error.code == "UNCASTABLE_VALUE"
    assert "a word of its own" in error.hint


def test_a_glob_on_a_key_with_decimals_is_refused() -> None:
    assert refused("expTime~3*").code == "BAD_OPERATOR"


def test_empty_selection_names_the_value_that_no_row_has_and_its_neighbours() -> None:
    error = empty("filter=HSC-I visit=903987")
    assert error.code == "EMPTY_SELECTION"
    assert "visit=903987" in error.message
    assert "903986 and 903988" in error.hint


def test_empty_selection_names_the_combination_and_the_values_beside_it() -> None:
    error = empty("visit=903334 filter=HSC-I")
    assert "visit=903334 selects 4 of 14 rows" in error.message
    assert "filter=HSC-I alone selects 8" in error.message
    assert "the only value of filter is HSC-R" in error.hint


def test_empty_selection_suggests_the_nearest_spelling() -> None:
    assert "HSC-I" in empty("filter=hsc-i").hint


def test_empty_selection_on_a_bound_tells_what_exists() -> None:
    error = empty("expTime>=31")
    assert "expTime>=31" in error.message
    assert "30.0" in error.hint


def test_empty_selection_of_several_groups_explains_each() -> None:
    error = empty("visit=1 or ccd=3")
    assert "visit=1" in error.message
    assert "ccd=3" in error.message


_WORDS = st.sampled_from(
    [
        "visit=903334",
        "visit=903334..903988:2",
        "visit!=903986",
        "visit>=903336",
        "visit<903986",
        "visit~*8[68]",
        "ccd=16^22^99",
        "ccd=0..50:4",
        "ccd!=16..23^100",
        "ccd>22",
        "filter=HSC-R",
        "filter~HSC-[!R]",
        "filter~[",
        "filter!=HSC-I",
        "filter>HSC-I",
        "expTime=30",
        "expTime=0..60:15",
        "expTime<=29.5",
        "expTime>=30",
        "field=STRIPE82L",
        "field~*82?",
        "field=1..9",
        "dateObs>2013-06-17",
        "taiObs<=2013-06-17",
        "field=",
        "pointing=533^671",
        "pointing=0..99999999999999999999",
        "visit~903*",
        "field~[]S]*",
    ]
)


@settings(max_examples=200)
@given(st.lists(_WORDS, max_size=4))
def test_sql_selects_the_rows_that_memory_selects(words: list[str]) -> None:
    rows = [*ROWS, {**ROWS[0], "visit": None, "field": None, "expTime": 15.0, "ccd": 4}]
    connection = sqlite3.connect(":memory:")
    columns = ", ".join(f"{key} {'text' if t is str else 'int' if t is int else 'double'}" for key, t in KEYS.items())
    connection.execute(f"CREATE TABLE raw ({columns})")
    connection.executemany(f"INSERT INTO raw VALUES ({', '.join('?' * len(KEYS))})", [[*row.values()] for row in rows])
    group = None
    with suppress(DataIdError):
        (group,) = bind(parse(words), KEYS)
    assume(group is not None)  # the same key and operator drawn twice
    assert group is not None
    condition, parameters = group.sql()
    query = "SELECT * FROM raw" + (f" WHERE {condition}" if condition else "")
    assert connection.execute(query, parameters).fetchall() == [tuple(r.values()) for r in rows if group.matches(r)]
    connection.close()


@given(st.text("ab[]!-*?", max_size=6), st.text("ab[]!-*?", max_size=4))
def test_a_glob_means_the_same_in_sqlite(pattern: str, text: str) -> None:
    from fnmatch import fnmatchcase

    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute("SELECT ? GLOB ?", [text, sqlite_glob(pattern)]).fetchone()
    connection.close()
    if "-" not in pattern:  # how sets with odd ranges such as [b-a] are read differs
        assert bool(found) == fnmatchcase(text, pattern)


def test_a_list_of_thousands_of_values_selects() -> None:
    values = "^".join(map(str, range(900000, 960000, 2)))
    (group,) = bind(parse(f"visit={values}"), KEYS)
    condition, parameters = group.sql()
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE raw (visit int)")
    connection.executemany("INSERT INTO raw VALUES (?)", [(903334,), (903335,)])
    assert connection.execute(f"SELECT visit FROM raw WHERE {condition}", parameters).fetchall() == [(903334,)]
    connection.close()
