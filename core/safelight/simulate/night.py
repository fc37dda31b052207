"""Making a synthetic night: a repository with raw frames, masters, reference catalogues and the truth about them.

Every file is written under a temporary name and renamed when it is whole; a second call with the same specification
makes only what is missing. Worker processes are spawned, never forked, and end when their parent does.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.butler.atomic import atomic_path, clean_temporaries, make_directory, write_text
from safelight.errors import ProcessingError, RepositoryError, UsageError
from safelight.instruments.loader import load_instrument
from safelight.simulate.optics import TrueWcs, claimed_pointing, true_pointing
from safelight.simulate.spec import MasterSpec, NightSpec, VisitSpec

if TYPE_CHECKING:
    from safelight.instruments import Instrument
    from safelight.simulate.frame import FrameSimulator
    from safelight.simulate.sources import Sky

__all__ = ["Progress", "simulate_night"]

#: Called with the number of files made so far, the number of all, and what was made last.
Progress = Callable[[int, int, str], None]

_REFERENCE_MARGIN_DEG = 0.15  # beyond the pointing uncertainty, within which a loader may ask for stars


@dataclass(frozen=True, slots=True)
class _Job:
    """One raw frame (with its truth) or one master."""

    ccd: int
    final: Path
    truth: Path | None = None
    visit: VisitSpec | None = None
    master: MasterSpec | None = None

    @property
    def done(self) -> bool:
        """Whether its files exist; they are renamed into place whole, the truth first."""
        return self.final.is_file() and (self.truth is None or self.truth.is_file())

    @property
    def title(self) -> str:
        if self.master is not None:
            name = self.master.kind if self.master.kind != "flat" else f"flat {self.master.filter}"
            return f"master {name}, CCD {self.ccd}"
        assert self.visit is not None
        kind = "frame" if self.visit.data_type == "OBJECT" else self.visit.data_type.lower()
        return f"{kind} {self.visit.visit}, CCD {self.ccd}"


def simulate_night(path: Path | str, night: NightSpec, *, processes: int = 1, progress: Progress | None = None) -> None:
    """Make the repository `path` with the files of `night`, or complete it.

    Parameters
    ----------
    path : path-like
        A new or empty directory, or one in which the same night was begun.
    night : NightSpec
        E.g. ``PRESETS["demo"]()`` or `spec_from_options`.
    processes : int
        Worker processes; 1 works in this one.
    progress : callable, optional
        Called in this process after every file.

    Raises
    ------
    UsageError
        ``OTHER_NIGHT`` when `path` holds another night, ``NOT_EMPTY`` when it holds something else,
        ``NOT_A_DIRECTORY`` when it is a file, ``SKY_NOT_COVERED`` when a CCD does not lie wholly on the catalogue that
        is to be its sky.
    RepositoryError
        ``DISK_FULL`` or ``NOT_WRITABLE``.
    ProcessingError
        ``WORKER_DIED`` when the system ended a worker process; what was finished stays.
    """
    root = Path(path)
    if root.exists() and not root.is_dir():
        raise UsageError("NOT_A_DIRECTORY", f"{root} is a file.", "Choose a new directory.")
    instrument = load_instrument(night.instrument)
    sky = _sky(night)
    _check_cover(instrument, night, sky)
    _begin(root, night)
    _write_references(root, instrument, night, sky)
    jobs = list(_jobs(root, instrument, night))
    missing = [job for job in jobs if not job.done]
    for directory in {place.parent for job in missing for place in (job.final, job.truth) if place is not None}:
        make_directory(directory)
    _work(missing, night, processes, progress, len(jobs))
    _register(root, instrument, night, jobs)


def _begin(root: Path, night: NightSpec) -> None:
    """Make the directory a repository of this night, or find that it is one already."""
    import yaml

    from safelight.butler.repository import create_repository
    from safelight.simulate.truth import load_night

    record = root / "truth" / "night.yaml"
    if record.is_file():
        differing = load_night(root).differences(night)
        if differing:
            raise UsageError(
                "OTHER_NIGHT",
                f"{root} holds another synthetic night: it differs in {', '.join(differing)}.",
                "Choose another directory, or give the options with which it was made.",
            )
        clean_temporaries(root)
    else:
        if record.parent.is_dir():
            clean_temporaries(record.parent)
        if root.is_dir() and any(item != record.parent or any(item.iterdir()) for item in root.iterdir()):
            hint = "Choose a new directory."
            raise UsageError("NOT_EMPTY", f"{root} is not empty and holds no synthetic night.", hint)
        make_directory(record.parent)
        write_text(record, yaml.safe_dump(night.to_dict(), sort_keys=False))
    create_repository(root, night.instrument)


def _sky(night: NightSpec) -> Sky:
    folder = night.sky_path
    if folder is None:
        from safelight.simulate.populations import SyntheticSky

        return SyntheticSky(night.seed)
    from safelight.simulate.catalogsky import CatalogSky, find_catalogs

    return CatalogSky(find_catalogs(folder), night.seed)


def _check_cover(instrument: Instrument, night: NightSpec, sky: Sky) -> None:
    from safelight.simulate.catalogsky import CatalogSky

    if not isinstance(sky, CatalogSky):
        return
    for visit in night.visits:
        for ccd in visit.ccds:
            for pointing in (claimed_pointing(visit), true_pointing(night, visit)):
                if not sky.covers(*TrueWcs.of(instrument, ccd, pointing).footprint()).all():
                    raise UsageError(
                        "SKY_NOT_COVERED",
                        f"Visit {visit.visit}, CCD {ccd} does not lie wholly on the catalogue {sky.folders.ps1}.",
                        "Choose visits and CCDs that do, or the set 'real-sky', which is fitted to the catalogue.",
                    )


# ---- reference catalogues ---------------------------------------------------------------------------------------


def _write_references(root: Path, instrument: Instrument, night: NightSpec, sky: Sky) -> None:
    """Catalogues for the pipeline: a real sky's own, as they are or with errors drawn, or the synthetic one's."""
    from safelight.simulate.catalogsky import CatalogSky
    from safelight.simulate.drawncatalogs import write_drawn_catalog

    if isinstance(sky, CatalogSky):
        for name, folder in (("ps1", sky.folders.ps1), ("gaia", sky.folders.gaia)):
            if folder is None:
                continue
            target = root / "ref_cats" / folder.name
            if name in night.drawn_catalogs:
                write_drawn_catalog(folder, target, sky.bright, night.seed)
            else:
                _copy_catalog(folder, target)
        return
    done = root / "truth" / "reference_catalogs_written"
    if not done.is_file():
        _survey(root, instrument, night)
        write_text(done, "yes\n")


def _copy_catalog(source: Path, target: Path) -> None:
    make_directory(target)
    for file in sorted(source.iterdir()):
        final = target / file.name
        if file.is_file() and not (final.is_file() and final.stat().st_size == file.stat().st_size):
            with atomic_path(final) as temporary:
                shutil.copyfile(file, temporary)


def _survey(root: Path, instrument: Instrument, night: NightSpec) -> None:
    from safelight.refcats.ingest import write_shards
    from safelight.simulate.frame import sky_circle
    from safelight.simulate.populations import SyntheticSky
    from safelight.simulate.references import GAIA_NAME, PS1_NAME, gaia_catalog, ps1_catalog, reference_sources

    margin = instrument.pointing_uncertainty_arcsec / 3600.0 + _REFERENCE_MARGIN_DEG
    circles = [
        sky_circle(TrueWcs.of(instrument, ccd, true_pointing(night, visit)), margin)
        for visit in night.visits
        for ccd in visit.ccds
    ]
    sources = reference_sources(SyntheticSky(night.seed), circles)
    write_shards(ps1_catalog(sources, night.seed), root / "ref_cats", PS1_NAME, replace=True)
    write_shards(gaia_catalog(sources, night.seed), root / "ref_cats", GAIA_NAME, replace=True)


# ---- files ------------------------------------------------------------------------------------------------------


def _jobs(root: Path, instrument: Instrument, night: NightSpec) -> Iterator[_Job]:
    """All files of the night, CCD by CCD."""
    from safelight.butler.datasettypes import DatasetTypes
    from safelight.simulate.truth import truth_file

    types = DatasetTypes(instrument.templates)
    for ccd in night.ccds:
        for visit in (*night.visits, *night.calibration_visits()):
            if ccd in visit.ccds:
                final = root / types["raw"].template.format(_raw_data_id(instrument, visit, ccd))
                truth = truth_file(root, visit.visit, ccd) if visit.data_type == "OBJECT" else None
                yield _Job(ccd, final, truth=truth, visit=visit)
        for master in night.masters:
            if ccd in master.ccds:
                data_id = {"calibDate": master.calib_date, "filter": master.filter, "ccd": ccd}
                yield _Job(ccd, root / "CALIB" / types[master.kind].template.format(data_id), master=master)


def _raw_data_id(instrument: Instrument, visit: VisitSpec, ccd: int) -> dict[str, object]:
    """What an ingest will read from the header."""
    from safelight.instruments import translate_header
    from safelight.simulate.header import raw_header

    return dict(translate_header(instrument, dict(raw_header(visit, instrument.detector(ccd)))))


_simulator: FrameSimulator | None = None


def _prepare(night: NightSpec) -> None:
    """Make this process's simulator."""
    global _simulator
    from safelight.simulate.frame import FrameSimulator

    _simulator = FrameSimulator(load_instrument(night.instrument), night, _sky(night))


