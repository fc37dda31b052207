"""The journal: what is written is read, live, late and after a kill."""

from __future__ import annotations

import json
import math
from pathlib import Path

from safelight.processccd import events
from safelight.processccd.journal import JournalReader, JournalWriter


def finished(key: str, status: str = "done") -> events.CcdFinished:
    return events.CcdFinished(time=1.5, ccd=key, data_id={"visit": 1}, status=status)


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    written: list[events.Event] = [
        events.RunStarted(
            time=1.0,
            run="r",
            command_line=["processCcd.py", "DATA"],
            repository="/d",
            rerun="/d/rerun/a",
            host="h",
            pid=3,
            processes=2,
            versions={"numpy": "2"},
            ccds=[{"key": "a"}],
        ),
        events.CcdStarted(time=1.1, ccd="a", data_id={"ccd": 16}, worker=7),
        events.StageStarted(time=1.2, ccd="a", stage="isr"),
        events.LogRecorded(time=1.2, ccd="a", level="WARN", component="processCcd.isr", message="ŷ [x]\nline"),
        events.MetricsMeasured(time=1.3, ccd="a", values={"fwhm_arcsec": 0.7}),
        finished("a"),
        events.Heartbeat(time=1.6, running=["b"], finished=1, total=2),
        events.RunFinished(time=2.0, run="r", exit_code=0, counts={"done": 1}),
    ]
    path = tmp_path / "x" / "run.jsonl"
    with JournalWriter(path) as journal:
        for event in written:
            journal.write(event)
    assert list(JournalReader(path).read()) == written


def test_a_reader_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    reader = JournalReader(path)
    assert list(reader.read()) == [], "a journal that is not there yet is empty"
    with JournalWriter(path) as journal:
        journal.write(finished("a"))
        assert [event.ccd for event in reader.read() if isinstance(event, events.CcdFinished)] == ["a"]
        journal.write(finished("b"))
        assert list(JournalReader(path, reader.offset).read()) == [finished("b")]
    assert list(reader.read()) == [finished("b")]
    assert list(reader.read()) == []


def test_a_torn_last_line_waits_and_a_torn_line_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with JournalWriter(path) as journal:
        journal.write(finished("a"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    reader = JournalReader(path)
    assert list(reader.read()) == [finished("a")]
    assert reader.offset == len(whole)
    path.write_bytes(whole + whole)
    assert list(reader.read()) == [finished("a")]
    path.write_bytes(whole[:20] + b"\n" + whole)
    assert list(JournalReader(path).read()) == [finished("a")]


def test_numbers_that_json_cannot_hold_become_null(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with JournalWriter(path) as journal:
        journal.write(events.MetricsMeasured(time=1.0, ccd="a", values={"x": math.nan, "y": math.inf, "z": 1.0}))
    record = json.loads(path.read_text())
    assert record["values"] == {"x": None, "y": None, "z": 1.0}


def test_a_reader_passes_over_kinds_and_keys_of_a_newer_writer(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    newer = finished("a").to_json() | {"mood": "good"}
    path.write_text(json.dumps({"event": "coffee", "time": 1.0}) + "\n" + json.dumps(newer) + "\n")
    assert list(JournalReader(path).read()) == [finished("a")]
