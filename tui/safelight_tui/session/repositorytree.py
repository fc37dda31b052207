"""The repository as a tree of what its registries know, narrowed by the filter."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from safelight_tui.catalogue import Bitset
from safelight_tui.session.holdings import CalibrationSet
from safelight_tui.session.reruns import RerunView
from safelight_tui.session.session import Session
from safelight_tui.widgets.tree_view import TreeItem

__all__ = ["LEVELS", "RepositoryTree", "branch_values"]

LEVELS = ("field", "dateObs", "filter", "visit", "ccd")
"""Keys of the levels below the raw frames; those that the camera lacks are left out."""

_TITLES = {"calib": "calibrations", "refcat": "ref. catalogues", "rerun": "reruns"}


def branch_values(key: Hashable) -> dict[str, Any] | None:
    """The data-ID values that a branch of the raw frames stands for; None for other lines."""
    if isinstance(key, tuple) and key and key[0] == "raw":
        return dict(key[1:])
    return None


class RepositoryTree:
    """A `TreeModel` of a session as it is now. Keys: ``("raw", (key, value), …)``, ``("calib", kind, number)``,
    ``("refcat", name)``, ``("rerun", name)``, ``("run", rerun, run)``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._catalogue = session.catalogue
        self._levels = [key for key in LEVELS if key in session.catalogue.columns]
        self._view = session.filter.view

    def roots(self) -> Sequence[TreeItem]:
        """Raw frames, calibrations, reference catalogues, reruns."""
        holdings, feed = self._session.feed.holdings, self._session.feed
        total, seen = self._catalogue.size, len(self._view)
        masters = sum(len(group.ccds) for sets in holdings.calibrations.values() for group in sets)
        more = "" if self._catalogue.complete else "+"
        return [
            TreeItem(("raw",), "raw", f"{total}{more}" if seen == total else f"{seen}/{total}{more}", "title", True),
            self._root("calib", masters),
            self._root("refcat", len(holdings.catalogues)),
            self._root("rerun", len(feed.reruns)),
        ]

    @staticmethod
    def _root(name: str, count: int) -> TreeItem:
        return TreeItem((name,), _TITLES[name], str(count), "title", count > 0)

    def children(self, key: Hashable) -> Sequence[TreeItem]:
        """The lines below a branch."""
        assert isinstance(key, tuple)
        kind, *rest = key
        if kind == "raw":
            return self._raw(rest)
        if kind == "calib":
            return self._masters(rest[0]) if rest else self._kinds()
        if kind == "refcat":
            return [TreeItem(("refcat", c.name), c.name, str(c.shards)) for c in self._session.feed.holdings.catalogues]
        if kind == "rerun":
            return self._below_rerun(rest[0]) if rest else [self._rerun(r) for r in self._session.feed.reruns.values()]
        return []

    # --- raw frames -------------------------------------------------------------------------------------------------

    def _raw(self, chosen: Sequence[tuple[str, Any]]) -> list[TreeItem]:
        if len(chosen) >= len(self._levels):
            return []
        rows: Bitset = self._view
        for name, value in chosen:
            rows = rows & self._catalogue.columns[name].equal_to(value)
        level = self._levels[len(chosen)]
        last = len(chosen) + 1 == len(self._levels)
        return [
            TreeItem(("raw", *chosen, (level, value)), self._label(level, value), "" if last else str(count), "",
                     not last)
            for value, count in self._catalogue.columns[level].counts(rows).items()
            if count
        ]  # fmt: skip

    def _label(self, level: str, value: Any) -> str:
        text = "(none)" if value is None else str(value)
        return f"ccd {text}" if level == "ccd" else text

    # --- calibrations -----------------------------------------------------------------------------------------------

    def _kinds(self) -> list[TreeItem]:
        return [
            TreeItem(("calib", kind), kind, str(sum(len(group.ccds) for group in sets)), "", bool(sets))
            for kind, sets in self._session.feed.holdings.calibrations.items()
        ]

    def _masters(self, kind: str) -> list[TreeItem]:
        sets = self._session.feed.holdings.calibrations.get(kind, ())
        return [
            TreeItem(
                ("calib", kind, number),
                group.calib_date[:10] + (f" {group.filter}" if group.filter not in ("", "NONE") else ""),
                str(len(group.ccds)),
                note=_validity(group),
            )
            for number, group in enumerate(sets)
        ]

    # --- reruns -----------------------------------------------------------------------------------------------------

    def _rerun(self, rerun: RerunView) -> TreeItem:
        chosen = self._session.rerun
        live = rerun.live_run
        tone = "bad" if rerun.trouble else ("new" if live else "")
        star = "*" if chosen is not None and chosen.name == rerun.name else " "
        count = f"run {live.done}/{len(live.ccds)}" if live else rerun.summary
        return TreeItem(("rerun", rerun.name), f"{star}{rerun.name}", count, tone, True)

    def _below_rerun(self, name: str) -> list[TreeItem]:
        rerun = self._session.feed.reruns.get(name)
        if rerun is None:
            return []
        root = str(self._session.root)
        parents = [path.removeprefix(root + "/rerun/") if path != root else "the raw frames" for path in rerun.parents]
        lines = [TreeItem(("parent", name, parent), f"from {parent}", "", "dim") for parent in parents]
        for run in reversed(rerun.runs):
            if run.live:
                state, tone = f"{run.done}/{len(run.ccds)}", "new"
            elif run.died:
                state, tone = "died", "bad"
            else:
                state, tone = f"exit {run.exit_code}", "" if run.exit_code == 0 else "caveat"
            lines.append(TreeItem(("run", name, run.run), _when(run.run), state, tone))
        return lines


def _validity(group: CalibrationSet) -> str:
    """``13-05-07..14-05-02``: short, for the tree is narrow; the detail pane has it in full."""
    return f"{group.valid_start[2:10]}..{group.valid_end[2:10]}"


def _when(run: str) -> str:
    """``20261122T205215.685Z-19707`` as ``11-22 20:52``; another name as it is."""
    if len(run) > 15 and run[8] == "T" and run[:8].isdigit():
        return f"{run[4:6]}-{run[6:8]} {run[9:11]}:{run[11:13]}:{run[13:15]}"
    return run
