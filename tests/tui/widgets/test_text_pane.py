"""A pane of text shows every character of its lines, beside its scrollbar too."""

from __future__ import annotations

import pytest
from textual.app import ComposeResult

from safelight_tui.themes import ThemedApp
from safelight_tui.widgets.text_pane import TextLine, TextPane

WORDS = [f"word{number:02d}" for number in range(40)]


class _PaneApp(ThemedApp[None]):
    CSS = "TextPane { height: 4; } .stable { scrollbar-gutter: stable; }"

    def compose(self) -> ComposeResult:
        yield TextPane(id="long")
        yield TextPane(id="stable", classes="stable")


@pytest.mark.parametrize("name", ["long", "stable"])
@pytest.mark.parametrize("width", [40, 41, 42, 43, 44])
async def test_no_character_hides_behind_the_scrollbar(name: str, width: int) -> None:
    app = _PaneApp()
    async with app.run_test(size=(width, 10)) as pilot:
        pane = app.query_one(f"#{name}", TextPane)
        pane.show([TextLine(" ".join(WORDS))])
        await pilot.pause()
        read = []
        for _ in range(len(pane.lines) + 60):
            await pilot.pause()
            strips = app.screen._compositor.render_strips(app.screen.size)
            row = "".join(segment.text for segment in strips[pane.region.y])
            read.append(row[: pane.scrollable_content_region.width].strip())
            before = pane.scroll_offset.y
            pane.action_move_down()
            await pilot.pause()
            if pane.scroll_offset.y == before:
                break
        for y in range(1, pane.size.height):
            row = "".join(segment.text for segment in strips[pane.region.y + y])
            read.append(row[: pane.scrollable_content_region.width].strip())
        assert " ".join(read).split() == WORDS
