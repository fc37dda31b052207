"""The one feed: a thread that reads registry, ledgers and journals and tells the application up to ten times a second.

It folds what it reads into immutable pictures (`FeedSnapshot`, `Catalogue`). A message carries the whole picture, so
that a newer one can take the place of one that was not yet handled. Screens hold no truth of their own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual.message import Message

from safelight.errors import SafelightError
from safelight_tui.session.holdings import Holdings, HoldingsReader
from safelight_tui.session.reruns import NOTHING_KNOWN, FeedSnapshot, RerunView

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight_tui.session.catalogue import Catalogue, CatalogueLoader
    from safelight_tui.session.rerunreader import RerunReader

__all__ = ["CatalogueChanged", "Feed", "FeedChanged"]

LOG = logging.getLogger("safelight.tui")

LIVE_S = 0.1
_IDLE_S = 0.5
_LISTING_S = 2.0
_SIGN_OF_LIFE_S = 5.0


class FeedChanged(Message):
    """Reruns, runs or CCDs are not what they were."""

    def __init__(self, feed: Feed, snapshot: FeedSnapshot) -> None:
        super().__init__()
        self.feed, self.snapshot = feed, snapshot

    def can_replace(self, message: Message) -> bool:
        """Only the newest picture counts."""
        return isinstance(message, FeedChanged) and message.feed is self.feed


class CatalogueChanged(Message):
    """More raw frames are known."""

    def __init__(self, feed: Feed, catalogue: Catalogue) -> None:
        super().__init__()
        self.feed, self.catalogue = feed, catalogue

    def can_replace(self, message: Message) -> bool:
        """Only the newest catalogue counts."""
        return isinstance(message, CatalogueChanged) and message.feed is self.feed


class Feed(threading.Thread):
    """Reads one repository until told to stop.

    Parameters
    ----------
    butler : Butler
        Of the repository.
    post : callable
        ``App.post_message``; called in this thread.
    """

    def __init__(self, butler: Butler, post: Callable[[Message], object]) -> None:
        super().__init__(name="feed", daemon=True)
        self._butler = butler
        self._post = post
        self._stop_asked = threading.Event()
        self._nudged = threading.Event()
        self._readers: dict[str, RerunReader] = {}
        self._listed_at = 0.0
        self._holdings = HoldingsReader(butler)
        self._holdings_at = -1.0
        self._loader: CatalogueLoader | None = None
        self._registry_stamp: tuple[int, int, int] | None = None
        self._newest_frame = 0.0
        self._told_at = 0.0
        self._rounds = 0
        self.snapshot = NOTHING_KNOWN
        self._read: tuple[Mapping[str, RerunView], Holdings] = self.snapshot.reruns, self.snapshot.holdings

    @property
    def rounds(self) -> int:
        """How often everything was looked at; tests wait on it."""
        return self._rounds

    def stop(self) -> None:
        """End soon; does not wait."""
        self._stop_asked.set()
        self._nudged.set()

    def nudge(self) -> None:
        """Look at once: something was started."""
        self._listed_at = 0.0
        self._nudged.set()

    def run(self) -> None:
        """Go round."""
        while not self._stop_asked.is_set():
            self._nudged.clear()
            # Runs are followed also while the registry is away.
            no_frames = self._attempt(self._read_catalogue)
            no_reruns = self._attempt(self._read_reruns_and_holdings)
            reruns, holdings = (self.snapshot.reruns, self.snapshot.holdings) if no_reruns else self._read
            trouble = no_frames or no_reruns
            self._tell(reruns, holdings, trouble)
            self._rounds += 1
            self._nudged.wait(LIVE_S if self.snapshot.live_runs else _IDLE_S)

    @staticmethod
    def _attempt(read: Callable[[], None]) -> str:
        """Why something cannot be read, in a sentence; empty when it can."""
        try:
            read()
        except SafelightError as error:
            return error.message
        except OSError as error:
            place = f"{error.filename} " if error.filename else ""
            return f"{place}cannot be read: {error.strerror or error}."
        except Exception as error:  # the feed must outlive what it reads
            LOG.exception("the feed failed")
            return f"{type(error).__name__}: {error}."
        return ""

    def _read_reruns_and_holdings(self) -> None:
        self._read = self._read_reruns(), self._read_holdings()

    def _tell(self, reruns: Mapping[str, RerunView], holdings: Holdings, trouble: str) -> None:
        old = self.snapshot
        new = FeedSnapshot(reruns, holdings, self._newest_frame, old.read_at if trouble else time.time(), trouble)
        self.snapshot = new
        changed = reruns is not old.reruns or holdings is not old.holdings
        changed |= trouble != old.trouble or new.newest_frame != old.newest_frame
        changed |= new.read_at - self._told_at > _SIGN_OF_LIFE_S
        if (changed or not self._rounds) and not self._stop_asked.is_set():
            self._told_at = new.read_at
            self._post(FeedChanged(self, new))

    # --- raw frames -------------------------------------------------------------------------------------------------

    def _read_catalogue(self) -> None:
        registry = self._butler.registry
        status = registry.path.stat()
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp == self._registry_stamp:
            return
        from safelight_tui.session.catalogue import CatalogueLoader

        if self._loader is None or self._registry_stamp is None or self._registry_stamp[0] != stamp[0]:
            self._loader = CatalogueLoader(registry)
        for catalogue in self._loader.read():
            if self._stop_asked.is_set():
                return
            self._post(CatalogueChanged(self, catalogue))
            self._newest_frame = self._age_of_newest(catalogue)
        self._registry_stamp = stamp

    def _age_of_newest(self, catalogue: Catalogue) -> float:
        if not catalogue.size:
            return 0.0
        data_id = catalogue.data_id(catalogue.size - 1)
        try:
            return self._butler.uri("raw", data_id).stat().st_mtime
        except (SafelightError, OSError):
            return 0.0

    # --- reruns -----------------------------------------------------------------------------------------------------

    def _read_holdings(self) -> Holdings:
        if self._listed_at != self._holdings_at:
            self._holdings_at = self._listed_at
            return self._holdings.read()
        return self._holdings.holdings

    def _read_reruns(self) -> Mapping[str, RerunView]:
        due = time.monotonic() - self._listed_at > _LISTING_S
        if due:
            self._list_reruns()
            self._listed_at = time.monotonic()
        # Where nothing goes on, directories are looked at seldom: they may be many, on a network disk.
        views = {name: r.read() if due or r.view.live_run else r.view for name, r in self._readers.items()}
        old = self.snapshot.reruns
        if len(views) == len(old) and all(old.get(name) is view for name, view in views.items()):
            return old
        return MappingProxyType(views)

    def _list_reruns(self) -> None:
        from safelight.butler.rerun import list_reruns
        from safelight_tui.session.rerunreader import RerunReader

        root: Path = self._butler.root
        names = list_reruns(root)
        for name in names:
            if name not in self._readers:
                self._readers[name] = RerunReader(name, root / "rerun" / name)
        for name in self._readers.keys() - set(names):
            del self._readers[name]
