"""Image: the pixels of the CCD under the cursor, what lies on them, and what imexamine's keys tell of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from safelight.errors import SafelightError
from safelight.processccd.mosaic import Mosaic
from safelight.processccd.viewing import VIEW_KINDS
from safelight_tui.actions import ACTIONS
from safelight_tui.images.reading import Shown, Wanted, read_mosaic_of, read_shown
from safelight_tui.images.readout import look_line, mosaic_line, pixel_line
from safelight_tui.jobs import Job
from safelight_tui.pixels.overlay import Label
from safelight_tui.screens.image_blinking import BlinkingScreen
from safelight_tui.widgets.image_view import ImageView, Picture
from safelight_tui.widgets.plot_view import PlotView
from safelight_tui.widgets.prompt_line import PromptLine
from safelight_tui.widgets.text_pane import TextPane

__all__ = ["ImageScreen"]


@final
class ImageScreen(BlinkingScreen):
    """An image between a line about it and a line about the pixel under the cursor; results of examining below."""

    MODE = "image"
    PURPOSE = (
        "look at pixels. Arrows move the cursor, ( ) zoom, PgUp PgDn Home End pan; letters examine the place under the "
        "cursor as IRAF's imexamine does. o source, x match, * reference star without a source; mask planes by their "
        "letters (p lists and switches them): B bad, S saturated, C cosmic ray, N no data, U suspect, K crosstalk, "
        "E edge, I interpolated."
    )
    BINDINGS = ACTIONS.bindings("image", "following")

    DEFAULT_CSS = """
    ImageScreen > .line { height: 1; background: $panel; padding: 0 1; }
    ImageScreen #result { height: 12; display: none; border-top: solid $panel; }
    ImageScreen #result.-open { display: block; }
    ImageScreen #numbers { width: 1fr; }
    ImageScreen #curve { width: 1fr; display: none; border-left: solid $panel; }
    ImageScreen #curve.-open { display: block; }
    """

    class MosaicGrew(Message):
        """More CCDs of a mosaic have been read."""

        def __init__(self, job: Job, mosaic: Mosaic) -> None:
            super().__init__()
            self.job, self.mosaic = job, mosaic

    def __init__(self) -> None:
        super().__init__()
        self._kind: str | None = None  # None: the best there is
        self._mosaic_job: Job | None = None

    def compose_body(self) -> ComposeResult:
        """Line, image, results, line."""
        yield Static("", id="about", classes="line", markup=False)
        yield ImageView()
        with Horizontal(id="result"):
            yield TextPane(id="numbers")
            yield PlotView(id="curve")
        yield Static("", id="pixel", classes="line", markup=False)
        yield PromptLine()

    def first_pane(self) -> Widget | None:
        """The image."""
        return self.view

    def panes_made(self) -> None:
        """Focus the image."""
        self.query_one("#numbers", TextPane).can_focus = False
        self.view.focus()

    def holding(self) -> Collection[str]:
        """Whether there is an image, and another to blink with."""
        holds = ["image"] if self.view.picture is not None else []
        return [*holds, "second_image"] if self._other is not None else holds

    # --- which image ------------------------------------------------------------------------------------------------

    def session_changed(self, what: frozenset[str]) -> None:
        """Show the CCD under the cursor of the table of data IDs."""
        if what & {"session", "cursor", "catalogue"} or self._shown is None:
            self._want()
        elif "feed" in what and self.shell.night.following and self._mosaic is None:
            self._want()  # the frame that is followed may have been calibrated

    def _row(self) -> int | None:
        session = self.session
        if session is None or not session.catalogue.size:
            return None
        if session.cursor_row is not None and session.cursor_row < session.catalogue.size:
            return session.cursor_row
        first = session.selection.window(0, 1)
        return int(first[0]) if len(first) else None

    def _want(self) -> None:
        session, row = self.session, self._row()
        if session is None or row is None:
            self._say("no frames in this repository")
            return
        rerun = session.rerun
        state = session.state(row)
        done = state is not None and state.status.letter in "DVS"
        kind = self._kind or ("calexp" if done else "raw")
        catalogue = session.catalogue
        data_id = catalogue.data_id(row)
        wanted = Wanted(session.root, rerun.name if rerun is not None else None, kind, data_id, catalogue.name(row))
        if self._wanted is not None and wanted.key == self._wanted.key and wanted.root == self._wanted.root:
            return
        self._wanted = wanted
        self._end_mosaic()
        kept = self._images.find(wanted)
        if kept is not None:
            self._show(kept)
            return
        self._say(f"reading {kind} {wanted.name}")
        self.shell.controller.ask(lambda butler: read_shown(wanted), self._take, failed=self._refused, group="image")

    def _refused(self, error: SafelightError) -> None:
        self._shown = None
        self.view.why_empty = f"{error.message} {error.hint}".strip()
        self.view.show(None)
        self._say(self.view.why_empty)
        self.query_one("#pixel", Static).update("i another kind of image")
        self.refresh_footer()

    def _take(self, shown: Shown) -> None:
        self._images.keep(shown)
        self._show(shown)

    def _show(self, shown: Shown) -> None:
        before = self._shown
        same_ccd = before is not None and before.wanted.name == shown.wanted.name
        same_shape = before is not None and before.picture.pixels.shape == shown.picture.pixels.shape
        self._shown = shown
        if not same_ccd:
            self._forget_other()
            self._close_result()
        self.view.show(shown.picture, self._other.picture if self._other else None, keep_view=same_shape and same_ccd)
        self._dress()
        self.refresh_footer()

    def action_follow(self) -> None:
        """Follow the newest visit, or stay."""
        self.shell.night.toggle_following()

    def followed_panes(self) -> Collection[Widget]:
        """The image."""
        return (self.view,)

    def action_next_kind(self) -> None:
        """Raw, after ISR, calibrated."""
        kinds = list(VIEW_KINDS)
        now = self._wanted.kind if self._wanted is not None else "raw"
        self._kind = kinds[(kinds.index(now) + 1) % len(kinds)] if now in kinds else kinds[0]
        self._want()

    def action_next_ccd(self) -> None:
        """The next CCD of the selection."""
        self._step(1)

    def action_previous_ccd(self) -> None:
        """The CCD before."""
        self._step(-1)

    def _step(self, step: int) -> None:
        session, row = self.session, self._row()
        if session is None or row is None:
            return
        place = session.selection.place_of(row)
        rows = session.selection.window(max(0, (place if place is not None else -1) + step), len(session.selection))
        if len(rows) and (place is None or place + step >= 0):
            session.cursor_row = int(rows[0])
            self._want()

    # --- lines ------------------------------------------------------------------------------------------------------

    def _describe(self) -> None:
        view = self.view
        if self._mosaic is not None:
            mosaic = self._mosaic
            state = "" if mosaic.done == mosaic.total else f"  {mosaic.done} of {mosaic.total} CCDs"
            wrong = f"  {len(mosaic.failures)} cannot be read" if mosaic.failures else ""
            self._say(f"{mosaic.kind} visit {mosaic.visit}{state}{wrong}  {view.stretch.value} {view.colours.value}")
        elif self._shown is not None:
            other = self._other.title if self._other is not None else ""
            self._say(look_line(self._shown, view, self._overlays, other, blinking=self.blinking))
        if view.picture is not None:
            x, y = view.cursor
            self._tell_pixel(x, y, view.picture.value(x, y))

    def on_image_view_cursor_moved(self, event: ImageView.CursorMoved) -> None:
        """Say what is under the cursor."""
        self._tell_pixel(event.x, event.y, event.value)

    def _tell_pixel(self, x: int, y: int, value: float) -> None:
        line = ""
        if self._mosaic is not None:
            line = mosaic_line(self._mosaic, x, y, value)
        elif self._shown is not None:
            line = pixel_line(self._shown, x, y, value, self.size.width - 2)
        self.query_one("#pixel", Static).update(line)

    # --- mosaic -----------------------------------------------------------------------------------------------------

    def action_mosaic(self) -> None:
        """The whole visit; again: the CCD under the cursor."""
        if self._mosaic is not None:
            self._open_ccd(self._mosaic)
            return
        session, wanted = self.session, self._wanted
        if session is None or wanted is None or "visit" not in wanted.data_id:
            self.notify("Only frames of a visit make a mosaic.", severity="warning")
            return
        catalogue = session.catalogue
        rows = catalogue.columns["visit"].equal_to(wanted.data_id["visit"]).rows().tolist()
        data_ids = [catalogue.data_id(row) for row in rows]
        self._say(f"reading the {len(rows)} CCDs of visit {wanted.data_id['visit']}")

        def work(job: Job) -> Mosaic:
            def progress(mosaic: Mosaic) -> None:
                self.post_message(self.MosaicGrew(job, mosaic))

            return read_mosaic_of(wanted, data_ids, progress, job.cancelled.is_set)

        self._mosaic_job = self.shell.jobs.start(work, self._show_mosaic, failed=self._no_mosaic, group="mosaic")

    def _no_mosaic(self, error: SafelightError) -> None:
        self.shell.show_error(error)
        self._describe()

    def on_image_screen_mosaic_grew(self, event: MosaicGrew) -> None:
        """Show what there is of it."""
        if event.job is self._mosaic_job and not event.job.cancelled.is_set():
            self._show_mosaic(event.mosaic)

    def _show_mosaic(self, mosaic: Mosaic) -> None:
        grown = self._mosaic is not None
        self._mosaic = mosaic
        self._close_result()
        labels = [Label(*mosaic.centre_of(detector), str(detector.id)) for detector in mosaic.detectors]
        self.view.show(Picture(mosaic.image, f"visit {mosaic.visit}", labels=labels), keep_view=grown)
        if mosaic.done == mosaic.total and mosaic.failures:
            self.notify("\n".join(mosaic.failures[:5]), severity="warning", markup=False)
        self._describe()

    def _end_mosaic(self) -> None:
        if self._mosaic_job is not None:
            self._mosaic_job.cancelled.set()
        self._mosaic = self._mosaic_job = None

    def _open_ccd(self, mosaic: Mosaic) -> None:
        found, session, wanted = mosaic.ccd_at(*self.view.cursor), self.session, self._wanted
        row = None
        if found is not None and session is not None and wanted is not None:
            row = session.catalogue.row_of({**wanted.data_id, "ccd": found[0]})
        self._end_mosaic()
        self._wanted = None
        self._shown = None
        if row is not None and session is not None:
            session.cursor_row = row
        self._want()
