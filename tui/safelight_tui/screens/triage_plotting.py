"""The part of triage that draws: residuals of the CCD under the cursor, metrics over its night."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from textual.timer import Timer

from safelight.errors import SafelightError
from safelight_tui.marks.reading import Judged
from safelight_tui.metrics.drawing import Draw, sentence
from safelight_tui.metrics.night import night_plot
from safelight_tui.metrics.plots import PLOTS, color_plot, magnitude_plot
from safelight_tui.metrics.residuals import Residuals, read_residuals
from safelight_tui.metrics.rows import data_id_of, full_id
from safelight_tui.metrics.wcs_plot import wcs_plot
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.widgets.plot_view import PlotView

__all__ = ["PlottingScreen"]

SETTLE_S = 0.15
"""Rest of the cursor before a CCD's residuals are read."""
_KEPT = 64
_OVER_THE_NIGHT = {"seeing": "fwhm_arcsec", "zeropoint": "zeropoint_mag"}


class PlottingScreen(ModeScreen):
    """A screen with judged rows and a `PlotView` called ``#plot``."""

    def __init__(self) -> None:
        super().__init__()
        self._judged: Judged | None = None
        self._per_visit = False
        self._plot = "wcs"
        self._every_star: bool | None = None
        self._residuals: OrderedDict[tuple[str, str], Residuals | SafelightError] = OrderedDict()
        self._times: dict[Any, float] = {}
        self._reading_times = False
        self._settling: Timer | None = None

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """All CCDs of the rerun."""
        return self._judged.rows if self._judged is not None else ()

    @property
    @abstractmethod
    def current(self) -> Mapping[str, Any] | None:
        """The row under the cursor."""

    def forget_plots(self) -> None:
        """Another rerun is shown."""
        self._residuals.clear()
        self._times.clear()

    def _draw(self) -> None:
        self.query_one("#plot", PlotView).show(self._drawing(self.current))

    def _drawing(self, row: Mapping[str, Any] | None) -> Draw:
        if self._plot in _OVER_THE_NIGHT:
            return self._over_the_night(_OVER_THE_NIGHT[self._plot], row)
        if row is None or self._per_visit:
            return sentence(f"{PLOTS[self._plot]} is of one CCD (t shows CCDs, m another plot)" if row else "")
        if not str(row.get("status")).startswith("done"):
            return sentence(str(row.get("message") or "no result"))
        found = self._residuals.get(self._key(row))
        if found is None:
            self._read_soon()
            return sentence(f"{PLOTS[self._plot]}: reading")
        if isinstance(found, SafelightError):
            return sentence(found.message)
        if self._plot == "wcs":
            return wcs_plot(found, every_star=self._every_star)
        return {"magnitude": magnitude_plot, "color": color_plot}[self._plot](found)

    def action_next_plot(self) -> None:
        """The next plot."""
        names = list(PLOTS)
        self._plot = names[(names.index(self._plot) + 1) % len(names)]
        self._draw()

    def action_every_star(self) -> None:
        """Each star, means of parts of the CCD, or what can be read."""
        order = (None, True, False)
        self._every_star = order[(order.index(self._every_star) + 1) % len(order)]
        self._plot = "wcs"
        self._draw()

    # --- residuals --------------------------------------------------------------------------------------------------

    def _key(self, row: Mapping[str, Any]) -> tuple[str, str]:
        return (self._judged.rerun if self._judged else "", repr(data_id_of(row)))

    def _read_soon(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE_S, self._read_residuals)

    def _read_residuals(self) -> None:
        row, judged, session = self.current, self._judged, self.session
        if row is None or judged is None or session is None or self._key(row) in self._residuals:
            return
        key, data_id = self._key(row), full_id(row)
        root, rerun = session.root, judged.rerun

        def work(_: Any) -> Residuals:
            from safelight.butler.butler import Butler

            return read_residuals(Butler(root, rerun=rerun), data_id)

        self.shell.controller.ask(
            work,
            lambda found: self._keep(key, found),
            failed=lambda error: self._keep(key, error),
            group="triage residuals",
        )

    def _keep(self, key: tuple[str, str], found: Residuals | SafelightError) -> None:
        self._residuals[key] = found
        while len(self._residuals) > _KEPT:
            self._residuals.popitem(last=False)
        self._draw()

    # --- over the night ---------------------------------------------------------------------------------------------

    def _over_the_night(self, metric: str, row: Mapping[str, Any] | None) -> Draw:
        missing = [one for one in self.rows if one.get("visit") is not None and one["visit"] not in self._times]
        if missing:
            self._read_times(missing)
        return night_plot(self.rows, metric, None if missing else self._times, row.get("visit") if row else None)

    def _read_times(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if self._reading_times:
            return
        data_ids = [full_id(row) for row in rows]

        def work(butler: Any) -> dict[Any, float]:
            from safelight.processccd.visittimes import visit_times

            return visit_times(butler, data_ids)

        def taken(times: dict[Any, float]) -> None:
            self._reading_times = False
            self._times.update(times)
            self._draw()

        def failed(error: SafelightError) -> None:
            self._reading_times = False
            self.shell.show_error(error)

        job = self.shell.controller.ask(work, taken, failed=failed, group="triage times")
        self._reading_times = job is not None
