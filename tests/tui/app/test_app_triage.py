"""Triage, driven by keys: metrics, words, marks of two observers, comparison, files."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table

from safelight.butler.butler import Butler
from safelight.butler.datasets import CcdRecord, DatasetLedger
from safelight.commands.processccd import main as processccd
from safelight.processccd.marks import MarkJournal

CCD_16 = {"visit": 903986, "ccd": 16}


def marks_of(repository: Path) -> MarkJournal:
    return MarkJournal(repository / "rerun" / "first")


async def test_metrics_states_and_details_are_shown(opened: Any, repository: Path) -> None:
    async with opened(repository, at="6") as screen:
        await screen.shows("3 of 3 CCDs  first", ">903986   16 HSC-I", "27.100", "NO_FLAT", "FEW_STARS")
        assert "D" in next(line for line in screen.picture.splitlines() if ">903986   16" in line)
        await screen.press("j")
        await screen.shows("No flat HSC-I.")


async def test_words_narrow_and_wrong_words_say_so(opened: Any, repository: Path) -> None:
    async with opened(repository, at="6") as screen:
        await screen.shows("3 of 3")
        await screen.press("slash")
        await screen.type("fwhm_arcsec>0.9")
        await screen.shows("1 of 3", ">903988   16")
        await screen.press("enter", "slash", "ctrl+u")
        await screen.type("fhwm>1")
        await screen.shows("There is no metric 'fhwm'")
        await screen.press("ctrl+g")
        await screen.shows("1 of 3")
        await screen.press("slash", "ctrl+u", "enter", "g", "n")
        await screen.shows("3 of 3", ">903988   16")  # the words that were kept last
        await screen.press("N")
        await screen.shows("From the end again.")


async def test_a_mark_is_written_seen_and_taken_back(opened: Any, repository: Path) -> None:
    async with opened(repository, at="6") as screen:
        await screen.shows("3 of 3")
        await screen.press("minus")
        await screen.shows("1 CCD marked bad")
        marks = marks_of(repository).read().of(CCD_16)
        assert marks is not None
        assert marks.verdict == "bad"
        await screen.settle(lambda: "D -" in screen.picture)
        await screen.enter("satellite [bold]trail", at="semicolon")
        await screen.shows("satellite [bold]trail")
        await screen.press("u")
        await screen.shows("Taken back on 1 CCD")
        await screen.press("u")
        await screen.settle(lambda: marks_of(repository).read().of(CCD_16) is None)
        await screen.settle(lambda: "marked_by_me" not in screen.app.holding())
        await screen.press("u")
        await screen.shows("there is no mark of yours to undo")


async def test_marks_of_another_observer_appear_and_both_are_kept(opened: Any, repository: Path) -> None:
    other = MarkJournal(repository / "rerun" / "first", "someone-else")
    async with opened(repository, at="6") as screen:
        await screen.shows("3 of 3")
        other.mark([CCD_16], "good")
        await screen.press("minus")
        await screen.shows("disputed by")
        book = marks_of(repository).read()
        assert {one.verdict for one in book.of(CCD_16).opinions} == {"good", "bad"}  # type: ignore[union-attr]
        other.mark([{"visit": 903988, "ccd": 16}], "look")
        await screen.settle(lambda: "V =" in screen.picture, seconds=12)  # without a key being pressed


async def test_nothing_is_marked_when_read_only(opened: Any, repository: Path) -> None:
    async with opened(repository, read_only=True, at="6") as screen:
        await screen.shows("3 of 3")
        await screen.press("minus")
        await screen.shows("--read-only")
        assert not marks_of(repository).folder.exists()


async def test_visits_sorting_and_plots_over_the_night(opened: Any, repository: Path) -> None:
    async with opened(repository, at="6") as screen:
        await screen.shows("3 of 3")
        await screen.press("t")
        await screen.shows("2 of 2 visits", "2 1F")
        await screen.press("t", "m", "m", "m")
        await screen.shows("seeing", "visits 903986 to 903988")
        table = screen.app.screen.table
        table.sort_by("fwhm_arcsec", reverse=True)
        await screen.settle(lambda: table.model.window(0, 1)[0][0].text == "903988")
        await screen.press("right_square_bracket")
        assert table.cursor >= 1


async def test_the_plot_says_why_there_is_none(opened: Any, repository: Path) -> None:
    async with opened(repository, at="6") as screen:
        await screen.shows("There is no srcMatchFull")
        await screen.press("j")
        await screen.shows("No flat HSC-I.")


async def test_rows_in_view_are_written_to_a_file_never_over_another(
    opened: Any, repository: Path, tmp_path: Path
) -> None:
    async with opened(repository, at="6") as screen:
        await screen.shows("3 of 3")
        for name in ("rows.csv", "rows.ecsv", "ids.txt", "night.md"):
            await screen.press("w", "ctrl+u")
            await screen.type(str(tmp_path / name))
            await screen.press("enter")
            await screen.settle((tmp_path / name).exists)
        assert (tmp_path / "ids.txt").read_text().startswith("--id visit=903986 ccd=16")
        assert (tmp_path / "night.md").read_text().startswith("# Rerun first")
        assert len((tmp_path / "rows.csv").read_text().splitlines()) == 4
        await screen.press("w", "ctrl+u")
        await screen.type(str(tmp_path / "rows.csv"))
        await screen.press("enter")
        await screen.shows("FILE_EXISTS")


async def test_what_is_exported_selects_the_same_ccds_on_the_command_line(
    opened: Any, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(repository, at="6") as screen:
        await screen.shows("3 of 3")
        await screen.press("minus", "slash")
        await screen.type("!caveats")
        await screen.shows("2 of 3")
        await screen.press("enter")
        for name in ("ids.txt", "rows.ecsv"):
            await screen.press("w", "ctrl+u")
            await screen.type(str(tmp_path / name))
            await screen.press("enter")
            await screen.settle((tmp_path / name).exists)
    table = Table.read(tmp_path / "rows.ecsv", format="ascii.ecsv")
    for row in table:  # raw files are looked for, though not into
        keys = ("field", "dateObs", "pointing", "filter", "visit", "ccd")
        path = Butler(repository).path_for("raw", {key: row[key] for key in keys})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    words = shlex.split((tmp_path / "ids.txt").read_text())
    capsys.readouterr()
    assert processccd([str(repository), "--rerun", "other", *words, "--show", "data"]) == 0
    told = [ast.literal_eval(line.partition(" = ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert sorted((one["visit"], one["ccd"]) for one in told) == [(903986, 16), (903986, 100)]
    assert sorted(zip(table["visit"].tolist(), table["ccd"].tolist(), strict=True)) == [(903986, 16), (903986, 100)]
    assert dict(zip(table["ccd"].tolist(), table["verdict"].tolist(), strict=True))[16] == "bad"
    assert str(table["fwhm_arcsec"].unit) == "arcsec"
    assert table["fwhm_arcsec"][table["ccd"] == 16].tolist() == [0.71]
    assert table["fwhm_arcsec"].mask.tolist() == [ccd == 100 for ccd in table["ccd"]]


def test_two_applications_that_mark_at_once_keep_and_show_both_marks(
    start_terminal: Any, repository: Path, tmp_path: Path
) -> None:
    def begin(user: str) -> Any:
        source = f"""
