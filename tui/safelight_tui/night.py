"""What an observer is told without looking: bells and alarms, the terminal's title, a disk that hangs; and following.

One object of the application, used in the event loop only. It never waits: what it knows of disks and runs comes from
the feed and from the watch on the mount.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import SafelightError, UsageError
from safelight.processccd.alarms import Alarm, parse_alarms
from safelight.settings import Settings, change_setting
from safelight_tui.runs.alarms import AlarmWatch
from safelight_tui.runs.bells import Bells, Ring
from safelight_tui.session.following import newest_row
from safelight_tui.session.mount import MountWatch
from safelight_tui.widgets.header_line import run_words

if TYPE_CHECKING:
    from safelight_tui.app import SafelightApp
    from safelight_tui.session.reruns import FeedSnapshot
    from safelight_tui.session.session import Session

__all__ = ["NightWatch", "Notice"]

_KEPT = 500


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that rang. `time` in Unix seconds."""

    time: float
    ring: Ring


class NightWatch:
    """Watches for the observer.

    Parameters
    ----------
    app : SafelightApp
        To be rung, titled and told.
    settings : Settings
        Which alarms, whether to ring and to set the title.
    """

    def __init__(self, app: SafelightApp, settings: Settings) -> None:
        self._app = app
        self.settings = settings
        self.bells = Bells()
        self.alarms = AlarmWatch(parse_alarms(settings.alarms))
        self.notices: deque[Notice] = deque(maxlen=_KEPT)
        self.following = settings.follow
        self._ccd: Any = None  # that is looked at in every visit while following
        self._mount: MountWatch | None = None

    # --- repositories -----------------------------------------------------------------------------------------------

    def opened(self, root: Path) -> None:
        """Another repository is open."""
        self.left()
        self.bells = Bells()
        self.alarms = AlarmWatch(self.alarms.alarms)
        self._mount = MountWatch(root)
        self._mount.start()

    def left(self) -> None:
        """No repository is open."""
        if self._mount is not None:
            self._mount.stop()
        self._mount = None

    @property
    def mount_silent_s(self) -> float:
        """Seconds for which the repository's disk has not answered; 0 while that is soon enough."""
        silent = self._mount.silent_s if self._mount is not None else 0.0
        return silent if silent >= self.settings.mount_s else 0.0

    # --- what rings -------------------------------------------------------------------------------------------------

    def take(self, feed: FeedSnapshot) -> None:
        """Look at a newer picture: ring for what is new, and show the title."""
        rings = [*self.bells.notice(feed), *self.alarms.notice(feed)]
        for ring in rings:
            self.notices.append(Notice(self._app.clock(), ring))
            self._app.say(ring.text, severity="error" if ring.bad else "information")
        if rings and self.settings.bell:
            self._app.bell()
        self.show_title(feed)

    def show_title(self, feed: FeedSnapshot) -> None:
        """Put the runs into the terminal's title: those that go on, else how the last one ended."""
        set_title = getattr(self._app._driver, "set_title", None)
        session = self._app.session
        if set_title is None or session is None or not self.settings.title:
            return
        words = run_words(feed).removeprefix("run ") or self.bells.last_ended
        alarms = sum(notice.ring.alarm for notice in self.notices)
        parts = [words, f"{alarms}A" if alarms else "", "" if words else "safelight", session.name]
        set_title(" ".join(part for part in parts if part))

    # --- alarms -----------------------------------------------------------------------------------------------------

    def alarm_command(self, text: str) -> None:
        """``:alarm``: say which there are; ``:alarm off``; ``:alarm fwhm_arcsec>1.2`` sets and keeps them."""
        if not text:
            self._say_alarms(self.alarms.alarms)
            return
        try:
            alarms = () if text == "off" else parse_alarms([text])
        except UsageError as error:
            self._app.show_error(error)
            return
        self.change_alarms(alarms)
        self._keep(alarms)

    def change_alarms(self, alarms: tuple[Alarm, ...]) -> None:
        """Let other alarms ring from now on."""
        session = self._app.session
        beyond = self.alarms.change(alarms, session.feed) if session is not None else 0
        self._say_alarms(alarms, beyond)
        self._app.tell("feed", "marks")

    def _say_alarms(self, alarms: Sequence[Alarm], beyond: int | None = None) -> None:
        if not alarms:
            self._app.say("No alarms. For instance :alarm fwhm_arcsec>1.2 zeropoint_mag<median-0.3")
            return
        now = f"; {beyond} CCDs are beyond now (only new ones ring)" if beyond else ""
        self._app.say(f"Alarms: {' '.join(map(str, alarms))}{now}")

    def _keep(self, alarms: tuple[Alarm, ...]) -> None:
        """Write them into the settings file, in a thread."""
        path = self.settings.path
        if path is None:
            self._app.say("Not kept: the application was started with --safe.", severity="warning")
            return
        texts = [str(alarm) for alarm in alarms]

        def refused(error: SafelightError) -> None:
            self._app.say(f"The alarms hold, but were not kept: {error.message}", severity="warning")

        self._app.jobs.start(
            lambda job: change_setting(path, "alarms", texts), lambda settings: None, failed=refused, group="settings"
        )

    # --- following --------------------------------------------------------------------------------------------------

    def toggle_following(self) -> None:
        """Follow the newest visit, or stay."""
        self.following = not self.following
        session = self._app.session
        if not self.following:
            self._app.notify("Staying here.", timeout=2)
        elif session is not None:
            self._ccd = _ccd_of(session)
            self._app.notify("Following the newest visit.", timeout=2)
            self.follow()

    def pause_following(self) -> None:
        """The user has moved: stay, and say so."""
        if self.following:
            self.following = False
            self._app.notify("Following is paused: you moved. f follows again.", timeout=4)

    def follow(self) -> None:
        """While following: put the cursor of all screens on the newest visit."""
        session = self._app.session
        if not self.following or session is None:
            return
        if self._ccd is None:
            self._ccd = _ccd_of(session)
        row = newest_row(session, self._ccd)
        if row is not None and row != session.cursor_row:
            session.cursor_row = row
            self._app.tell("cursor")


def _ccd_of(session: Session) -> Any:
    row = session.cursor_row
    known = row is not None and row < session.catalogue.size and "ccd" in session.catalogue.columns
    return session.catalogue.value(row, "ccd") if known and row is not None else None
