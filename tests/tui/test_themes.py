"""The themes: the red one has no other hue anywhere, the terminal's own sends no colour of ours, text is legible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color as RichColor
from rich.color import ColorType
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.color import Color
from textual.containers import Horizontal
from textual.widgets import (
    Button,
    Checkbox,
    DataTable,
    Footer,
    Header,
    Input,
    Label,
    OptionList,
    ProgressBar,
    Select,
    Static,
    TabbedContent,
    TabPane,
    Tree,
)

from safelight_tui.pixels.overlay import Marks, MaskLayer
from safelight_tui.pixels.palette import Colours
from safelight_tui.red_filter import RedOnly
from safelight_tui.themes import SAFELIGHT, THEMES, ThemedApp, choose_theme, is_red_only
from safelight_tui.widgets.focal_layout import place_cells
from safelight_tui.widgets.focal_plane import CellState, FocalPlane, MetricScale
from safelight_tui.widgets.image_view import ImageView, Picture
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.log_view import LogView
from safelight_tui.widgets.status import Status
from safelight_tui.widgets.table_model import Cell, Column, RowsModel


def table() -> LineTable:
    rows = [[Cell("903986"), Cell(tone, tone)] for tone in LineTable.TONES]
    return LineTable(RowsModel([Column("visit", "visit", 6), Column("state", "state", 8)], rows), id="table")


def picture() -> Picture:
    pixels = np.random.default_rng(1).normal(0, 1, (60, 60)).astype(np.float32)
    mask = (pixels > 2).astype(np.int32)
    marks = [
        Marks(tone, "o", tone, np.arange(5.0) * 9, np.full(5, 10.0 * i))
        for i, tone in enumerate(("source", "match", "reference"))
    ]
    return Picture(pixels, marks=marks, layer=MaskLayer(mask, {"CR": 0}, {"CR": ("c", "mask-ray")}))


class Everything(ThemedApp[None]):
    """Every widget of ours, and those of Textual that screens are made of."""

    CSS = """
    #small > * { width: 1fr; height: 8; }
    LineTable, LogView, ImageView { height: 8; }
    FocalPlane { height: 16; }
    """

    def __init__(self, theme: str, log: Path) -> None:
        super().__init__()
        self.log_path = log
        self.theme = theme

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal(id="small"):
            yield table()
            yield LogView(self.log_path)
            yield ImageView(picture(), id="image")
        cells = place_cells(range(len(Status) + 5), [(float(i % 9), i // 9) for i in range(len(Status) + 5)])
        yield FocalPlane(cells)
        yield Input(placeholder="filter")
        yield Static("plain text", markup=False)
        yield Label("label")
        with Horizontal(classes="row"):
            yield Button("Run", variant="primary")
            yield Button("Cancel", variant="error")
            yield Button("Go", variant="success")
            yield Button("Wait", variant="warning")
            yield Checkbox("choice", value=True)
            yield Select([("one", 1), ("two", 2)])
        yield ProgressBar(total=10, show_eta=False)
        yield OptionList("one", "two")
        with TabbedContent():
            with TabPane("header"):
                yield Tree("root")
            with TabPane("inputs"):
                yield DataTable()
        yield Footer()

    def on_mount(self) -> None:
        plane = self.query_one(FocalPlane)
        states = {key: CellState(status, 0.1 * key) for key, status in enumerate(Status)}
        plane.update_cells(states)
        self.query_one(ImageView).rendering = "half"
        self.query_one(ProgressBar).advance(5)
        tree = self.query_one(Tree)
        tree.root.add("branch").add_leaf("leaf")
        tree.root.expand_all()
        data = self.query_one(DataTable)
        data.add_columns("a", "b")
        data.add_rows([("1", "2"), ("3", "4")])


def segments(app: App[None]) -> Iterator[Segment]:
    update = app.screen._compositor.render_update(full=True)
    for line in update.strips:
        for strip in line:
            yield from strip


def styles(app: App[None]) -> set[Style]:
    return {segment.style for segment in segments(app) if segment.style is not None and segment.text}


def wrong_colours(app: App[None]) -> list[str]:
    wrong = []
    for segment in segments(app):
        for colour in (segment.style.color, segment.style.bgcolor) if segment.style else (None,):
            if colour is None or colour.triplet is None or not is_red_only(*colour.triplet):
                wrong.append(f"{colour} on {segment.text!r}")
    return wrong


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "run.log"
    path.write_text("1 DEBUG a\n2 INFO b\n3 WARN c\n4 ERROR d\n")
    return path


async def test_the_red_theme_shows_no_other_hue(log: Path) -> None:
    app = Everything("safelight", log)
    async with app.run_test(size=(120, 80)) as pilot:
        await pilot.pause()
        assert wrong_colours(app) == []
        for _ in range(16):
            await pilot.press("tab")
            assert wrong_colours(app) == []
        app.query_one("#table").focus()
        await pilot.press("v", "j", "space", "j", "s")
        app.query_one(FocalPlane).show_metric(MetricScale(0.0, 1.0))
        image = app.query_one(ImageView)
        for colours in Colours:
            image.colours = colours
            await pilot.pause()
            assert wrong_colours(app) == []
        app.notify("a note", title="title", severity="warning")
        app.notify("an error", severity="error")
        await pilot.pause()
        assert wrong_colours(app) == []


async def test_the_palette_is_red_too(log: Path) -> None:
    app = Everything("safelight", log)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("ctrl+p", "q", "u", "i")
        await pilot.pause()
        assert wrong_colours(app) == []


async def test_the_red_theme_tells_states_apart(log: Path) -> None:
    app = Everything("safelight", log)
    async with app.run_test(size=(120, 80)) as pilot:
        await pilot.pause()
        shown = {style.color.triplet.red for style in styles(app) if style.color and style.color.triplet}
    assert len(shown) > 8


async def test_the_terminals_own_colours_are_left_to_the_terminal(log: Path) -> None:
    app = Everything("terminal", log)
    async with app.run_test(size=(120, 80)) as pilot:
        app.query_one(ImageView).rendering = "ramp"
        await pilot.pause()
        ours = [
            style
            for style in styles(app)
            for colour in (style.color, style.bgcolor)
            if colour is not None and colour.type is ColorType.TRUECOLOR
        ]
    assert ours == []


async def test_no_color_sends_none(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Everything(choose_theme("dark", {"NO_COLOR": "1"}), log)
    async with app.run_test(size=(120, 80)) as pilot:
        await pilot.pause()
        assert app.query_one(ImageView).rendering == "half"
        app.query_one(ImageView).rendering = "auto"
        await pilot.pause()
        assert app.query_one(ImageView).uses_ramp
        coloured = {
            str(colour)
            for style in styles(app)
            for colour in (style.color, style.bgcolor)
            if colour is not None and not colour.is_default
        }
    assert coloured == set()


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio of WCAG 2.1."""

    def luminance(colour: Color) -> float:
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("name", ["dark", "light", "safelight"])
async def test_text_stands_out_from_what_is_behind_it(name: str, log: Path) -> None:
    app = Everything(name, log)
    async with app.run_test(size=(120, 80)) as pilot:
        await pilot.pause()
        for node in (app.query_one(LineTable), app.query_one(LogView), app.query_one(FocalPlane)):
            for component in node.COMPONENT_CLASSES:
                style = node._style(component.partition("--")[2])
                front, back = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
                assert contrast(front, back) >= (2.0 if name == "safelight" else 2.8), component