def _start_worker(night: NightSpec) -> None:
    """Prepare a worker process: a thread that ends it with its parent, and its simulator."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _prepare(night)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(job: _Job) -> str:
    """Make the files of one job; the raw frame comes last, so a job without it is done again."""
    assert _simulator is not None
    if job.master is not None:
        _make_master(_simulator, job)
    else:
        _make_frame(_simulator, job)
    return job.title


def _make_master(simulator: FrameSimulator, job: _Job) -> None:
    from safelight.exposure.fits import write_master
    from safelight.simulate.masters import simulate_master

    assert job.master is not None
    master = simulate_master(simulator.instrument, simulator.night, job.master, job.ccd)
    with atomic_path(job.final) as temporary:
        write_master(temporary, master)


def _make_frame(simulator: FrameSimulator, job: _Job) -> None:
    from safelight.simulate.header import raw_header
    from safelight.simulate.rawfile import write_raw
    from safelight.simulate.truth import write_truth

    assert job.visit is not None
    make = simulator.frame if job.visit.data_type == "OBJECT" else simulator.calibration
    frame = make(job.visit, job.ccd)
    if job.truth is not None and frame.truth is not None:
        with atomic_path(job.truth) as temporary:
            write_truth(temporary, frame.truth, simulator.instrument.name)
    with atomic_path(job.final) as temporary:
        write_raw(temporary, frame.pixels, raw_header(job.visit, simulator.instrument.detector(job.ccd)))


def _work(jobs: list[_Job], night: NightSpec, processes: int, progress: Progress | None, total: int) -> None:
    done = total - len(jobs)
    for title in _results(jobs, night, processes):
        done += 1
        if progress is not None:
            progress(done, total, title)


def _results(jobs: list[_Job], night: NightSpec, processes: int) -> Iterable[str]:
    if not jobs:
        return
    if processes <= 1:
        _prepare(night)
        yield from map(_run, jobs)
        return
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(jobs))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(night,)) as pool:
        futures = [pool.submit(_run, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise ProcessingError(
                "WORKER_DIED",
                "A worker process was ended by the system, perhaps for want of memory.",
                "Give the same command again, with fewer processes (-j): it goes on from what is there.",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


# ---- registries -------------------------------------------------------------------------------------------------


def _register(root: Path, instrument: Instrument, night: NightSpec, jobs: list[_Job]) -> None:
    """Register the files, which lie at their places already, and the defect lists of the CCDs that take part."""
    from safelight.butler.calibrations import CALIB_REGISTRY_NAME, CalibrationRegistry
    from safelight.butler.ingest import ingest_calibs, ingest_curated_defects, ingest_images

    # The registry lists rows in the order of their arrival.
    frames = sorted((job.visit.visit, job.ccd, job.final) for job in jobs if job.visit is not None)
    masters = [job.final for job in jobs if job.master is not None]
    reports = [ingest_images(root, [final for _, _, final in frames], mode="skip", ignore_ingested=True)]
    calib = root / "CALIB"
    if masters:
        days = night.validity_days
        reports.append(ingest_calibs(root, calib, masters, validity_days=days, mode="skip", ignore_ingested=True))
    if not (calib / CALIB_REGISTRY_NAME).is_file() or not CalibrationRegistry(calib).rows("defects"):
        detectors = tuple(instrument.detector(ccd) for ccd in night.ccds)
        camera = instrument.model_copy(update={"detectors": detectors})
        reports.append(ingest_curated_defects(root, calib, camera))
    for bad in (bad for report in reports for bad in report.bad):
        raise RepositoryError("NOT_REGISTERED", f"{bad.source} cannot be registered: {bad.message}")
