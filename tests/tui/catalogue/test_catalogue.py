"""Bitsets, coded columns and selections do what sets and sorted lists do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight_tui.catalogue import Bitset, CodedColumn, NumberColumn, Selection
from safelight_tui.catalogue.selection import sort_order

sizes = st.integers(0, 300)


@st.composite
def two_sets(draw: st.DrawFn) -> tuple[int, set[int], set[int]]:
    size = draw(sizes)
    rows = st.sets(st.integers(0, size - 1)) if size else st.just(set())
    return size, draw(rows), draw(rows)


@given(two_sets())
def test_the_algebra_is_that_of_sets(case: tuple[int, set[int], set[int]]) -> None:
    size, a, b = case
    one, two = Bitset.from_rows(a, size), Bitset.from_rows(b, size)
    for ours, theirs in ((one & two, a & b), (one | two, a | b), (one - two, a - b), (one ^ two, a ^ b)):
        assert ours.rows().tolist() == sorted(theirs)
        assert len(ours) == len(theirs)
        assert bool(ours) is bool(theirs)
    assert (~one).rows().tolist() == sorted(set(range(size)) - a)
    assert all((row in one) is (row in a) for row in range(-1, size + 1))
    assert (one == two) is (a == b)
    assert Bitset.from_mask(one.mask()) == one
    assert len(Bitset.all(size)) == size
    assert hash(one) == hash(Bitset.from_rows(list(a), size))


@given(two_sets(), st.integers(-5, 320), st.integers(-5, 320))
def test_windows_and_ranks_are_those_of_the_sorted_list(
    case: tuple[int, set[int], set[int]], start: int, count: int
) -> None:
    size, rows, _ = case
    bits, ordered = Bitset.from_rows(rows, size), sorted(rows)
    assert bits.select(start, count).tolist() == ordered[max(start, 0) : max(start, 0) + max(count, 0)]
    assert bits.rank(start) == sum(row < start for row in rows)
    for place, row in enumerate(ordered[:5]):
        assert Selection(bits).place_of(row) == place


@given(two_sets(), sizes)
def test_a_set_keeps_its_members_when_the_catalogue_grows(case: tuple[int, set[int], set[int]], size: int) -> None:
    bits = Bitset.from_rows(case[1], case[0]).resized(size)
    assert bits.size == size
    assert bits.rows().tolist() == sorted(row for row in case[1] if row < size)


def test_ten_million_rows_keep_their_places() -> None:
    size = 10_000_000
    mask = np.random.default_rng(1).random(size) < 0.1
    bits = Bitset.from_mask(mask)
    expected = np.flatnonzero(mask)
    assert len(bits) == len(expected)
    middle = len(expected) // 2
    assert bits.select(middle, 60).tolist() == expected[middle : middle + 60].tolist()
    assert bits.rank(int(expected[middle])) == middle


def test_sets_of_different_catalogues_do_not_mix() -> None:
    with pytest.raises(ValueError, match="do not go together"):
        Bitset.none(5) & Bitset.none(6)
    with pytest.raises(IndexError):
        Bitset.from_rows([7], 7)
    with pytest.raises(ValueError, match="do not hold"):
        Bitset(np.zeros(1, np.uint64), 65)


values = st.lists(st.sampled_from(["HSC-G", "HSC-R", "HSC-I", None]), max_size=80)


@given(values)
def test_a_coded_column_gives_back_its_values_and_finds_them(entries: list[str | None]) -> None:
    column = CodedColumn.from_values(entries)
    assert [column[row] for row in range(len(column))] == entries
    for value in ("HSC-G", None, "absent"):
        assert column.equal_to(value).rows().tolist() == [i for i, entry in enumerate(entries) if entry == value]
    wanted = {"HSC-G", "HSC-I"}
    assert column.one_of(wanted).rows().tolist() == [i for i, entry in enumerate(entries) if entry in wanted]
    everything = Bitset.all(len(entries))
    assert column.counts(everything) == {value: entries.count(value) for value in set(entries)}


def test_many_distinct_values_are_found_and_counted_too() -> None:
    visits = [903000 + 2 * (i // 112) for i in range(112 * 400)]
    column = CodedColumn.from_values(visits)
    found = column.where(lambda visit: 903100 <= visit <= 903120)
    assert len(found) == 11 * 112
    assert column.counts(found)[903104] == 112
    assert column.counts(found)[903000] == 0


numbers = st.lists(st.one_of(st.floats(-10, 10), st.just(math.nan)), max_size=60)


@given(numbers, st.floats(-10, 10))
def test_no_comparison_selects_a_number_that_is_not_there(entries: list[float], limit: float) -> None:
    column = NumberColumn(np.array(entries, np.float64))
    present = set(column.present().rows().tolist())
    below, others = column.compare("<", limit), column.compare(">=", limit)
    assert set((below | others).rows().tolist()) == present
    assert not (below & others)
    assert set(column.compare("!=", limit).rows().tolist()) <= present


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="none of"):
        NumberColumn(np.zeros(2)).compare("~", 1.0)


@given(numbers, st.booleans())
def test_sorting_keeps_equal_rows_in_order_and_missing_ones_last(entries: list[float], reverse: bool) -> None:
    order = sort_order(np.array(entries, np.float64), reverse=reverse).tolist()
    present = [row for row, value in enumerate(entries) if not math.isnan(value)]
    expected = sorted(present, key=lambda row: -entries[row] if reverse else entries[row])
    assert order == expected + [row for row, value in enumerate(entries) if math.isnan(value)]


@given(values, st.integers(0, 40), st.integers(0, 80))
def test_a_sorted_selection_shows_the_chosen_rows_in_that_order(
    entries: list[str | None], start: int, stop: int
) -> None:
    column = CodedColumn.from_values(entries)
    chosen = column.one_of({"HSC-G", None})
    selection = Selection(chosen, sort_order(column.keys(), reverse=True))
    rows = sorted(chosen.rows().tolist(), key=lambda row: -int(column.codes[row]))
    assert selection.window(start, stop).tolist() == rows[start:stop]
    assert len(selection) == len(rows)
    for place, row in enumerate(rows[:3]):
        assert selection.place_of(row) == place
    for row in range(len(entries)):
        assert (selection.place_of(row) is None) is (row not in chosen)
