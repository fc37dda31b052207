"""Reading the inputs of one CCD: raw frame, masters, reference stars."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safelight.errors import ProcessingError
from safelight.exposure import MasterFrame
from safelight.exposure.fits import read_master
from safelight.instruments import read_raw
from safelight.isr import Masters
from safelight.processccd.cameraconfig import camera_fingerprint, defects_fingerprint
from safelight.processccd.checksums import Checksums
from safelight.processccd.outcome import InputFile
from safelight.processccd.references import observers_pointing, pointing_margin_arcsec
from safelight.refcats import ReferenceCatalog, load_reference_catalog

if TYPE_CHECKING:
    from safelight.instruments import Detector, Instrument, RawFrame
    from safelight.processccd.ccd import CcdJob
    from safelight.processccd.config import ProcessCcdConfig

__all__ = ["Frame", "InputReader", "Patch", "patch_of"]

_KEPT_MASTERS = 3  # bias, dark and flat of one CCD: 100 MB; a worker often gets the same CCD of the next visit


@dataclass(frozen=True, slots=True)
class Patch:
    """The circle of sky in which reference stars are wanted; degrees, ICRS."""

    ra_deg: float
    dec_deg: float
    radius_deg: float


def patch_of(raw_wcs: Any, detector: Detector, margin_arcsec: float, data_id: Mapping[str, Any]) -> Patch:
    """The circle around a CCD by its first WCS, out to its farthest corner plus `margin_arcsec`."""
    if raw_wcs is None:
        raise ProcessingError(
            "NO_POINTING",
            "Neither the header nor the camera says where this frame lies on the sky.",
            "Give it: -c calibrate.astrometry.pointingRa=DEGREES calibrate.astrometry.pointingDec=DEGREES",
            data_id,
        )
    right, top = detector.width - 0.5, detector.height - 0.5
    x = np.array([(detector.width - 1) / 2.0, -0.5, right, -0.5, right])
    y = np.array([(detector.height - 1) / 2.0, -0.5, -0.5, top, top])
    ra, dec = (np.radians(angle) for angle in raw_wcs.pixel_to_sky(x, y))
    haversine = np.sin((dec - dec[0]) / 2) ** 2 + np.cos(dec) * np.cos(dec[0]) * np.sin((ra - ra[0]) / 2) ** 2
    corner = float(np.degrees(2 * np.arcsin(np.sqrt(np.max(haversine)))))
    if not np.isfinite(corner):
        raise ProcessingError("NO_POINTING", "The first WCS does not map this CCD to the sky.", "", data_id)
    return Patch(float(np.degrees(ra[0])), float(np.degrees(dec[0])), corner + margin_arcsec / 3600.0)


@dataclass(slots=True)
class Frame:
    """The inputs of one CCD, read."""

    raw: RawFrame
    masters: Masters
    files: list[InputFile]
    reader: InputReader
    job: CcdJob

    def references(self) -> tuple[ReferenceCatalog, ReferenceCatalog | None]:
        """The reference stars for astrometry and for photometry, at the epoch of the exposure."""
        return self.reader.references(self)


class InputReader:
    """Reads inputs; keeps the last few masters."""

    def __init__(self, instrument: Instrument, config: ProcessCcdConfig, checksums: Checksums) -> None:
        self._instrument = instrument
        self._config = config
        self._checksums = checksums
        self._camera = camera_fingerprint(instrument)
        self._masters: OrderedDict[tuple[str, int, int], MasterFrame] = OrderedDict()

    def read(self, job: CcdJob) -> Frame:
        """Read raw frame and masters, and take the fingerprints of their files."""
        raw_file = self._fingerprint("raw", job.raw)
        raw = read_raw(
            job.raw,
            self._instrument,
            ccd=job.data_id.get("ccd"),
            filter_name=job.data_id.get("filter"),
            pointing=observers_pointing(self._config.calibrate),
        )
        raw.data_id = dict(job.data_id)
        files = [raw_file, self._camera, defects_fingerprint(job.defects_origin, job.defects)]
        frames: dict[str, MasterFrame | None] = {"bias": None, "dark": None, "flat": None}
        for kind, path in job.masters.items():
            frames[kind], file = self._master(kind, path)
            files.append(file)
        masters = Masters(bias=frames["bias"], dark=frames["dark"], flat=frames["flat"], defects=job.defects)
        return Frame(raw, masters, files, self, job)

    def _fingerprint(self, role: str, path: Path) -> InputFile:
        try:
            return self._checksums.fingerprint(role, path)
        except FileNotFoundError as error:
            raise ProcessingError(
                "INPUT_VANISHED", f"The {role} file {path} is not there any more.", "Plan the run again."
            ) from error

    def _master(self, kind: str, path: Path) -> tuple[MasterFrame, InputFile]:
        file = self._fingerprint(kind, path)
        key = (file.path, file.size, file.mtime_ns)
        if key in self._masters:
            self._masters.move_to_end(key)
        else:
            self._masters[key] = read_master(path)
            if len(self._masters) > _KEPT_MASTERS:
                self._masters.popitem(last=False)
        return self._masters[key], file

    def references(self, frame: Frame) -> tuple[ReferenceCatalog, ReferenceCatalog | None]:
        """See `Frame.references`."""
        job, raw = frame.job, frame.raw
        loader = self._config.calibrate.astromRefObjLoader
        margin = pointing_margin_arcsec(self._instrument, self._config.calibrate, raw.wcs_origin)
        patch = patch_of(raw.wcs, raw.detector, margin, job.data_id)
        loaded: dict[Path, ReferenceCatalog] = {}
        for role, path in job.catalogs.items():
            if path not in loaded:
                loaded[path] = load_reference_catalog(
                    path,
                    patch.ra_deg,
                    patch.dec_deg,
                    patch.radius_deg,
                    raw.visit_info.mjd_mid_tai,
                    position_error_floor_mas=loader.positionErrorFloor,
                )
                frame.files += [self._fingerprint(role, Path(shard)) for shard in loaded[path].shards]
        return loaded[job.catalogs["astrometry"]], loaded.get(job.catalogs.get("photometry", Path()))
