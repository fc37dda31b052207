"""The log view follows, stays, filters and jumps, and nothing in a log can break the screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from safelight_tui.actions import ACTIONS
from safelight_tui.logs import LineFilter
from safelight_tui.terminal.text import width_of
from safelight_tui.widgets.log_view import LogView


class Host(App[None]):
    def __init__(self, view: LogView) -> None:
        super().__init__()
        self.view = view
        self.followed: list[bool] = []
        self.wanted = 0

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.view.focus()

    def on_log_view_follow_changed(self, message: LogView.FollowChanged) -> None:
        self.followed.append(message.follow)

    def on_log_view_filter_requested(self) -> None:
        self.wanted += 1


def lines(view: LogView) -> list[str]:
    shown = [view.render_line(y).text for y in range(view.size.height)]
    assert all(width_of(line) == view.size.width for line in shown)
    return [line.rstrip() for line in shown]


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)
        await pilot.pause()


def numbered(count: int) -> str:
    return "".join(f"{n} {'WARN' if n % 100 == 3 else 'INFO'} ccd {n % 112}\n" for n in range(count))


async def test_it_follows_a_growing_file_until_told_to_stay(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text(numbered(1000))
    host = Host(LogView(path))
    async with host.run_test(size=(80, 10)) as pilot:
        await until(pilot, lambda: lines(host.view)[-1].startswith("999 "))
        with path.open("a") as log:
            log.write("newest line\n")
        await until(pilot, lambda: lines(host.view)[-1] == "newest line")
        await pilot.press("k")
        assert host.followed[-1] is False
        with path.open("a") as log:
            log.write("not seen\n")
        await until(pilot, lambda: host.view.state.view_count == 1002)
        assert lines(host.view)[-1].startswith("999 ")
        await pilot.press("f")
        await until(pilot, lambda: lines(host.view)[-1] == "not seen")
        assert host.followed[-1] is True


async def test_moving_shows_other_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text(numbered(100_000))
    host = Host(LogView(path))
    async with host.run_test(size=(80, 10)) as pilot:
        await until(pilot, lambda: host.view.state.idle and host.view.state.view_count == 100_000)
        await pilot.press("g")
        await until(pilot, lambda: lines(host.view)[0].startswith("0 "))
        await pilot.press("pagedown", "j", "ctrl+d", "ctrl+u", "k", "pageup", "down")
        await until(pilot, lambda: lines(host.view)[0].startswith("1 "))
        await pilot.press("G")
        await until(pilot, lambda: lines(host.view)[-1].startswith("99999 "))


async def test_a_filter_in_place_marks_what_matched(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text(numbered(1000))
    host = Host(LogView(path))
    async with host.run_test(size=(80, 10)) as pilot:
        await pilot.press("/")
        assert host.wanted == 1
        host.view.set_filter(LineFilter("ccd 50$"))
        await until(pilot, lambda: lines(host.view)[0] == "50 INFO ccd 50")
        strip = host.view.render_line(0)
        assert [segment.text for segment in strip if segment.style and segment.style.underline] == ["ccd 50"]
        host.view.set_filter(LineFilter("nowhere"))
        await until(pilot, lambda: lines(host.view)[0] == "no line matches")
        host.view.set_filter(None)
        await until(pilot, lambda: lines(host.view)[-1].startswith("999 "))


@pytest.mark.parametrize("columns", [80, 120])
async def test_a_narrow_view_leaves_out_what_everyone_knows(tmp_path: Path, columns: int) -> None:
    heads = ("processCcd (visit=1 ccd=16): ", "processCcd: ", "wcs: ")
    lines_ = [f"2026-11-23T03:22:50.9{n}7Z WARN  {head}few [stars]" for n, head in enumerate(heads)]
    short = ["03:22:50 WARN  (visit=1 ccd=16) few [stars]", "03:22:50 WARN  few [stars]",
             "03:22:50 WARN  wcs: few [stars]"]  # fmt: skip
    path = tmp_path / "run.log"
    path.write_text("\n".join([*lines_, "no head at all", ""]))
    host = Host(LogView(path))
    async with host.run_test(size=(columns, 10)) as pilot:
        await until(pilot, lambda: lines(host.view)[:4] == [*(short if columns == 80 else lines_), "no head at all"])


async def test_problem_keys_go_from_warning_to_warning(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text(numbered(1000))
    host = Host(LogView(path))
    async with host.run_test(size=(80, 10)) as pilot:
        await until(pilot, lambda: host.view.state.idle and host.view.state.view_count == 1000)
        await pilot.press("[")
        await until(pilot, lambda: host.view.current == 903)
        await pilot.press("[")
        await until(pilot, lambda: host.view.current == 803)
        await until(pilot, lambda: any(line.startswith("803 WARN") for line in lines(host.view)))
        await pilot.press("]")
        await until(pilot, lambda: host.view.current == 903)
        host.view.search = LineFilter("^800 ")
        await pilot.press("N")
        await until(pilot, lambda: host.view.current == 800)


async def test_nothing_in_a_log_breaks_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_bytes(
        b"[bold]not markup[/]\n\x1b[31mred\x1b[0m \x1b]0;title\x07x\x00y\r\n"
        + b"z" * 1_000_000
        + b"\n\xff\xfe bytes\n\tz\n"
    )
    host = Host(LogView(path))
    async with host.run_test(size=(60, 10)) as pilot:
        await until(pilot, lambda: host.view.state.idle and lines(host.view)[4].endswith("z"))
        shown = lines(host.view)
        assert shown[0] == "[bold]not markup[/]"
        assert shown[1] == "red x·y"
        assert shown[2].startswith("zzzz")
        assert shown[2].endswith("1,000,000 bytes")
        assert "bytes" in shown[3]
        await pilot.press("l", "l")
        assert lines(host.view)[0] == "[/]"
        await pilot.press("h", "h", "h")
        assert lines(host.view)[0] == "[bold]not markup[/]"


async def test_no_file_is_a_sentence(tmp_path: Path) -> None:
    host = Host(LogView(tmp_path / "absent.log"))
    async with host.run_test(size=(60, 10)) as pilot:
        await pilot.press("g", "G", "]", "n", "f", "l")
        assert lines(host.view)[0] == "no log yet"


async def test_another_file_replaces_the_first_and_its_reader_ends(tmp_path: Path) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text("first\n")
    two.write_text("second\n")
    host = Host(LogView(one))
    async with host.run_test(size=(60, 10)) as pilot:
        await until(pilot, lambda: lines(host.view)[0] == "first")
        reader = host.view._reader
        host.view.show(two)
        await until(pilot, lambda: lines(host.view)[0] == "second")
        assert reader is not None
        reader.join(5)
        assert not reader.is_alive()


def test_every_action_of_its_contexts_has_a_method() -> None:
    for action in ACTIONS.of("moving", "searching", "following"):
        assert hasattr(LogView, f"action_{action.name}") or action.name == "open"
