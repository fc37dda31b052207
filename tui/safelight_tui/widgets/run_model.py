"""The CCDs of a run as a table: state, stages, times. Cells are made for the rows in view only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from safelight_tui.runs.figures import stage_line
from safelight_tui.session.reruns import CcdState, RunView
from safelight_tui.widgets.status import ALARM_SIGN
from safelight_tui.widgets.table_model import Cell, Column

__all__ = ["RunModel"]


class RunModel:
    """A `TableModel` of one run; ids are places in the plan.

    Parameters
    ----------
    run : RunView
    now : callable
        The time, Unix seconds.
    width : int
        Characters the table has.
    ringing : callable
        Sentences of the alarms that a CCD is beyond.
    metric : str
        The metric that has a column.
    """

    def __init__(
        self,
        run: RunView | None,
        now: Callable[[], float],
        width: int = 80,
        ringing: Callable[[CcdState], Sequence[str]] = lambda state: (),
        metric: str = "fwhm_arcsec",
    ) -> None:
        self._names = list(run.ccds) if run is not None else []
        self._states = list(run.ccds.values()) if run is not None else []
        self._now = now
        self._ringing = ringing
        self._metric = metric
        self.columns: Sequence[Column] = (
            Column("visit", "visit", 7, right=True, frozen=True),
            Column("ccd", "ccd", 3, right=True, frozen=True),
            Column("state", "state", 19),
            Column("metric", metric[:11], 11, right=True),
            Column("stages", "stages", max(30, width - 49)),
        )

    @property
    def id_count(self) -> int:
        """CCDs of the plan."""
        return len(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def name(self, row: int) -> str:
        """What a CCD is called in the run."""
        return self._names[row]

    def place_of_name(self, name: str) -> int | None:
        """Where a CCD stands."""
        return self._names.index(name) if name in self._names else None

    def window(self, start: int, stop: int) -> Sequence[Sequence[Cell]]:
        """Cells of some rows."""
        return [self._row(state) for state in self._states[start:stop]]

    def row_ids(self, start: int, stop: int) -> NDArray[np.integer]:
        """Places are ids."""
        return np.arange(start, min(stop, len(self._names)))

    def place_of(self, row_id: int) -> int | None:
        """Ids are places."""
        return row_id if 0 <= row_id < len(self._names) else None

    def _row(self, state: CcdState) -> list[Cell]:
        alarms = self._ringing(state)
        tone = "bad" if alarms else state.tone
        sign = f"{ALARM_SIGN} " if alarms else ""
        value = state.metrics.get(self._metric)
        return [
            Cell(str(state.data_id.get("visit", ""))),
            Cell(str(state.data_id.get("ccd", ""))),
            Cell(sign + state.word, tone),
            Cell("--" if value is None else f"{value:.4g}", "dim" if value is None else ""),
            Cell("  ".join([_what(state, self._now()), *alarms]), tone),
        ]


def _what(state: CcdState, now: float) -> str:
    if state.status.letter in "FB":
        return f"{state.code}: {state.message}"
    if state.status.letter == "V":
        return f"{state.seconds:.1f}s  " + " ".join(code for code, _ in state.caveats)
    if state.status.letter == "D":
        return f"{state.seconds:.1f}s"
    return stage_line(state, now) if state.status.at_work else state.message
