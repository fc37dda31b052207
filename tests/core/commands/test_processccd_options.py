"""The command line of processCcd.py: Gen2's words, with mended answers."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safelight.commands.processccd import main
from safelight.commands.taskoptions import LogLevel, TaskOptions, TaskParser, parse_task_options
from safelight.errors import UsageError

Call = Callable[..., Any]


def parse(*arguments: str) -> TaskOptions:
    return parse_task_options(TaskParser("processCcd.py", "", "x"), list(arguments))


def rows_of(out: str) -> list[dict[str, Any]]:
    lines = [line for line in out.splitlines() if line]
    assert all(line.startswith("id dataRef.dataId = {") for line in lines)
    return [ast.literal_eval(line.removeprefix("id dataRef.dataId = ")) for line in lines]


def test_every_option_of_gen2_is_understood() -> None:
    line = """
        DATA --calib C --rerun a:b -c x=1 y=2 -C f.py --config z=3 -L debug a.b=warn --longlog --debug --doraise
        --noExit --profile p --show config=*.do* data -j 3 -t 5.5 --clobber-output --clobber-config
        --no-backup-config --clobber-versions --no-versions --id visit=1^2 ccd=3..4 --id --reuse-outputs-from all
    """
    options = parse(*line.split())
    assert options == TaskOptions(
        input="DATA",
        calib="C",
        rerun="a:b",
        ids=[["visit=1^2", "ccd=3..4"], []],
        overrides=[("-c", "x=1"), ("-c", "y=2"), ("-C", "f.py"), ("-c", "z=3")],
        log_levels=[LogLevel("", 10), LogLevel("a.b", 30)],
        longlog=True,
        debug=True,
        doraise=True,
        no_exit=True,
        profile="p",
        show=["config=*.do*", "data"],
        processes=3,
        timeout=5.5,
        clobber_output=True,
        clobber_config=True,
        backup_config=False,
        clobber_versions=True,
        versions=False,
        reuse_outputs_from="all",
    )


def test_option_names_may_be_shortened_while_they_are_unambiguous() -> None:
    assert parse("DATA", "--proc", "2").processes == 2
    with pytest.raises(UsageError, match="mbiguous"):
        parse("DATA", "--clobber")


def test_the_last_show_replaces_earlier_ones() -> None:
    assert parse("DATA", "--show", "config", "--show", "data", "run").show == ["data", "run"]


def test_a_file_of_options_is_read_with_shell_rules(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.write_text("-j 4\n")
    outer = tmp_path / "outer"
    outer.write_text(f"# a comment\n\n--id visit=1 'filter=HSC I'  # another\n@{inner}\n")
    options = parse("DATA", f"@{outer}")
    assert options.ids == [["visit=1", "filter=HSC I"]]
    assert options.processes == 4


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "NO_INPUT"),
        (["--rerun", "a"], "NO_INPUT"),
        (["@file"], "NO_INPUT"),
        (["DATA", "--show"], "BAD_OPTION"),
        (["DATA", "--show", "badname"], "BAD_SHOW"),
        (["DATA", "--show", "history"], "BAD_SHOW"),
        (["DATA", "--nonsense"], "BAD_OPTION"),
        (["DATA", "-j", "two"], "BAD_OPTION"),
        (["DATA", "-j", "0"], "BAD_OPTION"),
        (["DATA", "-L", "1234"], "BAD_LOG_LEVEL"),
        (["DATA", "-L", "loud"], "BAD_LOG_LEVEL"),
        (["DATA", "--reuse-outputs-from", "isr"], "BAD_OPTION"),
    ],
)
def test_a_line_that_cannot_be_understood_is_a_usage_error(arguments: list[str], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*arguments)
    assert caught.value.code == code


def test_help_shows_an_example_and_exits_with_zero(call: Call) -> None:
    result = call(main, "--help")
    assert result.code == 0
    assert "processCcd.py DATA --rerun processCcdOutputs --id filter=HSC-I --show data" in result.out


def test_usage_errors_are_sentences_with_a_hint_and_exit_code_two(call: Call) -> None:
    result = call(main, "DATA", "--show", "badname")
    assert (result.code, result.out) == (2, "")
    assert "badname" in result.err
    assert "hint: " in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(("ids", "count"), [([], 33), (["filter=HSC-I"], 16), (["filter=HSC-R"], 17)])
def test_show_data_prints_the_tutorials_rows_and_writes_nothing(
    call: Call, listing: Path, ids: list[str], count: int
) -> None:
    before = sorted(listing.rglob("*"))
    result = call(main, listing, "--rerun", "processCcdOutputs", "--id", *ids, "--show", "data")
    rows = rows_of(result.out)
    assert (result.code, len(rows)) == (0, count)
    assert all({"visit", "ccd", "filter", "pointing", "expTime"} <= set(row) for row in rows)
    assert sorted(listing.rglob("*")) == before


def test_rows_begin_with_the_keys_that_were_typed_in_their_order(call: Call, listing: Path) -> None:
    result = call(main, listing, "--rerun", "a", "--id", "ccd=16", "filter=HSC-I", "--show", "data")
    assert [list(row)[:2] for row in rows_of(result.out)] == [["ccd", "filter"]] * 2


def test_groups_of_data_ids_are_joined_and_a_row_comes_once(call: Call, listing: Path) -> None:
    groups = ["--id", "visit=903334", "ccd=16", "--id", "visit=903334", "ccd=16^22"]
    result = call(main, listing, "--rerun", "a", *groups, "--show", "data")
    assert [row["ccd"] for row in rows_of(result.out)] == [16, 22]


def test_a_group_that_selects_nothing_is_a_warning_beside_one_that_does(call: Call, listing: Path) -> None:
    groups = ["--id", "visit=903334", "ccd=16", "--id", "visit=903334", "ccd=17"]
    result = call(main, listing, "--rerun", "a", *groups, "--show", "data")
    assert (result.code, len(rows_of(result.out))) == (0, 1)
    assert "WARN" in result.err


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--rerun", "a", "--id", "filtre=HSC-I", "--show", "data"], 2, ["filtre", "filter"]),
        (["--rerun", "a", "--id", "visit=x", "--show", "data"], 2, ["visit", "x"]),
        (["--rerun", "a", "--id", "visit=1", "visit=2", "--show", "data"], 2, ["visit"]),
        (["--rerun", "a", "--id", "ccd=9..3", "--show", "data"], 2, ["9..3"]),
        (["--rerun", "a", "--id", "ccd=1..3:0", "--show", "data"], 2, ["stride"]),
        (["--rerun", "a", "--id", "filter=HSC-Z", "--show", "data"], 4, ["HSC-Z", "HSC-I"]),
        (["--rerun", "a", "--show", "data"], 4, ["--id"]),
        (["--id", "--show", "data"], 2, ["--rerun"]),
        (["--rerun", "a:b:c", "--id", "--show", "data"], 2, ["a:b:c"]),
        (["--rerun", "a", "--output", "o", "--id", "--show", "data"], 2, ["--rerun", "--output"]),
        (["--rerun", "a", "--id", "-c", "isr.doFlats=False", "--show", "data"], 2, ["isr.doFlat"]),
        (["--rerun", "a", "--id", "-C", "absent.py", "--show", "data"], 2, ["absent.py"]),
    ],
)
def test_mistakes_are_answered_with_a_sentence_and_the_documented_exit_code(
    call: Call, listing: Path, arguments: list[str], exit_code: int, words: list[str]
) -> None:
    result = call(main, listing, *arguments)
    assert (result.code, result.out) == (exit_code, "")
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err
    assert not (listing / "rerun").exists()


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: None])
def test_what_is_not_a_repository_is_said_to_be_none(call: Call, tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "not-one"
    make(path)
    result = call(main, path, "--rerun", "a", "--id", "--show", "data")
    assert result.code == 5
    assert str(path) in result.err


def test_show_config_needs_no_output_and_obeys_its_glob(call: Call, listing: Path) -> None:
    result = call(main, listing, "--show", "config=*.DOFLAT", "-c", "isr.doFlat=False")
    assert result.code == 0
    assert "Matching '*.DOFLAT' without regard to case" in result.out
    assert "config.isr.doFlat=False  # set by -c" in result.out
    assert "doBias" not in result.out
    assert "config.isr.doBias=True" in call(main, listing, "--show", "config").out
    assert "doFlat" not in call(main, listing, "--show", "config=*.DOFLAT:NOIGNORECASE").out


def test_show_history_tells_who_set_a_value(call: Call, listing: Path, tmp_path: Path) -> None:
    file = tmp_path / "my.py"
    file.write_text("config.isr.doFlat = False\n")
    result = call(main, listing, "--show", "history=isr.doFlat", "-C", file, "-c", "isr.doFlat=True")
    assert result.out.splitlines() == ["isr.doFlat", "  True  default", f"  False  {file}:1", "  True  -c"]


def test_show_tasks_lists_the_steps(call: Call, listing: Path) -> None:
    out = call(main, listing, "--show", "tasks").out.splitlines()
    assert out[0] == "Subtasks:"
    assert "isr: safelight.isr.config.IsrConfig" in out


def test_root_variables_prefix_relative_paths(call: Call, listing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPE_INPUT_ROOT", str(listing.parent))
    result = call(main, listing.name, "--rerun", "a", "--id", "--show", "data")
    assert len(rows_of(result.out)) == 33


def test_a_calibration_repository_that_is_not_there_is_refused_before_anything_is_written(
    call: Call, listing: Path, tmp_path: Path
) -> None:
    result = call(main, *blocked(listing, "--calib", tmp_path / "nope"))
    assert result.code == 5
    assert "nope" in result.err
    assert not (listing / "rerun").exists()


def old_output(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "repositoryCfg.yaml").write_text("!RepositoryCfg_v1\n_mapper: lsst.obs.hsc.HscMapper\n_parents: []\n")
    (path / "old").touch()
    return path


def test_clobber_output_deletes_a_rerun_but_never_the_input(call: Call, listing: Path) -> None:
    old = old_output(listing / "rerun" / "a") / "old"
    call(main, *blocked(listing, "--clobber-output"))
    assert not old.exists()
    refused = call(main, listing, "--output", listing, "--clobber-output", "--id")
    assert refused.code == 2
    assert (listing / "registry.sqlite3").exists()


@pytest.mark.parametrize("rest", [["--id", "filtr=1"], ["--id", "ccd=999"], ["--id", "--show", "data"]])
def test_clobber_output_deletes_nothing_where_nothing_is_run(call: Call, listing: Path, rest: list[str]) -> None:
    old = old_output(listing / "rerun" / "a") / "old"
    call(main, listing, "--rerun", "a", "--clobber-output", *rest)
    assert old.exists()


@pytest.mark.parametrize("what", ["thesis.tex", "registry.sqlite3"])
def test_clobber_output_refuses_a_directory_that_no_run_has_written(
    call: Call, listing: Path, tmp_path: Path, what: str
) -> None:
    precious = tmp_path / "precious" / what
    precious.parent.mkdir()
    precious.touch()
    result = call(main, listing, "--output", precious.parent, "--clobber-output", "--id")
    assert result.code == 2
    assert "CLOBBERS_OTHER_FILES" in result.err
    assert precious.exists()


def test_a_full_disk_behind_stdout_is_said_in_one_line(listing: Path) -> None:
    script = Path(sys.executable).with_name("processCcd.py")
    line = f"{script} {listing} --rerun a --id --show data > /dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].endswith("No space left on device. [DISK_FULL]")
    assert "Traceback" not in done.stderr


def test_a_reader_that_closes_the_pipe_ends_the_command_quietly(listing: Path) -> None:
    script = Path(sys.executable).with_name("processCcd.py")
    line = f"{script} {listing} --rerun a --id --show data | head -n 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_standard_streams_do_no_harm(listing: Path, closed: str) -> None:
    script = Path(sys.executable).with_name("processCcd.py")
    line = f"{script} {listing} --rerun a --id --show data {closed}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def blocked(listing: Path, *options: str) -> list[object]:
    """A line whose one CCD cannot run, for want of calibrations."""
    return [listing, "--rerun", "a", "--id", "visit=903986", "ccd=16", *options]


def test_a_failure_exits_with_one_unless_noexit_is_given(call: Call, listing: Path) -> None:
    assert call(main, *blocked(listing)).code == 1
    tolerated = call(main, *blocked(listing, "--noExit"))
    assert tolerated.code == 0
    assert "some CCDs failed" in tolerated.err


def test_doraise_stops_at_the_first_failure_with_its_traceback(call: Call, listing: Path) -> None:
    result = call(main, *blocked(listing, "--doraise"))
    assert result.code == 1
    assert "Traceback" in result.err
    assert "NO_CALIB_ROOT" in result.err


def test_profile_writes_statistics(call: Call, listing: Path, tmp_path: Path) -> None:
    import pstats

    call(main, *blocked(listing, "--profile", str(tmp_path / "run.prof")))
    assert pstats.Stats(str(tmp_path / "run.prof")).total_calls > 100  # type: ignore[attr-defined]


def test_the_log_threshold_and_the_long_form_are_obeyed(call: Call, listing: Path) -> None:
    assert "INFO" in call(main, *blocked(listing)).err
    quiet = call(main, *blocked(listing, "-L", "processCcd=error")).err
    assert "processCcd ERROR" in quiet
    assert "Running" not in quiet
    long = call(main, *blocked(listing, "--longlog")).err
    assert re.search(r"^ERROR \d{4}-\d\d-\d\dT.* processCcd \(visit=903986 ccd=16\)- ", long, re.MULTILINE)


def test_debug_imports_the_users_module(
    call: Call, listing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safelight.processccd.ccd import import_debug_module

    (tmp_path / "debug.py").write_text(f"open({str(tmp_path / 'seen')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import_debug_module()
    assert (tmp_path / "seen").exists()


@pytest.mark.parametrize("command", ["processCcd.py", "safelight"])
def test_help_imports_nothing_heavy(command: str) -> None:
    module = "processccd" if command == "processCcd.py" else "main"
    program = f"""
import sys
sys.argv = [{command!r}, "--help"]
from safelight.commands.{module} import main
try:
    main()
except SystemExit:
    pass
heavy = {{"numpy", "astropy", "scipy", "numba", "pydantic", "rich", "yaml", "textual", "sqlite3"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