def test_the_environment_chooses_the_theme() -> None:
    assert choose_theme("auto", {"TERM": "xterm-256color"}) == "dark"
    assert choose_theme("auto", {"TERM": "screen"}) == "terminal"
    assert choose_theme("auto", {"TERM": "screen", "COLORTERM": "truecolor"}) == "dark"
    assert choose_theme("safelight", {"TERM": "screen"}) == "safelight"
    assert choose_theme("safelight", {"NO_COLOR": "1"}) == "terminal"
    assert choose_theme("nonsense", {"TERM": "xterm-256color"}) == "dark"


def test_every_colour_the_red_theme_names_is_red() -> None:
    for name, value in SAFELIGHT.variables.items():
        if value.startswith("#"):
            assert is_red_only(*Color.parse(value).rgb), f"{name}: {value}"


@given(st.tuples(*[st.integers(0, 255)] * 6))
def test_the_filter_leaves_red_only_and_red_as_it_is(parts: tuple[int, ...]) -> None:
    style = Style.from_color(RichColor.from_rgb(*parts[:3]), RichColor.from_rgb(*parts[3:]))
    red = Style.from_color(RichColor.from_rgb(parts[0], 0, 0), RichColor.from_rgb(parts[3], 0, 0))
    done = RedOnly().apply([Segment("x", style), Segment("y", red), Segment("z", None)], Color(0, 0, 0))
    for segment in done:
        assert segment.style is not None
        for colour in (segment.style.color, segment.style.bgcolor):
            assert colour is not None
            assert is_red_only(*colour.get_truecolor())
    assert done[1].style == red


async def test_only_tested_themes_are_offered(log: Path) -> None:
    app = Everything("dark", log)
    async with app.run_test():
        assert set(app.available_themes) == set(THEMES)
