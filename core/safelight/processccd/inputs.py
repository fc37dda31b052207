"""Reading the inputs of one CCD: raw frame, masters, reference stars."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.calibrate import reference_circle
from safelight.errors import ProcessingError
from safelight.exposure import MasterFrame, Workspace
from safelight.instruments import read_raw
from safelight.isr import Masters
from safelight.processccd.cameraconfig import camera_fingerprint, defects_fingerprint
from safelight.processccd.checksums import Checksums
from safelight.processccd.isrmasters import isr_masters, read_frames
from safelight.processccd.outcome import InputFile
from safelight.refcats import ReferenceCatalog
from safelight.refcats.load import load_reference_catalog

if TYPE_CHECKING:
    from safelight.instruments import Instrument, RawFrame
    from safelight.processccd.ccd import CcdJob
    from safelight.processccd.config import ProcessCcdConfig

__all__ = ["Frame", "InputReader"]

#: Bias, dark, flat, fringes and kernel of one CCD: 100 to 140 MB; a worker often gets the same CCD of the next visit.
_KEPT_MASTERS = 5


@dataclass(slots=True)
class Frame:
    """The inputs of one CCD, read."""

    raw: RawFrame
    masters: Masters
    files: list[InputFile]
    job: CcdJob


class InputReader:
    """Reads inputs; keeps the last few masters."""

    def __init__(
        self, instrument: Instrument, config: ProcessCcdConfig, checksums: Checksums, workspace: Workspace
    ) -> None:
        self._instrument = instrument
        self._config = config
        self._checksums = checksums
        self._workspace = workspace
        self._camera = camera_fingerprint(instrument)
        self._masters: OrderedDict[tuple[str, int, int], tuple[MasterFrame, ...]] = OrderedDict()

    def read(self, job: CcdJob) -> Frame:
        """Read raw frame and masters, and take the fingerprints of their files."""
        raw_file = self._fingerprint("raw", job.raw)
        raw = read_raw(
            job.raw,
            self._instrument,
            ccd=job.data_id.get("ccd"),
            filter_name=job.data_id.get("filter"),
            pointing=job.pointing,
            workspace=self._workspace,
        )
        raw.data_id = dict(job.data_id)
        files = [raw_file, self._camera, defects_fingerprint(job.defects_origin, job.defects)]
        frames: dict[str, tuple[MasterFrame, ...]] = {}
        for kind, path in job.masters.items():
            frames[kind], file = self._master(kind, path)
            files.append(file)
        return Frame(raw, isr_masters(frames, job.defects), files, job)

    def _fingerprint(self, role: str, path: Path) -> InputFile:
        try:
            return self._checksums.fingerprint(role, path)
        except FileNotFoundError as error:
            raise ProcessingError(
                "INPUT_VANISHED", f"The {role} file {path} is not there any more.", "Plan the run again."
            ) from error

    def _master(self, kind: str, path: Path) -> tuple[tuple[MasterFrame, ...], InputFile]:
        file = self._fingerprint(kind, path)
        key = (file.path, file.size, file.mtime_ns)
        if key in self._masters:
            self._masters.move_to_end(key)
        else:
            self._masters[key] = read_frames(kind, path)
            if len(self._masters) > _KEPT_MASTERS:
                self._masters.popitem(last=False)
        return self._masters[key], file

    def references(self, frame: Frame) -> tuple[ReferenceCatalog, ReferenceCatalog | None]:
        """The reference stars for astrometry and for photometry, at the epoch of the exposure.

        Their shards are added to the frame's files.
        """
        raw, config = frame.raw, self._config.calibrate
        circle = reference_circle(
            raw.wcs,
            raw.wcs_origin,
            raw.detector.width,
            raw.detector.height,
            config.astrometry,
            config.astromRefObjLoader,
            self._instrument,
            raw.detector.id,
            raw.visit_info,
        )
        loaded: dict[Path, ReferenceCatalog] = {}
        for role, path in frame.job.catalogs.items():
            if path not in loaded:
                floor = config.astromRefObjLoader.positionErrorFloor
                loaded[path] = load_reference_catalog(
                    path, *circle, raw.visit_info.mjd_mid_tai, position_error_floor_mas=floor
                )
                frame.files += [self._fingerprint(role, Path(shard)) for shard in loaded[path].shards]
        photometry = frame.job.catalogs.get("photometry")
        return loaded[frame.job.catalogs["astrometry"]], loaded[photometry] if photometry else None
