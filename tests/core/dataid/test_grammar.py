"""The data-ID grammar: what is read, what is refused and where."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.dataid import Constraint, DataIdExpression, Group, Literal, Range, parse
from safelight.errors import DataIdError

KEYS = ("visit", "ccd", "filter", "field", "expTime", "dateObs")


def refused(expression: object) -> DataIdError:
    with pytest.raises(DataIdError) as caught:
        parse(expression)  # type: ignore[arg-type]
    return caught.value


def test_text_words_and_groups_of_words_read_alike() -> None:
    text = parse("filter=HSC-I visit=903986..904014:2 ccd=16^22")
    assert text == parse(["filter=HSC-I", "visit=903986..904014:2", "ccd=16^22"])
    assert text == parse([["filter=HSC-I", "visit=903986..904014:2", "ccd=16^22"]])
    assert text.groups[0].constraints == (
        Constraint("filter", "=", (Literal("HSC-I"),)),
        Constraint("visit", "=", (Range(903986, 904014, 2),)),
        Constraint("ccd", "=", (Literal("16"), Literal("22"))),
    )


def test_caret_and_ranges_mix_freely() -> None:
    (constraint,) = parse("ccd=1..3^7^10..20:5").groups[0].constraints
    assert constraint.values == (Range(1, 3), Literal("7"), Range(10, 20, 5))
    assert [row["ccd"] for row in parse("ccd=1..3^7^10..20:5").data_ids()] == ["1", "2", "3", "7", "10", "15", "20"]


def test_the_last_key_varies_fastest() -> None:
    rows = [(d["visit"], d["ccd"]) for d in parse("visit=1^2 ccd=3..4").data_ids()]
    assert rows == [("1", "3"), ("1", "4"), ("2", "3"), ("2", "4")]


def test_repeated_groups_are_concatenated_in_order_without_removing_repetitions() -> None:
    rows = list(parse([["visit=2"], ["visit=1^2"]]).data_ids())
    assert rows == [{"visit": "2"}, {"visit": "1"}, {"visit": "2"}]


@pytest.mark.parametrize("nothing", ["", "   ", "*", [], [[]]])
def test_an_empty_expression_is_one_group_that_selects_everything(nothing: object) -> None:
    expression = parse(nothing)  # type: ignore[arg-type]
    assert expression == DataIdExpression((Group(),))
    assert expression.selects_everything
    assert expression.to_id_arguments() == ["--id"]
    assert list(expression.data_ids()) == [{}]


def test_or_separates_groups_and_becomes_several_id_options() -> None:
    expression = parse("visit=1 ccd=2 or filter=HSC-R")
    assert len(expression.groups) == 2
    assert expression.to_id_arguments() == ["--id", "visit=1", "ccd=2", "--id", "filter=HSC-R"]


def test_range_includes_its_end_and_drops_leading_zeros() -> None:
    assert [d["ccd"] for d in parse("ccd=007..9").data_ids()] == ["7", "8", "9"]


@pytest.mark.parametrize("text", ["-3..5", "1..", "..5", "1..5:", "a..b", "1.5..2"])
def test_what_is_no_range_of_digits_stays_literal_text(text: str) -> None:
    assert parse(f"field={text}").groups[0].constraints[0].values == (Literal(text),)


def test_a_comma_is_no_separator() -> None:
    assert parse("field=a,b").groups[0].constraints[0].values == (Literal("a,b"),)


@pytest.mark.parametrize("operator", [">=", "<=", ">", "<", "!=", "~", "="])
def test_every_operator_is_read_whole(operator: str) -> None:
    (constraint,) = parse(f"expTime{operator}30").groups[0].constraints
    assert (constraint.key, constraint.operator, str(constraint.values[0])) == ("expTime", operator, "30")


def test_one_key_may_have_a_lower_and_an_upper_bound() -> None:
    assert len(parse("expTime>=30 expTime<60").groups[0].constraints) == 2


def test_quotes_keep_white_space_in_a_value() -> None:
    for text in ("field='M 31' ccd=1", 'field="M 31" ccd=1', "'field=M 31' ccd=1"):
        assert parse(text) == parse(["field=M 31", "ccd=1"])


def test_an_equals_sign_may_stand_inside_a_value() -> None:
    assert parse("field=a=b").groups[0].constraints[0].values == (Literal("a=b"),)


def test_repeated_key_is_refused_and_the_joined_form_is_suggested() -> None:
    error = refused("visit=1 ccd=3 visit=2")
    assert error.code == "REPEATED_KEY"
    assert "visit=1^2" in error.hint
    assert error.span == (14, 21)


def test_descending_range_is_refused_and_the_ascending_one_is_suggested() -> None:
    error = refused("ccd=7^9..3:2")
    assert (error.code, error.span) == ("DESCENDING_RANGE", (6, 12))
    assert "ccd=3..9:2" in error.hint


def test_stride_zero_is_refused() -> None:
    error = refused("visit=1..9:0")
    assert (error.code, error.span) == ("ZERO_STRIDE", (6, 12))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("filter", (0, 6)),
        ("visit=1 filter", (8, 14)),
        ("=3", (0, 2)),
        ("visit==3", (5, 7)),
        ("vis.it=3", (0, 8)),
        ("expTime>=", (9, 9)),
        ("expTime>3^4", (8, 11)),
        ("visit=1 or", (8, 10)),
        ("or visit=1", (0, 2)),
        ("visit=1 or or ccd=2", (8, 10)),
        ("field='M 31", (6, 11)),
    ],
)
def test_malformed_text_is_refused_with_its_place(text: str, span: tuple[int, int]) -> None:
    error = refused(text)
    assert (error.code, error.span) == ("MALFORMED", span)
    assert error.message
    assert error.hint


def test_the_place_counts_quotes_as_typed() -> None:
    text = "field='M 31' ccd='9..3'"
    error = refused(text)
    assert error.span is not None
    assert text[slice(*error.span)] == "9..3"


def test_the_place_in_words_counts_them_as_joined_by_spaces() -> None:
    words = [["visit=1"], ["ccd=2", "ccd=9..3"]]
    error = refused(words)
    assert error.span is not None
    assert "visit=1 ccd=2 ccd=9..3"[slice(*error.span)] == "9..3"


def test_a_mapping_is_one_group_of_equalities() -> None:
    assert parse({"visit": 1, "filter": "HSC-I"}) == parse("visit=1 filter=HSC-I")
    assert refused({"ccd": "1^2"}).code == "MALFORMED"


def test_an_error_keeps_its_place_across_processes() -> None:
    error = pickle.loads(pickle.dumps(refused("ccd=9..3")))
    assert (error.code, error.span) == ("DESCENDING_RANGE", (4, 8))


_CHARACTERS = st.characters(blacklist_characters="^", blacklist_categories=("Cs",))
_TEXTS = st.text(_CHARACTERS, max_size=8).filter(lambda text: not text.startswith("="))
_RANGES = st.builds(lambda a, b, s: Range(min(a, b), max(a, b), s), *[st.integers(0, 10**9)] * 2, st.integers(1, 50))


def _no_range(text: str) -> bool:
    return ".." not in text


@st.composite
def _constraints(draw: st.DrawFn) -> Constraint:
    key = draw(st.sampled_from(KEYS))
    operator = draw(st.sampled_from(["=", "!=", "~", ">=", "<=", ">", "<"]))
    literals = _TEXTS.filter(_no_range).map(Literal)
    if operator in ("=", "!="):
        values = draw(st.lists(literals | _RANGES, min_size=1, max_size=4))
    elif operator == "~":
        values = draw(st.lists(literals, min_size=1, max_size=3))
    else:
        values = [draw(literals.filter(lambda literal: bool(literal.text)))]
    return Constraint(key, operator, tuple(values))


def _distinct(constraints: list[Constraint]) -> tuple[Constraint, ...]:
    return tuple({(c.key, c.operator): c for c in constraints}.values())


_EXPRESSIONS = st.lists(st.lists(_constraints(), max_size=4).map(_distinct).map(Group), min_size=1, max_size=3).map(
    lambda groups: DataIdExpression(tuple(groups))
)


@given(_EXPRESSIONS)
def test_to_text_reads_back_to_an_equal_expression(expression: DataIdExpression) -> None:
    assert parse(expression.to_text()) == expression


@given(_EXPRESSIONS)
def test_id_arguments_read_back_to_an_equal_expression(expression: DataIdExpression) -> None:
    groups: list[list[str]] = []
    for word in expression.to_id_arguments():
        if word == "--id":
            groups.append([])
        else:
            groups[-1].append(word)
    assert parse(groups) == expression


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_place_inside_it(text: str) -> None:
    try:
        parse(text)
    except DataIdError as error:
        span = error.span
    else:
        return
    assert span is not None
    assert 0 <= span[0] <= span[1] <= len(text)