import os
os.environ["LOGNAME"] = {user!r}
from pathlib import Path
from safelight_tui.app import SafelightApp
from safelight_tui.terminal.driver import DeltaDriver
SafelightApp(Path({str(repository)!r}), state_file=Path({str(tmp_path / user)!r}), driver_class=DeltaDriver).run()
"""
        return start_terminal(source, columns=110, rows=30)

    both = [begin("anna"), begin("ben")]
    for one in both:
        one.wait_for_text("Browse", 60)
        one.send(b"6")
        one.wait_for_text("3 of 3 CCDs", 60)
    for one, key in zip(both, (b"-", b"+"), strict=True):  # neither has seen the other's
        one.send(key)
    for one in both:
        one.wait_for_text("disputed by", 60)
    both[1].send(b"u")  # ben takes his back: anna's holds, for both
    for one in both:
        one.wait_for_text("bad by anna", 60)
    marks = marks_of(repository).read()
    assert [(entry.user, entry.kind) for entry in marks.entries if entry.kind == "verdict"] in (
        [("anna", "verdict"), ("ben", "verdict")],
        [("ben", "verdict"), ("anna", "verdict")],
    )
    assert marks.of(CCD_16).users == ("anna",)  # type: ignore[union-attr]
    for one in both:
        one.send(b"q")
        one.wait_for_text("visit", 30)
        one.send(b"q")
        assert one.status(30) == 0


async def test_two_reruns_are_compared_ccd_by_ccd(opened: Any, repository: Path) -> None:
    output = Butler(repository, rerun="second").create_output()
    ledger = DatasetLedger(output)
    data_id = {**CCD_16, "filter": "HSC-I"}
    ledger.record_ccd(CcdRecord(data_id, "done", metrics={"fwhm_arcsec": 0.91, "zeropoint_mag": 27.0}))
    ledger.close()
    async with opened(repository) as screen:
        await screen.settle(lambda: len(screen.app.session.feed.reruns) == 2)
        screen.app.session.choose_rerun("first")
        await screen.press("6")
        await screen.shows("3 of 3 CCDs  first")
        await screen.press("d")
        await screen.shows("second minus first: 1 CCDs in both, 2 only in the first", "+0.20", "-0.100", "D>D", "F>-")
        await screen.press("slash")
        await screen.type("fwhm_arcsec>0.1")
        await screen.shows("1 of 3 CCDs", "D>D")
        await screen.press("ctrl+u")
        await screen.type("failed")
        await screen.shows("1 of 3 CCDs", "F>-")
        await screen.press("ctrl+u")
        await screen.type("fhwm>1")
        await screen.shows("There is no metric 'fhwm'", "F>-")
        await screen.press("ctrl+u")
        await screen.type("failed")
        await screen.press("enter", "slash", "ctrl+u", "enter", "g", "n")
        await screen.shows("3 of 3 CCDs", "F>-")
        assert "F>-" in next(line for line in screen.picture.splitlines() if line.lstrip().startswith(">"))
        await screen.press("q")
        await screen.shows("3 of 3 CCDs")


async def test_plan_takes_the_chosen_ccds_and_ids_are_copied(opened: Any, repository: Path) -> None:
    async with opened(repository, at="6") as screen:
        await screen.shows("3 of 3")
        copied: list[str] = []
        screen.app.controller.copy = lambda text, what="": copied.append(text)
        await screen.press("j", "space", "y", "Y")
        assert copied[0] == "--id visit=903986 ccd=100"
        assert copied[1].startswith("safelight export ")
        await screen.press("p")
        session = screen.app.session
        assert [session.catalogue.name(row) for row in session.chosen_rows()] == ["visit=903986 ccd=100"]


async def test_a_rerun_without_a_readable_ledger_gives_a_sentence(opened: Any, repository: Path) -> None:
    (repository / "rerun" / "first" / ".safelight" / "datasets.sqlite3").write_bytes(b"no database" * 100)
    async with opened(repository, at="6") as screen:
        await screen.settle()
        assert "Traceback" not in screen.picture
