"""What an observer needs at 3 a.m.: alarms, bells, the title, following, a disk that hangs, the state of last night."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.gen2 import Frame, add_frames

from safelight.processccd import events
from safelight.processccd.alarms import parse_alarms
from safelight.settings import Settings, read_settings
from safelight_tui.runs.alarms import AlarmWatch
from safelight_tui.runs.bells import Bells
from safelight_tui.screens.paging import pager
from safelight_tui.session.mount import MountWatch
from safelight_tui.session.reruns import CcdState, FeedSnapshot, RerunView, RunView
from safelight_tui.widgets.status import Status

VISITS = (903334, 903336, 903344, 903986)


def finish(journal: Any, visit: int, ccd: int, **metrics: float) -> None:
    key, data_id = f"visit={visit} ccd={ccd}", {"visit": visit, "ccd": ccd, "filter": "HSC-I"}
    journal.write(events.CcdStarted, ccd=key, data_id=data_id, worker=1)
    journal.write(events.MetricsMeasured, ccd=key, values=metrics)
    journal.write(events.CcdFinished, ccd=key, data_id=data_id, status="done", seconds=6.1)


def listen(app: Any) -> list[str]:
    """Bells and titles of an application, in their order."""
    told: list[str] = []
    app.bell = lambda: told.append("BELL")
    app._driver.set_title = told.append
    return told


# --- alarms without a screen ------------------------------------------------------------------------------------------


def state(visit: int, ccd: int, **metrics: float) -> CcdState:
    return CcdState(Status.DONE, {"visit": visit, "ccd": ccd, "filter": "R", "dateObs": "N"}, metrics=metrics)


def feed(*states: CcdState, **run: Any) -> FeedSnapshot:
    ccds = {f"visit={one.data_id['visit']} ccd={one.data_id['ccd']}": one for one in states}
    fields = {"started": time.time() + 60.0, "alive": True, **run}
    view = RunView("first", "RUN", Path("J"), ccds=ccds, **fields)
    return FeedSnapshot({"first": RerunView("first", Path("r"), states=ccds, runs=(view,))})


def test_an_alarm_rings_once_a_visit_and_metric_and_never_for_what_was_there_before() -> None:
    watch = AlarmWatch(parse_alarms(["fwhm_arcsec>1.2", "sky_level_e>5000"]))
    old = [state(1, ccd, fwhm_arcsec=2.0) for ccd in range(3)]
    assert watch.notice(feed(*old)) == []
    new = [state(2, ccd, fwhm_arcsec=1.42) for ccd in range(112)]
    (ring,) = watch.notice(feed(*old, *new))
    assert ring.text == "first: visit=2 ccd=0: fwhm_arcsec 1.42 arcsec is above 1.2"
    assert ring.alarm
    assert watch.notice(feed(*old, *new, state(2, 112, fwhm_arcsec=3.0))) == []
    third = state(3, 0, fwhm_arcsec=1.3, sky_level_e=9000.0)
    assert len(watch.notice(feed(*old, *new, third))) == 2
    assert watch.notice(feed(*old, *new, third, alive=False, exit_code=0)) == []


def test_an_old_journal_that_is_read_late_rings_nothing_and_a_short_new_run_rings() -> None:
    watch, bells = AlarmWatch(parse_alarms(["fwhm_arcsec>1.2"])), Bells()
    for one in (watch, bells):
        assert one.notice(FeedSnapshot()) == []
    bad = state(1, 1, fwhm_arcsec=2.0)
    over = {"alive": False, "exit_code": 0}
    assert watch.notice(feed(bad, started=1000.0, **over)) == bells.notice(feed(bad, started=1000.0, **over)) == []
    watch, bells = AlarmWatch(watch.alarms), Bells()
    for one in (watch, bells):
        one.notice(FeedSnapshot())
    assert [ring.alarm for ring in watch.notice(feed(bad, **over))] == [True]
    assert ["run ended, 1/1 done" in ring.text for ring in bells.notice(feed(bad, **over))] == [True]
    assert bells.last_ended == "ended 1/1"


def test_clouds_ring_by_the_drop_of_the_zeropoint_below_the_other_visits() -> None:
    clock = iter(float(10 * second) for second in range(100))
    watch = AlarmWatch(parse_alarms(["zeropoint_mag<median-0.3"]), lambda: next(clock))
    seen = [state(visit, 1, zeropoint_mag=27.1 + 0.01 * visit) for visit in range(2)]
    watch.notice(feed(*seen))
    seen.append(state(2, 1, zeropoint_mag=26.0))
    assert watch.notice(feed(*seen)) == []  # two visits are not enough to say what is usual
    seen[-1] = replace(seen[-1], metrics={"zeropoint_mag": 27.1})
    seen.append(state(3, 1, zeropoint_mag=26.5))
    (ring,) = watch.notice(feed(*seen))
    assert ring.text == "first: visit=3 ccd=1: zeropoint_mag 26.500 mag is below 26.800 (usual 27.100-0.3)"
    other = replace(seen[-1], data_id={**seen[-1].data_id, "filter": "I", "visit": 4})
    assert watch.notice(feed(*seen, other)) == []  # nothing is usual in the other filter


# --- on the screen ----------------------------------------------------------------------------------------------------


async def test_an_alarm_of_a_run_started_elsewhere_rings_and_is_shown_by_letter_in_run_and_triage(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    settings = Settings(alarms=("fwhm_arcsec>1.1",))
    journal = begin([(903986, 16), (903986, 22), (903986, 100)], process.pid)
    async with opened(repository, settings=settings) as screen:
        told = listen(screen.app)
        await screen.press("3")
        finish(journal, 903986, 16, fwhm_arcsec=1.4, zeropoint_mag=27.0)
        finish(journal, 903986, 22, fwhm_arcsec=1.5)
        sentence = "first: visit=903986 ccd=16: fwhm_arcsec 1.40 arcsec is above 1.1"
        await screen.settle(lambda: "BELL" in told)
        await screen.shows("A1.4", "A done", "fwhm_arcsec 1.40 arcsec is above 1.1")
        await screen.settle(lambda: told[-1] == "2/3 1A DATA")
        assert told.count("BELL") == 1
        assert [notice.ring.text for notice in screen.app.night.notices] == [sentence]
        await screen.press("W")
        await screen.shows("What has rung", f"A {sentence}")
        await screen.press("q", "6")
        await screen.shows("A1.20", "A fwhm_arcsec>1.1 FEW")  # of the ledger
        await screen.enter("alarm", at="slash")
        await screen.shows("1 of 3 CCDs")


async def test_the_alarm_command_sets_keeps_and_takes_away_alarms(
    opened: Any, repository: Path, tmp_path: Path
) -> None:
    path = tmp_path / "config" / "settings.toml"
    async with opened(repository, settings=read_settings(path)) as screen:
        for text, says in (
            ("alarm", "No alarms. For instance"),
            ("alarm fwhm>1", "Did you mean fwhm_arcsec?"),
            ("alarm fwhm_arcsec>1.1 zeropoint_mag<median-0.3", "Alarms: fwhm_arcsec>1.1"),
        ):
            await screen.enter(text, at="colon")
            await screen.shows(says)
        assert read_settings(path).alarms == ("fwhm_arcsec>1.1", "zeropoint_mag<median-0.3")
        await screen.press("6")
        await screen.shows("A1.20")
        await screen.enter("alarm off", at="colon")
        await screen.settle(lambda: "A1.20" not in screen.picture)
        assert read_settings(path).alarms == ()
        assert "# bell = true" in path.read_text()


async def test_bell_and_title_can_be_switched_off(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    settings = Settings(alarms=("fwhm_arcsec>1.1",), bell=False, title=False)
    journal = begin([(903986, 16)], process.pid)
    async with opened(repository, settings=settings) as screen:
        told = listen(screen.app)
        finish(journal, 903986, 16, fwhm_arcsec=1.4)
        await screen.settle(lambda: len(screen.app.night.notices) == 1)
        assert told == []


async def test_the_title_tells_of_several_runs_and_keeps_how_the_last_one_ended(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    first = begin([(903986, 16), (903986, 22)], process.pid)
    second = begin([(904014, 1)], process.pid, run="20260102T000000.000Z-2")
    async with opened(repository) as screen:
        told = listen(screen.app)
        finish(first, 903986, 16)
        await screen.settle(lambda: bool(told) and told[-1] == "2 runs 1/3 DATA")
        second.write(events.RunFinished, run="2", exit_code=1, counts={"failed": 1}, seconds=1.0)
        await screen.settle(lambda: told[-1] == "1/2 DATA")
        finish(first, 903986, 22)
        first.write(events.RunFinished, run="1", exit_code=0, counts={"done": 2}, seconds=1.0)
        await screen.settle(lambda: told[-1] == "ended 2/2 DATA")
        assert told.count("BELL") == 2


# --- following --------------------------------------------------------------------------------------------------------


async def test_browse_follows_the_newest_visit_until_the_observer_moves(opened: Any, repository: Path) -> None:
    async with opened(repository) as screen:

        def under() -> tuple[int, int]:
            session = screen.app.session
            return tuple(session.catalogue.value(session.cursor_row, key) for key in ("visit", "ccd"))

        await screen.press("j", "f")
        await screen.shows("Following the newest visit.")
        assert under() == (904014, 6)
        add_frames(repository, [Frame(904016, ccd, "HSC-I", "2013-11-02") for ccd in (1, 6)])
        await screen.settle(lambda: under() == (904016, 6))  # the CCD that was looked at, in the newest visit
        assert "> 904016   6" in screen.picture or ">904016   6" in screen.picture
        await screen.press("k")
        await screen.shows("Following is paused: you moved")
        here = under()
        add_frames(repository, [Frame(904018, 6, "HSC-I", "2013-11-02")])
        await screen.settle(lambda: screen.app.session.catalogue.size == 23)
        assert under() == here
        await screen.press("f")
        await screen.settle(lambda: under() == (904018, 6))


async def test_image_and_triage_follow_too(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    async with opened(repository, settings=Settings(follow=True), at="5") as screen:
        add_frames(repository, [Frame(904016, 1, "HSC-I", "2013-11-02")])
        await screen.settle(lambda: "904016" in screen.picture)
        await screen.press("less_than_sign")
        await screen.shows("Following is paused: you moved")
        await screen.press("f", "6")
        await screen.settle(lambda: screen.app.screen.current is not None)
        assert screen.app.screen.current["visit"] == 903988  # the newest that has results
        await screen.press("k")
        await screen.shows("Following is paused")


async def test_run_says_that_moving_has_ended_its_following(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    begin([(903986, 16), (903986, 22)], process.pid)
    async with opened(repository) as screen:
        await screen.press("3", "right_parenthesis", "tab", "tab", "j")
        await screen.shows("Following is paused: you moved")


# --- a disk that hangs ------------------------------------------------------------------------------------------------


def test_the_watch_on_a_mount_tells_since_when_it_waits_and_recovers(tmp_path: Path) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang(path: Path) -> None:
        asked.set()
        go_on.wait(30)

    watch = MountWatch(tmp_path, hang)
    assert watch.silent_s == 0.0
    watch.start()
    assert asked.wait(30)
    first = watch.silent_s
    assert watch.silent_s >= first >= 0.0
    assert watch.is_alive()
    watch.stop()
    go_on.set()
    watch.join(30)
    assert not watch.is_alive()
    assert watch.silent_s == 0.0


async def test_a_disk_that_hangs_is_told_in_the_header_while_keys_are_answered(
    opened: Any, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, real = threading.Event(), os.statvfs
    hanging = threading.Event()

    def statvfs(path: Any) -> Any:
        if hanging.is_set() and Path(path) == repository:
            go_on.wait(60)
        return real(path)

    monkeypatch.setattr(MountWatch.__init__, "__defaults__", (statvfs,))
    try:
        async with opened(repository, settings=Settings(mount_s=0.5)) as screen:
            assert "mount" not in screen.picture
            hanging.set()
            await screen.settle(lambda: " mount " in screen.picture.splitlines()[0])
            await screen.press("g", "j")
            await screen.press("6")
            await screen.shows("6Triage", "mount")
            go_on.set()
            await screen.settle(lambda: " mount " not in screen.picture.splitlines()[0])
    finally:
        go_on.set()


async def test_a_journal_without_news_and_a_feed_that_stands_are_told_in_the_header(
    opened: Any, repository: Path, begin: Callable[..., Any], process: Any
) -> None:
    begin([(903986, 16)], process.pid)
    async with opened(repository, size=(80, 24)) as screen:
        await screen.settle(lambda: bool(screen.app.session.feed.live_runs))
        header = screen.app.screen.query_one("HeaderLine")
        later = time.time() + 14.0
        header._clock = lambda: later
        header.refresh()
        await screen.shows(" journal 1", "s? run 0/1")
        much_later = time.time() + 90.0
        header._clock = lambda: much_later
        header.refresh()
        await screen.shows(" stale ", " run 0/1")


# --- as it was left ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "mode"), [("3", "run"), ("6", "triage")])
async def test_screen_filter_and_frame_come_back_at_the_next_start(
    opened: Any, repository: Path, key: str, mode: str
) -> None:
    async with opened(repository) as screen:
        await screen.press("slash")
        await screen.type("filter=HSC-I visit=903988")
        await screen.press("enter", "g", "j", key)
        where = screen.app.session.cursor_row
    async with opened(repository) as screen:
        await screen.settle(lambda: screen.app.current_mode == mode)
        assert screen.app.session.filter.text == "filter=HSC-I visit=903988"
        if mode != "triage":  # its table has rows of its own
            await screen.press("1")
            assert screen.app.session.cursor_row == where


# --- why it failed, and its log ---------------------------------------------------------------------------------------


async def test_enter_on_a_failure_says_why_in_triage_and_l_leads_to_the_log(
    opened: Any, repository: Path, tmp_path: Path
) -> None:
    log = repository / "rerun" / "first" / "logs" / "run-1" / "visit-903986-ccd-100.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number} [bold]\n" for number in range(40)))
    async with opened(repository, at="6") as screen:
        await screen.shows("NO_FLAT")
        await screen.press("right_square_bracket")
        while "100" not in str(screen.app.screen.current):
            await screen.press("j")
        await screen.press("enter")
        await screen.shows("FAILED NO_FLAT", "in isr: No flat HSC-I.", "hint  Build one.", "line 20 [bold]")
        assert "line 19" not in screen.picture
        await screen.press("L")
        await screen.settle(lambda: screen.app.current_mode == "logs")


@pytest.mark.parametrize(
    ("said", "words"),
    [("less -S '-P log'", ["less", "-S", "-P log"]), ("most", ["most"]), ("", None), ("less 'unclosed", None)],
)
def test_the_pager_is_the_users(said: str, words: list[str] | None) -> None:
    assert pager({"PAGER": said}) == (words or pager({}))
    assert pager({}) in (["less"], ["more"])


def test_a_log_is_read_in_the_users_pager_and_the_screen_comes_back(
    repository: Path, tmp_path: Path, start_terminal: Callable[..., Any]
) -> None:
    log = repository / "rerun" / "first" / "logs" / "run-1" / "visit-903986-ccd-100.log"
    log.parent.mkdir(parents=True)
    log.write_text("the one line of this log\n")
    program = tmp_path / "page it"
    program.write_text('#!/bin/sh\necho "PAGING $1"; cat "$2"; read answer\n')
    program.chmod(0o755)
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("STATE", "CONFIG", "DATA")}
    source = f"import sys; from safelight_tui.main import main; sys.exit(main([{str(repository)!r}]))"
    terminal = start_terminal(source, 100, 30, PAGER=f"'{program}' -x", **homes)
    terminal.wait_for_text("FAILED NO_FLAT", 30)
    terminal.send(b"g]")  # the first problem is the failure
    terminal.wait_for_text("visit=903986 ccd=100", 15)
    terminal.send(b"V")
    terminal.wait_for_text("PAGING -x", 15).wait_for_text("the one line of this log", 15)
    terminal.send(b"\r")
    terminal.wait_for_text("1Browse", 15)
    terminal.send(b":q\r")
    assert terminal.status(20) == 0
