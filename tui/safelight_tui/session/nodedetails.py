"""What the detail pane says of a line of the tree."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from pathlib import Path

from safelight_tui.session.repositorytree import branch_values
from safelight_tui.session.reruns import RerunView, RunView
from safelight_tui.session.session import Session
from safelight_tui.widgets.text_pane import TextLine

__all__ = ["node_lines"]


def node_lines(session: Session, key: Hashable) -> list[TextLine]:
    """Lines about a branch, a set of masters, a reference catalogue, a rerun, a run or a file."""
    values = branch_values(key)
    if values is not None:
        text = " ".join(f"{name}={value}" for name, value in values.items()) or "all raw frames"
        return [TextLine(text, "title"), TextLine("Enter selects it.", "dim")]
    if not isinstance(key, tuple):
        return []
    kind, *rest = key
    if kind == "calib":
        return _calibrations(session, [str(part) for part in rest])
    if kind == "refcat":
        return _catalogues(session, str(rest[0]) if rest else None)
    if kind in ("rerun", "parent") and rest:
        rerun = session.feed.reruns.get(str(rest[0]))
        return _rerun(rerun) if rerun is not None else []
    if kind == "run":
        rerun = session.feed.reruns.get(str(rest[0]))
        run = next((run for run in rerun.runs if run.run == rest[1]), None) if rerun is not None else None
        return _run(run) if run is not None else []
    if kind == "disk":
        return _disk(session, Path(str(rest[0])))
    return []


def _calibrations(session: Session, rest: list[str]) -> list[TextLine]:
    holdings = session.feed.holdings
    lines = [TextLine(str(holdings.calib_root or "no calibration registry"), "dim")]
    for kind, sets in holdings.calibrations.items():
        if rest and kind != rest[0]:
            continue
        for number, group in enumerate(sets):
            if len(rest) > 1 and str(number) != rest[1]:
                continue
            name = f"{group.filter} " if group.filter not in ("", "NONE") else ""
            text = f"{group.calib_date} {name}valid {group.valid_start}..{group.valid_end}, {len(group.ccds)} CCDs"
            lines.append(TextLine(text, "", f"{kind:<8} "))
            if len(rest) > 1:
                lines.append(TextLine("ccd " + " ".join(map(str, group.ccds)), "dim"))
    return lines


def _catalogues(session: Session, name: str | None) -> list[TextLine]:
    return [
        TextLine(f"{catalogue.shards} shards in {catalogue.path}", "", f"{catalogue.name}  ")
        for catalogue in session.feed.holdings.catalogues
        if name in (None, catalogue.name)
    ]


def _rerun(rerun: RerunView) -> list[TextLine]:
    words = ", ".join(f"{count} {status.word}" for status, count in rerun.counts.items()) or "nothing done yet"
    lines = [TextLine(f"rerun/{rerun.name}: {words}", "title")]
    if rerun.trouble:
        lines.append(TextLine(rerun.trouble, "bad"))
    lines += [TextLine(path, "", "from      ") for path in rerun.parents]
    lines.append(TextLine(str(rerun.path), "", "path      "))
    for run in reversed(rerun.runs):
        lines += _run(run)
    lines.append(TextLine("Enter chooses it: statuses, metrics and plans are then about it.", "dim"))
    return lines


def _run(run: RunView) -> list[TextLine]:
    began = datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if run.started else "not begun"
    if run.live:
        end, tone = f"going on, {run.done} of {len(run.ccds)}", "new"
    elif run.died:
        end, tone = (
            f"its process ended without a word after {run.done} of {len(run.ccds)}; run it again to resume",
            "bad",
        )
    else:
        took = run.finished - run.started
        end, tone = f"exit {run.exit_code} after {took:.0f} s", "" if run.exit_code == 0 else "caveat"
    return [
        TextLine(f"{began} on {run.host}, {run.processes} processes: {end}", tone, "run       "),
        TextLine(" ".join(run.command_line), "dim", "          "),
    ]


def _disk(session: Session, path: Path) -> list[TextLine]:
    text = str(path.relative_to(session.root)) if path.is_relative_to(session.root) else str(path)
    marks = "? marks files that neither a registry nor a rerun's ledger knows, ! links that lead nowhere."
    return [TextLine(text, "title"), TextLine(marks, "dim")]
