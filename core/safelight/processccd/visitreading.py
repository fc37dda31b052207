"""The CCDs of a visit as its judgement needs them: results from the ledger, WCSs from headers; no pixel is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from safelight.errors import SafelightError
from safelight.processccd.ledger import RecordedCcd
from safelight.processccd.outcome import ccd_key

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.calibrate.first_wcs import FirstWcs
    from safelight.exposure import SkyWcs
    from safelight.processccd.config import ProcessCcdConfig

__all__ = ["FROM_VISIT", "VisitMember", "VisitReader"]

#: Caveats of results that come from the visit already: they say nothing about it.
FROM_VISIT = {"wcs": "WCS_FROM_VISIT", "zeropoint": "ZEROPOINT_FROM_VISIT"}


@dataclass(slots=True)
class VisitMember:
    """One CCD of a visit that has a place in the camera."""

    ccd: RecordedCcd
    first: FirstWcs
    width: int
    height: int
    fitted: SkyWcs | None  # None: it has no WCS of its own stars
    codes: set[str] = field(default_factory=set)
    flats: str | None = None  # the flats that its own was built with; "": they do not say; None: it has no flat

    @property
    def key(self) -> str:
        """Its name in a run."""
        return ccd_key(self.ccd.data_id)

    def metric(self, name: str) -> float:
        """A metric; NaN where it was not measured."""
        value = self.ccd.metrics.get(name)
        return float(value) if value is not None else math.nan

    @property
    def has_wcs(self) -> bool:
        """Whether its WCS is its own and says how good it is."""
        return self.fitted is not None and math.isfinite(self.metric("wcs_error_mas"))

    @property
    def has_zeropoint(self) -> bool:
        """Whether its zeropoint is its own and says how good it is."""
        known = math.isfinite(self.metric("zeropoint_mag")) and math.isfinite(self.metric("zeropoint_error_mag"))
        return self.ccd.status.startswith("done") and known and FROM_VISIT["zeropoint"] not in self.codes


class VisitReader:
    """Reads members of visits; `problems` says, in sentences, which CCDs were left out and why."""

    def __init__(self, butler: Butler, config: ProcessCcdConfig) -> None:
        self._butler = butler
        self._config = config
        self.problems: list[str] = []

    def members(self, ccds: Iterable[RecordedCcd]) -> list[VisitMember]:
        """Those of `ccds` whose place in the camera is known and that can be read."""
        found = []
        for ccd in ccds:
            try:
                found.append(self._member(ccd))
            except (SafelightError, OSError) as error:
                why = error.message if isinstance(error, SafelightError) else str(error)
                self.problems.append(f"{ccd_key(ccd.data_id)} takes no part in the judgement of its visit: {why}")
        return self._comparable(found)

    def _member(self, ccd: RecordedCcd) -> VisitMember:
        from safelight.calibrate.first_wcs import first_wcs
        from safelight.instruments import initial_wcs, read_raw_header, visit_info

        butler, config = self._butler, self._config.calibrate
        data_id: dict[str, Any] = ccd.data_id
        instrument = butler.instrument
        header = read_raw_header(butler.uri("raw", data_id))
        detector = instrument.detector(data_id["ccd"]).for_frame(int(header["NAXIS1"]), int(header["NAXIS2"]))
        info = visit_info(instrument, header, detector)
        wcs, origin = initial_wcs(instrument, detector, info, header, butler.pointing(data_id))
        width, height = detector.width, detector.height
        first = first_wcs(wcs, origin, width, height, config.astrometry, instrument, detector.id, info)
        codes = {caveat.code for caveat in ccd.caveats}
        fitted = None
        if ccd.status.startswith("done") and not codes & {FROM_VISIT["wcs"], "NO_ASTROMETRY"}:
            fitted = read_wcs(butler, data_id)
        return VisitMember(ccd, first, width, height, fitted, codes, _set_of_flats(ccd))

    def _comparable(self, members: list[VisitMember]) -> list[VisitMember]:
        """Those whose first WCSs come from one camera: of one origin, and of CCDs that have places of their own."""
        if not members:
            return members
        origin = Counter(member.first.origin for member in members).most_common(1)[0][0]
        chosen = [member for member in members if member.first.origin == origin]
        if origin == "pointing":
            detectors = [self._butler.instrument.detector(member.ccd.data_id["ccd"]) for member in chosen]
            places = {(detector.offset_x_mm, detector.offset_y_mm) for detector in detectors}
            if len(places) < len(chosen):
                return []
        return chosen


def _set_of_flats(ccd: RecordedCcd) -> str | None:
    """The name of the set of flats that a CCD's own belongs to, empty where it has none; None without a flat."""
    for file in ccd.inputs:
        if file.role == "flat":
            return _name_of_set(file.path, file.size, file.mtime_ns)
    return None


@lru_cache(maxsize=4096)
def _name_of_set(path: str, size: int, mtime_ns: int) -> str:
    """From the headers of a flat; it is read again when its size or time has changed."""
    from safelight.calibs.mosaic import SET_CARD
    from safelight.exposure.fits_files import open_fits

    try:
        with open_fits(path) as hdus:
            return next((str(hdu.header[SET_CARD]) for hdu in hdus if SET_CARD in hdu.header), "")
    except (SafelightError, OSError):
        return ""  # gone since: what divided the CCD says no more


def read_wcs(butler: Butler, data_id: dict[str, Any]) -> SkyWcs:
    """The WCS in the header of a CCD's calexp.

    Raises
    ------
    DatasetNotFound, ProcessingError
        There is no such file, or it cannot be read.
    """
    from safelight.exposure.fits_files import find, open_fits
    from safelight.exposure.wcs import TanSipWcs

    with open_fits(butler.path_for("calexp", data_id)) as hdus:
        image = find(hdus, "IMAGE")
        wcs: SkyWcs = TanSipWcs.from_header({} if image is None else image.header)
        return wcs
