"""The flow of one CCD: read, ISR, characterization, WCS and zeropoint, write.

This is the only place of a run that reads and writes data files. It computes in the process it is called in, keeps
its scratch arrays and master calibrations from one CCD to the next, and says what happened in a `CcdOutcome`; the
ledger and the journal are the parent's.
"""

from __future__ import annotations

import errno
import logging
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import SafelightError
from safelight.processccd.checksums import Checksums
from safelight.processccd.executor import ForwardingHandler, Reporter
from safelight.processccd.outcome import CcdOutcome, Failure, InputFile
from safelight.processccd.runtime import peak_rss_mb, reset_peak_rss, stay_offline
from safelight.processccd.timing import StageClock

if TYPE_CHECKING:
    from safelight.calibrate.visit_prior import VisitPrior
    from safelight.instruments import Box, Instrument, Pointing
    from safelight.processccd.config import ProcessCcdConfig
    from safelight.processccd.plan import PlannedCcd

__all__ = ["CcdJob", "CcdProcessor", "RunContext", "job_of"]

LOG = logging.getLogger("processCcd")


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all CCDs of a run share; sent once to each process."""

    config: ProcessCcdConfig
    instrument: Instrument
    provenance: dict[str, str] = field(default_factory=dict)  # cards for the headers of outputs
    schemas: dict[str, Path] = field(default_factory=dict)  # catalogue -> file with the rerun's columns
    log_levels: dict[str, int] = field(default_factory=dict)  # component ("" is the root) -> level
    raise_errors: bool = False  # let exceptions through (inline runs only)
    debug: bool = False  # import the user's module `debug`


@dataclass(frozen=True, slots=True)
class CcdJob:
    """One CCD to do: its inputs as chosen by the plan, and where the outputs go."""

    key: str
    data_id: dict[str, Any]
    raw: Path
    masters: dict[str, Path]  # kind of calibration -> file
    defects: tuple[Box, ...]
    defects_origin: str
    catalogs: dict[str, Path]  # astrometry, photometry -> folder of the catalogue
    outputs: dict[str, Path]  # dataset type -> final path
    pointing: Pointing | None = None  # what the observer stated at ingest
    known_inputs: tuple[InputFile, ...] = ()  # fingerprints with checksums from earlier runs
    visit: VisitPrior | None = None  # what the visit's other CCDs say, at a second attempt


def job_of(ccd: PlannedCcd) -> CcdJob:
    """The job that does a planned CCD."""
    assert ccd.raw is not None, "a CCD that is to run has a raw file"
    return CcdJob(
        key=ccd.key,
        data_id=ccd.data_id,
        raw=ccd.raw,
        masters={master.kind: master.path for master in ccd.masters},
        defects=ccd.defects,
        defects_origin=ccd.defects_origin,
        catalogs={catalog.role: catalog.path for catalog in ccd.catalogs},
        outputs=ccd.outputs,
        pointing=ccd.pointing,
        known_inputs=ccd.known_inputs,
    )


class CcdProcessor:
    """Processes CCDs one after the other; made once per process."""

    def __init__(self, context: RunContext) -> None:
        from safelight.exposure import Workspace
        from safelight.processccd.inputs import InputReader
        from safelight.processccd.schemas import SchemaKeeper

        stay_offline()
        if context.debug:
            import_debug_module()
        set_log_levels(context.log_levels)
        self._context = context
        self._checksums = Checksums()
        self._workspace = Workspace()
        self._schemas = SchemaKeeper(context.schemas)
        self._reader = InputReader(context.instrument, context.config, self._checksums, self._workspace)

    def __call__(self, job: CcdJob, reporter: Reporter) -> CcdOutcome:
        """Process one CCD. Failures are told in the outcome, never raised (unless the context says so)."""
        handler = ForwardingHandler(reporter)
        root = logging.getLogger()
        root.addHandler(handler)
        clock = StageClock(reporter.stage)
        outcome = CcdOutcome(job.key, job.data_id, "failed")
        began = time.perf_counter()
        reset_peak_rss()
        self._checksums.learn(job.known_inputs)
        try:
            self._process(job, clock, outcome)
            outcome.status = "done-with-caveats" if outcome.caveats else "done"
        except Exception as error:
            if self._context.raise_errors:
                raise
            outcome.failure = _failure(clock.stage, error)
            outcome.traceback = traceback.format_exc()
        finally:
            root.removeHandler(handler)
            clock.stop()
        outcome.seconds = time.perf_counter() - began
        outcome.metrics |= _machine_metrics(clock)
        return outcome

    def _process(self, job: CcdJob, clock: StageClock, outcome: CcdOutcome) -> None:
        from safelight import characterize, isr
        from safelight.processccd.catalogcolumns import describe_columns, set_focal_plane_positions
        from safelight.processccd.metrics import report_metrics
        from safelight.processccd.outputs import OutputSet, write_outputs

        config, workspace = self._context.config, self._workspace
        clock("read")
        frame = self._reader.read(job)
        outcome.inputs = frame.files  # shards join them later
        products = OutputSet()
        clock("isr")
        removed = isr.run(frame.raw, frame.masters, config.isr, self._context.instrument, workspace)
        outcome.caveats += removed.caveats
        products.metadata["processCcd:isr"] = dict(removed.metadata)
        if config.doWritePostIsr:
            clock("write")
            write_outputs(job.outputs, OutputSet({"postISRCCD": removed.exposure}), outcome, self._context.provenance)
        clock("characterize")
        exposure_id = frame.raw.visit_info.exposure_id
        found = characterize.run(
            removed.exposure, config.charImage, exposure_id=exposure_id, workspace=workspace, progress=clock
        )
        outcome.caveats += found.caveats
        outcome.metrics |= found.metrics
        products.metadata["processCcd:charImage"] = dict(found.metadata)
        for table in (found.ic_src, found.src):
            set_focal_plane_positions(table, self._context.instrument, frame.raw.detector)
        products.tables["icSrc"] = found.ic_src
        if config.doCalibrate:
            self._calibrate(frame, found, products, clock, outcome)
        else:
            products.exposures["icExp"] = found.exposure
            products.backgrounds["icExpBackground"] = found.background
        outcome.metrics |= report_metrics(outcome.metrics, removed.metadata, found.exposure, self._context.instrument)
        clock("write")
        products.add_timing(clock)
        for catalogue, table in products.tables.items():
            describe_columns(table)
            self._schemas.check(catalogue, table)
        write_outputs(job.outputs, products, outcome, self._context.provenance)

    def _calibrate(self, frame: Any, found: Any, products: Any, clock: StageClock, outcome: CcdOutcome) -> None:
        from safelight import calibrate

        clock("wcs")
        astrometry, photometry = self._reader.references(frame)
        result = calibrate.run(
            found.exposure,
            found.src,
            astrometry,
            photometry,
            self._context.config.calibrate,
            self._context.instrument,
            wcs_origin=frame.raw.wcs_origin,
            workspace=self._workspace,
            progress=clock,
            visit=frame.job.visit,
        )
        outcome.caveats += result.caveats
        outcome.metrics |= result.metrics
        products.metadata["processCcd:calibrate"] = dict(result.metadata)
        products.exposures["calexp"] = result.exposure
        products.backgrounds["calexpBackground"] = found.background
        products.tables |= {"src": result.src, "srcMatch": result.matches, "srcMatchFull": result.matches_full}


def _failure(stage: str, error: Exception) -> Failure:
    if isinstance(error, SafelightError):
        return Failure(stage, error.code, error.message, error.hint)
    if isinstance(error, MemoryError):
        return Failure(stage, "NO_MEMORY", "There is not enough memory for this CCD.", "Use fewer processes (-j).")
    if isinstance(error, OSError):
        return system_failure(stage, error)
    return Failure(
        stage,
        "INTERNAL_ERROR",
        f"{type(error).__name__}: {error}",
        "A fault in the program; the traceback is in the log of the CCD.",
    )


def system_failure(stage: str, error: OSError) -> Failure:
    """The failure that an error of the operating system means."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(stage, "DISK_FULL", f"The disk is full{where}.", "Free some space and repeat the command.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR):
        return Failure(
            stage, "NOT_WRITABLE", f"A file cannot be read or written: {error.strerror}{where}.", "Check permissions."
        )
    return Failure(stage, "SYSTEM_ERROR", f"The system reports: {error}.")


def _machine_metrics(clock: StageClock) -> dict[str, float]:
    return {
        "seconds_isr": clock.total("isr"),
        "seconds_characterize": clock.total("characterize"),
        "seconds_calibrate": clock.total("wcs", "zeropoint"),
        "seconds_io": clock.total("read", "write"),
        "peak_rss_mb": peak_rss_mb(),
    }


def set_log_levels(levels: dict[str, int]) -> None:
    """Set thresholds by component; the compiler's own chatter stays out unless it is asked for by name."""
    logging.captureWarnings(True)
    for component in ("numba", "asyncio"):
        logging.getLogger(component).setLevel(logging.WARNING)
    for component, level in levels.items():
        logging.getLogger(component).setLevel(level)


def import_debug_module() -> None:
    """Import the user's module `debug`, if there is one (``--debug``)."""
    import importlib

    try:
        importlib.import_module("debug")
    except ModuleNotFoundError as error:
        if error.name != "debug":
            raise
        LOG.warning("--debug: there is no module named debug to import")
