"""The registry of actions: no key twice, only portable keys, everything made from it agrees with it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path

import pytest
from textual.app import App
from textual.widgets import Static

from safelight.errors import ConfigurationError
from safelight_tui.actions import ACTIONS, Action, Registry
from safelight_tui.actions.keymap import read_keymap, textual_keymap, write_default_keymap
from safelight_tui.actions.keys import is_key, is_portable, key_label
from safelight_tui.actions.pages import help_lines, markdown_table
from safelight_tui.actions.palette import ActionProvider
from safelight_tui.actions.registry import CONDITIONS

ALL = frozenset(CONDITIONS)


def test_no_two_actions_share_a_key_where_both_are_active() -> None:
    assert ACTIONS.collisions() == []


def test_a_shared_key_is_found() -> None:
    registry = Registry(
        [Action("a", "one", ("x",), "A", "A."), Action("b", "two", ("x",), "B", "B.")], {"both": ("one", "two")}
    )
    assert list(map(str, registry.collisions())) == ["the key 'x' is given both to a (one) and to b (two)"]
    assert Registry(list(registry), {"first": ("one",), "second": ("two",)}).collisions() == []


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_key_is_portable(action: Action) -> None:
    assert action.keys
    assert all(is_portable(key) for key in action.keys)
    assert action.description.endswith(".")


@pytest.mark.parametrize(
    "key", ["ctrl+s", "ctrl+b", "ctrl+i", "ctrl+z", "ctrl+c", "escape", "alt+x", "shift+up", "é", "~"]
)
def test_keys_that_some_line_swallows_are_not_portable(key: str) -> None:
    assert not is_portable(key)


def test_every_context_is_active_somewhere() -> None:
    reached = {context for contexts in ACTIONS.together.values() for context in contexts}
    assert set(ACTIONS.contexts) <= reached


def test_an_action_that_is_not_available_says_why() -> None:
    assert ACTIONS.why_not("run", ALL - {"writable"}) == "Run: the application was started with --read-only"
    assert ACTIONS.why_not("run", ALL) is None


def test_names_are_unique_and_conditions_exist() -> None:
    action = Action("a", "one", ("x",), "A", "A.")
    with pytest.raises(ValueError, match="two actions"):
        Registry([action, action], {})
    with pytest.raises(ValueError, match="unknown conditions"):
        Registry([Action("a", "one", ("x",), "A", "A.", ("moonlight",))], {})


async def test_bindings_start_the_action_they_name() -> None:
    done: list[str] = []

    class Demo(App[None]):
        BINDINGS = ACTIONS.bindings("moving", "searching")

        def compose(self) -> list[Static]:  # type: ignore[override]
            return [Static("x")]

        def action_move_last(self) -> None:
            done.append("last")

        def action_previous_problem(self) -> None:
            done.append("problem")

        def action_filter(self) -> None:
            done.append("filter")

    async with Demo().run_test() as pilot:
        await pilot.press("G", "end", "[", "/")
    assert done == ["last", "last", "problem", "filter"]


async def test_the_users_key_map_changes_what_a_key_does(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text('move_last = ["E"]\n')
    registry = read_keymap(path, ACTIONS)
    done: list[str] = []

    class Demo(App[None]):
        BINDINGS = ACTIONS.bindings("moving")

        def on_mount(self) -> None:
            self.set_keymap(textual_keymap(registry))

        def action_move_last(self) -> None:
            done.append("last")

    async with Demo().run_test() as pilot:
        await pilot.press("G", "E")
    assert done == ["last"]


def test_no_key_map_changes_nothing(tmp_path: Path) -> None:
    assert read_keymap(tmp_path / "absent.toml", ACTIONS) is ACTIONS


def test_the_documented_file_holds_every_action_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "safelight" / "keys.toml"
    write_default_keymap(path, ACTIONS)
    assert tomllib.loads(path.read_text()) == {}
    uncommented = "\n".join(line[2:] for line in path.read_text().splitlines() if " = [" in line)
    entries = tomllib.loads(uncommented)
    assert entries == {action.name: list(action.keys) for action in ACTIONS}
    path.write_text(uncommented)
    assert list(read_keymap(path, ACTIONS)) == list(ACTIONS)
    with pytest.raises(FileExistsError):
        write_default_keymap(path, ACTIONS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("move_lst = ['E']", "did you mean 'move_last'"),
        ("move_last = ['q']", "the key 'q' is given both to"),
        ("move_last = ['hyper+q']", "is not a key"),
        ("move_last = 7", "must be a list of keys"),
        ("move_last = [", "cannot be used"),
    ],
)
def test_a_wrong_key_map_says_what_is_wrong(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="BAD_KEYMAP") as caught:
        read_keymap(path, ACTIONS)
    assert reason in str(caught.value)


def test_an_action_may_have_its_keys_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("run = []")
    registry = read_keymap(path, ACTIONS)
    assert registry["run"].keys == ()
    assert "run" not in {getattr(binding, "action", None) for binding in registry.bindings("data_ids")}


def test_the_help_of_a_pane_has_its_actions_and_says_why_not() -> None:
    lines = help_lines(ACTIONS, "image", ALL - {"image"})
    described = [text for keys, text, _ in lines if keys]
    assert set(described) == {action.description for action in ACTIONS.active("image")}
    assert "Fit: no image is open" in [why for _, _, why in lines]
    assert lines[0][0] == ""


def test_the_readme_has_the_table_of_all_actions() -> None:
    table = markdown_table(ACTIONS)
    assert table.count("\n") == len(ACTIONS.contexts) + 2
    for action in ACTIONS:
        assert f" {action.title}" in table
        assert all(f"`{label}`" in table for label in action.key_labels.split())
    assert table in (Path(__file__).parents[3] / "README.md").read_text(), "make it anew: actions.pages.markdown_table"


def test_key_labels_are_short() -> None:
    assert [key_label(key) for key in ("ctrl+d", "f1", "pageup", "G", "/")] == ["^D", "F1", "PgUp", "G", "/"]
    assert is_key("alt+x")
    assert not is_key(" ")


async def test_the_palette_finds_an_action_and_says_why_it_is_not_available() -> None:
    performed: list[str] = []

    class Host(App[None]):
        COMMANDS = {ActionProvider}  # noqa: RUF012
        actions = ACTIONS
        focus_name = "image"

        def holding(self) -> Collection[str]:
            return ALL - {"run_live"}

        async def perform(self, name: str) -> None:
            performed.append(name)

    app = Host()
    async with app.run_test() as pilot:
        provider = ActionProvider(app.screen)
        hits = [hit async for hit in provider.search("cancel")]
        best = max(hits, key=lambda hit: hit.score)
        assert best.help == "not now, Cancel: no run is going on"
        listed = [hit.text async for hit in provider.discover()]
        assert sorted(filter(None, listed)) == sorted(action.title for action in ACTIONS)
        assert listed[:2] == ["Follow", "Cursor up"]  # what the pane in focus does
        search = {hit.text: hit.score async for hit in provider.search("fit")}
        assert search["Fit line"] > search["Filter"]
        await pilot.press("ctrl+p", *"mark all", "enter")
        await pilot.pause()
    assert performed == ["mark_all"]
