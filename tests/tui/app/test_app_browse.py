"""Browse, driven by keys, judged by what can be read on the screen."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.gen2 import Frame, add_frames
from textual import events as textual_events

from safelight.processccd import events


async def test_the_first_screen_is_browse_with_the_cursor_on_the_newest_visit(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.shows("1Browse", "DATA", "20 of 20", ">904014   1 HSC-I")
        assert "> STRIPE82L" in screen.picture
        assert "calibrations" in screen.picture
        assert "*first" in screen.picture
        assert screen.app.screen.focused.id == "data-ids"


async def test_typing_a_filter_leaves_its_rows_in_table_and_tree(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type_keys("filter=HSC-I ccd=16")
        await screen.shows("2 of 20", "2/20")
        assert "903334" not in screen.picture
        await screen.press("enter")
        assert screen.app.screen.focused.id == "data-ids"
        assert screen.app.session.filter.id_text == "filter=HSC-I ccd=16"
        await screen.press("slash")
        await screen.type("ccd=22")  # what stood there was selected, so typing replaces it
        assert screen.app.session.filter.text == "ccd=22"


async def test_an_invalid_text_says_why_and_keeps_the_last_valid_rows_greyed(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type("ccd=16")
        await screen.type_keys(" ccd=17")
        await screen.shows("ccd= stands twice. Join the values with ^: ccd=16^17.", "invalid")
        table = screen.app.screen.table
        assert table.has_class("-stale")
        assert len(table.model) == 3
        highlighted = screen.app.screen.bar.input._value
        assert any("underline" in str(span.style) and (span.start, span.end) == (7, 13) for span in highlighted.spans)
        await screen.press("enter")  # an invalid text cannot be kept
        assert screen.app.screen.bar.is_open
        await screen.press("ctrl+g")
        await screen.shows("20 of 20")
        assert not table.has_class("-stale")
        assert "stands twice" not in screen.picture


async def test_a_selection_of_nothing_is_explained(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type("filter=HSC-R ccd=1")
        await screen.shows("0 of 20", "no raw frame has both")


async def test_tab_completes_and_the_arrows_recall(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type("fil")
        await screen.press("tab")
        assert screen.app.screen.bar.text == "filter="
        await screen.shows("HSC-I 11", "HSC-R 9")
        await screen.press("tab", "tab")
        assert screen.app.screen.bar.text == "filter=HSC-R"
        await screen.press("enter", "slash", "backspace")
        await screen.press("up")
        assert screen.app.screen.bar.text == "filter=HSC-R"


async def test_pasted_newlines_and_escapes_become_text_and_run_nothing(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        bar = screen.app.screen.bar
        bar.input.post_message(textual_events.Paste("filter=HSC-I\x1b[2J\nccd=16\r\nq\n!\x1b]52;c;eA==\x07\n"))
        await screen.settle(lambda: bar.text != "")
        assert bar.text == "filter=HSC-I ccd=16 q !"
        assert bar.is_open
        assert len(screen.app.screen_stack) == 1
        assert screen.app.is_running


async def test_words_after_the_bar_narrow_the_view_only(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type("filter=HSC-I | failed")
        await screen.shows("1 in 11 of 20", "FAILED NO_FLAT")
        assert screen.app.session.filter.id_text == "filter=HSC-I"
        assert screen.app.session.chosen_id_text() == "visit=903986 ccd=100"  # exactly what is in view


async def test_facets_toggle_into_the_expression(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("t")
        await screen.shows("[ ] HSC-I", "STRIPE82L", "status")
        await screen.press("space")
        await screen.shows("[x] HSC-I", "/ filter=HSC-I", "A all of a facet")
        await screen.press("A")
        await screen.shows("[ ] HSC-I", "/ everything")
        await screen.press("space", "q")
        await screen.shows("11 of 20")
        assert screen.app.session.filter.text == "filter=HSC-I"


async def test_the_tree_opens_branch_by_branch_and_enter_selects_one(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("shift+tab")
        assert screen.app.screen.focused.id == "tree"
        await screen.press("j", "l", "j", "l", "j", "l")
        await screen.shows("v STRIPE82L", "v 2013-06-17", "v HSC-R", "> 903334")
        await screen.press("enter")
        await screen.shows("9 of 20")
        assert screen.app.session.filter.text == "field=STRIPE82L dateObs=2013-06-17 filter=HSC-R"


async def test_calibrations_and_reruns_stand_in_the_tree_with_validity_and_parents(
    opened: Any, repository: Path
) -> None:
    async with opened(repository) as screen:
        await screen.press("shift+tab", "j", "j", "l", "j", "l", "j")
        await screen.shows("13-05-07..14-05-02 2")  # in the tree, where there is room
        await screen.shows("2013-11-03", "bias     2013-11-03 valid 2013-05-07..2014-05-02, 2 CCDs")
        await screen.press("G", "l")
        await screen.shows("from the raw frames", "D1 V1 F1")


async def test_the_tree_of_directories_marks_unknown_files(opened: Any, repository: Path) -> None:
    folder = repository / "STRIPE82L" / "2013-11-02" / "00533" / "HSC-I"
    folder.mkdir(parents=True)
    (folder / "HSC-0903986-016.fits").write_bytes(b"")
    (folder / "stray.fits").write_bytes(b"x" * 2000)
    async with opened(repository) as screen:
        await screen.press("T", "shift+tab")
        await screen.shows("v DATA/", "> STRIPE82L/")
        screen.app.screen.tree_pane.move_to(4 if "> .safelight/" in screen.picture else 2)
        while "stray" not in screen.picture:
            await screen.press("l", "j")
        assert "? stray.fits" in screen.picture
        assert "? HSC-0903986" not in screen.picture
        await screen.press("T")
        await screen.shows("ref. catalogues")


async def test_details_tell_header_inputs_calibrations_and_history(opened: Any, repository: Path) -> None:
    from astropy.io import fits

    from safelight.butler.butler import Butler

    path = Butler(repository).path_for("raw", {"visit": 903986, "ccd": 16})
    path.parent.mkdir(parents=True)
    card = fits.Header([("OBJECT", "[bold]M 31[/bold]"), ("EXPTIME", 30.0)])
    fits.PrimaryHDU(header=card).writeto(path)
    async with opened(repository) as screen:
        await screen.enter("visit=903986 ccd=16", at="slash")
        await screen.shows("OBJECT   [bold]M 31[/bold]")
        await screen.press("tab", "l")
        await screen.shows("HSC-0903986-016.fits", "reference")
        await screen.press("l")
        await screen.shows("there is no such file", "dark")
        await screen.press("l")
        await screen.shows("rerun/first  done", "fwhm_arcsec 0.71")


async def test_enter_on_a_failure_says_why(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("g", "]")
        assert screen.app.session.cursor_row is not None
        await screen.press("slash")
        await screen.type("| failed")
        await screen.press("enter", "enter")
        await screen.shows("FAILED NO_FLAT", "in isr: No flat HSC-I.", "hint  Build one.", "the end of its log")


async def test_frames_and_runs_that_appear_are_shown_without_a_key(
    opened: Any, repository: Path, begin_run: Callable[..., Any]
) -> None:
    async with opened(repository) as screen:
        await screen.shows("20 of 20")
        add_frames(repository, [Frame(904020, 3, "HSC-Z", "2013-11-03")])
        await screen.shows("21 of 21", "904020")
        run = begin_run([(904014, 1), (904014, 6)], os.getpid())
        await screen.shows("run 0/2", "waiting")
        run.write(events.CcdStarted, ccd="visit=904014 ccd=1", data_id={}, worker=1)
        run.write(events.StageStarted, ccd="visit=904014 ccd=1", stage="zeropoint")
        await screen.shows("zeropoint")
        failure = {"step": "wcs", "code": "NO_MATCH", "message": "No match.", "hint": ""}
        run.write(events.CcdFinished, ccd="visit=904014 ccd=1", data_id={}, status="failed", failure=failure)
        await screen.shows("run 1/2 1F", "FAILED NO_MATCH")
        run.write(events.RunFinished, run="x", exit_code=1)
        await screen.settle(lambda: "run 1/2" not in screen.picture)
        run.close()


async def test_sorting_by_status_puts_problems_first(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        screen.app.screen.table.sort_by("rerun/first")
        await screen.settle(
            lambda: screen.app.session.state(int(screen.app.session.selection.window(0, 1)[0])) is not None
        )
        states = [screen.app.session.state(int(row)) for row in screen.app.session.selection.window(0, 3)]
        assert [state.status.letter for state in states] == ["F", "V", "D"]


async def test_screen_filter_and_cursor_come_back_at_the_next_start(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type("filter=HSC-I")
        await screen.press("enter", "g", "j")
        await screen.shows(">903986  22")
    async with opened(repository) as screen:
        await screen.shows("11 of 20", ">903986  22")


async def test_q_at_browse_quits_with_zero(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.pilot.press("2")
        await screen.settle(lambda: screen.app.current_mode == "plan")
        await screen.pilot.press("q")
        await screen.settle(lambda: screen.app.current_mode == "browse")
        await screen.pilot.press("q")
        await screen.pilot.pause()
        assert not screen.app.is_running or screen.app._exit
        assert screen.app.return_code in (0, None)


async def test_below_80x24_the_screen_says_what_it_needs(opened: Any, repository: Path) -> None:
    async with opened(repository, size=(79, 23)) as screen:
        assert screen.picture.strip() == "This needs 80x24 characters."


async def test_80x24_has_the_header_in_row_1_and_the_keys_in_row_24(opened: Any, repository: Path) -> None:
    async with opened(repository, size=(80, 24)) as screen:
        lines = screen.picture.split("\n")
        assert lines[0].startswith("1Browse 2Plan 3Run 4Logs 5Image 6Triage")
        assert lines[23].endswith("?help")
        assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("kind", ["empty", "lost"])
async def test_an_empty_repository_and_a_lost_registry_are_told_in_a_sentence(
    opened: Any, repository: Path, kind: str
) -> None:
    if kind == "empty":
        connection = sqlite3.connect(repository / "registry.sqlite3")
        with connection:
            connection.execute("DELETE FROM raw")
        connection.close()
        async with opened(repository) as screen:
            await screen.shows("no raw frame yet")
        return
    async with opened(repository) as screen:
        (repository / "registry.sqlite3").unlink()
        await screen.settle(lambda: bool(screen.app.session.feed.trouble))
        assert "registry.sqlite3" in screen.app.session.feed.trouble
        await screen.press("j", "slash", "x")  # it goes on with what is in memory
        assert "20 of 20" in screen.picture or "invalid" in screen.picture


async def test_a_directory_that_is_no_repository_leads_to_the_start_screen(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    async with opened(None) as screen:
        screen.app.open(tmp_path / "nothing")
        await screen.shows("choose a repository", "NOT_A_REPOSITORY")


async def test_the_start_screen_offers_recent_repositories_and_directories(
    opened: Any, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(repository):
        pass
    monkeypatch.chdir(repository.parent)
    async with opened(None) as screen:
        await screen.shows("DATA", "1 rerun", "the demo", "repository")
        await screen.press("enter")
        await screen.shows("20 of 20")


async def test_malformed_data_is_shown_as_it_is(opened: Any, repository: Path) -> None:
    add_frames(repository, [Frame(905000, 1, "\x1b[31mZ", "2014-01-01", field="[bold]x")])
    async with opened(repository) as screen:
        await screen.shows("[bold]x", "Z")
        assert "\x1b" not in screen.picture


async def test_an_action_that_is_not_available_says_why(opened: Any, repository: Path) -> None:
    async with opened(repository, read_only=True) as screen:
        await screen.press("x")
        await screen.shows("the application was started with --read-only")


async def test_the_command_line_runs_actions_and_names_the_nearest(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.enter("theme safelight", at="colon")
        assert screen.app.theme == "safelight"
        await screen.enter("facts", at="colon")
        await screen.shows("There is no action 'facts'. Did you mean facets?")


async def test_help_is_about_the_pane_in_focus(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("question_mark")
        await screen.shows("Browse: choose the frames", "Moving")
        await screen.press("q")
        await screen.shows("20 of 20")


async def test_every_action_of_browse_can_be_done_where_its_key_works(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        browse = screen.app.screen
        panes = {"browse table": browse.table, "browse tree": browse.tree_pane, "browse detail": browse.detail.text}
        for focus, pane in panes.items():
            chain = [*pane.ancestors_with_self]
            for action in screen.app.actions.active(focus):
                if action.needs == ("search",):  # only panes that are searched
                    continue
                doers = [node for node in chain if hasattr(node, f"action_{action.name}")]
                assert doers, f"{action.name} in {focus}"
                keys = [key for node in chain for key, found in node._bindings.key_to_bindings.items() if
                        any(binding.id == action.name for binding in found)]  # fmt: skip
                assert len(keys) >= len(action.keys), f"the keys of {action.name} in {focus}"


async def test_the_palette_does_an_action(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("ctrl+p")
        await screen.pilot.press(*"facets")
        await screen.shows("Choose filters, fields, nights")
        await screen.pilot.press("enter")
        await screen.shows("[ ] HSC-I")


async def test_copied_text_is_a_valid_expression_for_the_marked_rows(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:
        await screen.press("g", "space", "space", "y")
        await screen.shows("visit=903334 ccd=16^22")


async def test_the_event_loop_opens_no_file_of_the_repository(
    opened: Any, repository: Path, watch_loop: list[Any]
) -> None:
    async with opened(repository) as screen:
        await screen.press("j", "k", "slash")
        await screen.type("filter=HSC-I | failed")
        keys = "enter enter l l l T shift+tab shift+tab l j l T t space q s A y Y"
        await screen.press(*keys.split())
        assert watch_loop == []
