"""What the session holds agrees with what the library says of the same registry."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.gen2 import Frame, add_frames

from safelight.butler.butler import Butler
from safelight.errors import DataIdError, EmptySelection
from safelight.processccd import events
from safelight.processccd.liveness import SILENT_S, life_of
from safelight_tui.feed import LIVE_S
from safelight_tui.session.catalogue import Catalogue, CatalogueLoader
from safelight_tui.session.completion import complete
from safelight_tui.session.facets import STATUS, constrain, facets, release, toggle
from safelight_tui.session.filtering import evaluate
from safelight_tui.session.rerunreader import RerunReader
from safelight_tui.session.reruns import FeedSnapshot, RerunView
from safelight_tui.session.session import Session, id_text
from safelight_tui.state import Remembered, load_state, save_state
from safelight_tui.widgets.status import Status


def load(root: Path) -> Catalogue:
    *_, catalogue = CatalogueLoader(Butler(root).registry).read()
    return catalogue


def first_rerun(root: Path) -> RerunView:
    return RerunReader("first", root / "rerun" / "first").read()


def names(catalogue: Catalogue, text: str, rerun: RerunView | None = None) -> list[str]:
    return sorted(catalogue.names(evaluate(text, catalogue, rerun).view.rows().tolist()))


def key_and_operator(word: str) -> str:
    match = re.match(r"\w+(!=|>=|<=|[=<>~])", word)
    assert match
    return match[0]


WORDS = st.sampled_from(
    ["filter=HSC-I", "filter!=HSC-I", "ccd=16^22", "ccd=0..24:2", "ccd>=17", "ccd<17", "visit~90398*", "visit=903986",
     "dateObs>=2013-11-01", "field=STRIPE82L", "expTime=30", "ccd=99"]
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=3, unique_by=key_and_operator), others=st.lists(WORDS, max_size=2))
def test_the_filter_selects_what_the_butler_selects(repository: Path, words: list[str], others: list[str]) -> None:
    text = " ".join(words) + (f" or {others[0]}" if words and others else "")
    butler = Butler(repository)
    catalogue = load(repository)
    try:
        expected = sorted(f"visit={r['visit']} ccd={r['ccd']}" for r in butler.query(text, check_files=False))
        said = ""
    except EmptySelection as error:
        expected, said = [], error.message
    assert names(catalogue, text) == expected
    assert evaluate(text, catalogue).why_empty.startswith(said.split(".")[0])


def test_an_error_has_the_librarys_sentence_and_place(repository: Path) -> None:
    catalogue = load(repository)
    with pytest.raises(DataIdError) as theirs:
        Butler(repository).query("ccd=16 fliter=HSC-I")
    with pytest.raises(DataIdError) as ours:
        evaluate("ccd=16 fliter=HSC-I | done", catalogue)
    assert (
        (ours.value.message, ours.value.span)
        == (theirs.value.message, theirs.value.span)
        == (
            "There is no key 'fliter'.",
            (7, 13),
        )
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("done", ["visit=903986 ccd=16", "visit=903988 ccd=16"]),
        ("caveat", ["visit=903988 ccd=16"]),
        ("failed^caveat", ["visit=903986 ccd=100", "visit=903988 ccd=16"]),
        ("done !caveat", ["visit=903986 ccd=16"]),
        ("fwhm_arcsec>0.9", ["visit=903988 ccd=16"]),
        ("zeropoint_mag>0", ["visit=903986 ccd=16"]),  # a metric that was not measured satisfies nothing
        ("no_flat", ["visit=903986 ccd=100"]),
        ("few_stars", ["visit=903988 ccd=16"]),
        ("absent hsc-r visit", []),
    ],
)
def test_words_after_the_bar_narrow_by_status_metric_and_text(
    repository: Path, words: str, expected: list[str]
) -> None:
    assert names(load(repository), f"| {words}", first_rerun(repository)) == expected


def test_a_wrong_metric_is_named_at_its_place(repository: Path) -> None:
    with pytest.raises(DataIdError) as error:
        evaluate("ccd=16 | fwhm_arcsecs>1", load(repository), first_rerun(repository))
    assert error.value.code == "UNKNOWN_METRIC"
    assert "fwhm_arcsec?" in error.value.hint
    assert error.value.span == (9, 23)


def test_new_frames_are_added_and_replaced_ones_are_not_counted_twice(repository: Path) -> None:
    loader = CatalogueLoader(Butler(repository).registry)
    *_, before = loader.read()
    assert list(loader.read()) == []
    add_frames(repository, [Frame(904020, 3, "HSC-Z", "2013-11-03")])
    *_, after = loader.read()
    assert (len(after), len(before)) == (len(before) + 1, before.size)
    connection = sqlite3.connect(repository / "registry.sqlite3")
    with connection:
        connection.execute("UPDATE raw SET id = 1000 WHERE visit = 903334 AND ccd = 16")
    connection.close()
    *_, again = loader.read()
    assert len(again) == len(after)
    assert again.row_of({"visit": 903334, "ccd": 16}) == len(again) - 1


def test_id_text_selects_exactly_the_rows_it_was_made_from(repository: Path) -> None:
    catalogue = load(repository)
    for rows in ([0], [0, 1, 9], [3, 4, 5, 12], list(range(catalogue.size))):
        text = id_text([catalogue.data_id(row) for row in rows], catalogue.identity)
        assert names(catalogue, text) == sorted(map(catalogue.name, rows))
        assert len(Butler(repository).query(text, check_files=False)) == len(rows)


def test_equal_lists_of_ccds_share_a_group() -> None:
    data_ids = [{"visit": visit, "ccd": ccd} for visit in (1, 2) for ccd in (4, 5)]
    assert id_text(data_ids, ("visit", "ccd")) == "visit=1^2 ccd=4^5"


def test_completion_counts_values_beside_the_other_constraints(repository: Path) -> None:
    catalogue, rerun = load(repository), first_rerun(repository)
    assert complete("fi", 2, catalogue).candidates[:2] == (("field=", 1), ("filter=", 2))
    found = complete("ccd=16 filter=HSC-", 18, catalogue)
    assert (found.start, found.candidates) == (14, (("HSC-I", 2), ("HSC-R", 1)))
    assert complete("ccd=16^2", 8, catalogue).candidates[0] == ("22", 2)
    assert ("failed", 1) in complete("| fa", 4, catalogue, rerun).candidates
    assert ("fwhm_arcsec>", None) in complete("| fw", 4, catalogue, rerun).candidates


def test_facets_go_into_the_expression_and_out_again(repository: Path) -> None:
    catalogue, rerun = load(repository), first_rerun(repository)
    text = toggle("visit=903986", "ccd", "16")
    assert text == "visit=903986 ccd=16"
    assert toggle(text, "ccd", "22") == "visit=903986 ccd=16^22"
    assert toggle(text, "ccd", "16") == "visit=903986"
    assert toggle("ccd=16..18", "ccd", "17") == "ccd=16^18"
    assert toggle(toggle(text, STATUS, "done"), STATUS, "failed") == "visit=903986 ccd=16 | done^failed"
    assert toggle("| done", STATUS, "done") == ""
    assert release("filter=HSC-I ccd=16^22 | done fwhm_arcsec>1", "ccd") == "filter=HSC-I | done fwhm_arcsec>1"
    assert release("ccd=16 | done^failed fwhm_arcsec>1", STATUS) == "ccd=16 | fwhm_arcsec>1"
    assert constrain("ccd=3 | done", {"filter": "HSC-I"}) == "filter=HSC-I | done"
    found = {(f.key, f.value): f for f in facets("filter=HSC-I ccd=16", catalogue, rerun)}
    assert found["filter", "HSC-I"].on
    assert found["filter", "HSC-R"].count == 1
    assert found[STATUS, "caveat"].count == 1


def test_a_field_with_blanks_and_markup_is_completed_and_selected(repository: Path) -> None:
    add_frames(repository, [Frame(905000, 1, "HSC-G", "2014-01-01", field="[bold]M 31")])
    catalogue = load(repository)
    candidate = complete("field=[", 7, catalogue).candidates[0][0]
    assert names(catalogue, f"field={candidate}") == ["visit=905000 ccd=1"]


def test_a_live_run_is_followed_stage_by_stage(repository: Path, begin_run: Callable[..., object]) -> None:
    reader = RerunReader("first", repository / "rerun" / "first")
    before = reader.read()
    assert reader.read() is before
    run = begin_run([(903986, 22), (903986, 16)], os.getpid())
    view = reader.read()
    assert view.live_run is not None
    assert view.states["visit=903986 ccd=22"].status is Status.WAITING
    run.write(events.CcdStarted, ccd="visit=903986 ccd=22", data_id={}, worker=1)
    run.write(events.StageStarted, ccd="visit=903986 ccd=22", stage="wcs")
    assert reader.read().states["visit=903986 ccd=22"].status is Status.WCS
    run.write(events.MetricsMeasured, ccd="visit=903986 ccd=22", values={"fwhm_arcsec": 0.5})
    run.write(events.CcdFinished, ccd="visit=903986 ccd=22", data_id={}, status="done", seconds=2.0)
    run.write(events.RunFinished, run="x", exit_code=0)
    run.close()
    ended = reader.read()
    assert ended.live_run is None
    assert ended.last_run is not None
    assert ended.last_run.ccds["visit=903986 ccd=22"].metrics == {"fwhm_arcsec": 0.5}
    assert ended.states["visit=903986 ccd=16"].status is Status.DONE  # what the ledger says


def test_the_judgement_of_a_visit_shows_at_once_on_the_ccds_of_a_live_run(
    repository: Path, begin_run: Callable[..., object]
) -> None:
    run = begin_run([(903986, 22), (903986, 16)], os.getpid())
    for key, status in (("visit=903986 ccd=16", "done"), ("visit=903986 ccd=22", "done")):
        run.write(events.CcdFinished, ccd=key, data_id={}, status=status, seconds=2.0)
    reader = RerunReader("first", repository / "rerun" / "first")
    assert reader.read().states["visit=903986 ccd=22"].status is Status.DONE
    caveats = [{"code": "VISIT_WCS_OFF", "message": "It is off."}]
    run.write(events.CcdJudged, ccd="visit=903986 ccd=22", data_id={}, status="done-with-caveats", caveats=caveats)
    state = reader.read().states["visit=903986 ccd=22"]
    assert state.status is Status.CAVEAT
    assert state.caveats == (("VISIT_WCS_OFF", "It is off."),)
    run.write(events.StageStarted, ccd="visit=903986 ccd=16", stage="visit")
    assert reader.read().states["visit=903986 ccd=16"].status is Status.VISIT
    run.close()


def test_a_second_attempt_is_told_from_a_first(repository: Path, begin_run: Callable[..., object]) -> None:
    key = "visit=903986 ccd=22"
    run = begin_run([(903986, 22), (903986, 16)], os.getpid())
    reader = RerunReader("first", repository / "rerun" / "first")
    run.write(events.CcdStarted, ccd=key, data_id={}, worker=1)
    assert reader.read().states[key].word == "reading"
    run.write(events.StageStarted, ccd=key, stage="visit")
    view = reader.read()
    assert view.states[key].word == "waits for its visit"
    assert view.live_run is not None
    assert view.live_run.done == 0, "what waits is not over"
    run.write(events.CcdStarted, ccd=key, data_id={}, worker=1)
    run.write(events.StageStarted, ccd=key, stage="wcs")
    assert reader.read().states[key].word == "WCS, 2nd time"
    run.write(events.CcdFinished, ccd=key, data_id={}, status="done-with-caveats", seconds=9.0)
    view = reader.read()
    assert view.states[key].word == "done with caveats"
    assert view.live_run is not None
    assert view.live_run.done == 1, "two attempts are one CCD"
    run.close()


def test_a_killed_run_says_which_ccds_it_was_at(repository: Path, begin_run: Callable[..., object]) -> None:
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(pid, 0)
    run = begin_run([(903986, 22), (903986, 16), (903986, 23)], pid)
    run.write(events.CcdStarted, ccd="visit=903986 ccd=22", data_id={}, worker=1)
    run.write(events.StageStarted, ccd="visit=903986 ccd=22", stage="wcs")
    run.write(events.StageStarted, ccd="visit=903986 ccd=16", stage="visit")
    run.write(events.Heartbeat, time=time.time() - 2 * SILENT_S)
    run.close()
    died = first_rerun(repository).last_run
    assert died is not None
    assert died.died
    words = [(state.status, state.message) for state in died.ccds.values()]
    assert words == [
        (Status.INTERRUPTED, "the run was killed at: WCS"),
        (Status.INTERRUPTED, "the run was killed at: waits for its visit"),
        (Status.WAITING, ""),
    ]


def test_a_killed_run_of_this_host_is_called_dead_within_five_seconds() -> None:
    assert SILENT_S + LIVE_S < 5.0
    dead = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(dead, 0)
    assert life_of(platform.node(), dead, "", SILENT_S) == "dead"


def test_a_run_whose_process_is_gone_has_died(repository: Path, begin_run: Callable[..., object]) -> None:
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(pid, 0)
    run = begin_run([(903986, 22)], pid)
    run.write(events.Heartbeat, time=time.time() - 2 * SILENT_S)  # a fresh one would count for more than the process
    run.close()
    run = first_rerun(repository).last_run
    assert run is not None
    assert run.died


def test_the_command_line_names_the_marked_rows(repository: Path) -> None:
    from safelight_tui.catalogue import Bitset

    session = Session(repository)
    session.set_catalogue(load(repository))
    session.set_feed(FeedSnapshot({"first": first_rerun(repository)}))
    session.set_filter("filter=HSC-I ccd=16")
    assert session.command_line().endswith("--rerun first --id filter=HSC-I ccd=16")
    row = session.catalogue.row_of({"visit": 903988, "ccd": 16})
    assert row is not None
    session.marked = Bitset.from_rows([row], session.catalogue.size)
    assert session.command_line().endswith("--id visit=903988 ccd=16")


def test_what_is_remembered_comes_back_and_a_damaged_file_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "state" / "application.json"
    state = Remembered()
    state.opened(Path("DATA"))
    state.of(Path("DATA")).filter = "ccd=16"
    state.add_to_history(Path("DATA"), "ccd=16")
    save_state(path, state)
    assert load_state(path) == state
    path.write_text('{"recent": 3')
    assert load_state(path) == Remembered()
