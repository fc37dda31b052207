"""Master frames of a whole repository: raw rows grouped by CCD (and filter), built and registered in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any

import numpy as np

from safelight import isr
from safelight.butler.atomic import atomic_path, writing_errors
from safelight.butler.butler import Butler
from safelight.calibs.config import BuildConfig, Kind
from safelight.calibs.master import Progress, build_bias, build_dark, build_flat, build_master
from safelight.calibs.mosaic import SET_CARD, mosaic_scales, mosaic_sets
from safelight.errors import DatasetNotFound, ProcessingError, SafelightError, UsageError
from safelight.exposure import MasterFrame
from safelight.exposure.fits import read_master, write_master

__all__ = [
    "BuildFailure",
    "BuildReport",
    "BuiltMaster",
    "build_bias",
    "build_dark",
    "build_flat",
    "build_master",
    "build_masters",
]

_ANY_FILTER = "NONE"


@dataclass(frozen=True, slots=True)
class BuiltMaster:
    """One master that was made and registered."""

    ccd: int
    filter_name: str
    n_frames: int
    path: Path


@dataclass(frozen=True, slots=True)
class BuildFailure:
    """One CCD for which no master could be made."""

    ccd: int
    filter_name: str
    error: SafelightError


@dataclass(slots=True)
class BuildReport:
    """What was done; every group of frames is in exactly one of the lists."""

    built: list[BuiltMaster] = field(default_factory=list)
    failed: list[BuildFailure] = field(default_factory=list)


def build_masters(
    butler: Butler,
    kind: Kind,
    rows: Sequence[Mapping[str, Any]],
    config: BuildConfig | None = None,
    *,
    calib_root: Path | None = None,
    validity_days: int = 180,
    replace: bool = False,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Make masters of `kind` from the raw frames of `rows` (of `Butler.query`), and register them.

    Frames are grouped by CCD, flats also by filter. Darks are freed of the master bias that is valid for them, flats of
    bias and dark; a dark for which there is no bias keeps it. Each bias and dark is written and registered before the
    next is begun. Flats wait for each other: those of one filter that are built together keep the relative levels of
    their CCDs, with a mean of 1. A CCD that fails does not stop the others.

    Parameters
    ----------
    calib_root : the calibration repository (default: the butler's, else CALIB below its root)
    validity_days : masters are valid this many days before and after their date
    replace : overwrite masters of the same date, which is otherwise a failure (MASTER_EXISTS)
    scratch : folder for the intermediate frames (default: the system's temporary folder)

    Raises
    ------
    UsageError
        NO_FRAMES for an empty list of rows.
    """
    config = config or BuildConfig()
    if not rows:
        raise UsageError("NO_FRAMES", f"There are no raw frames to make a {kind} of.")
    target = Path(calib_root or butler.calib_root or Path(butler.root) / "CALIB")
    report = BuildReport()
    waiting: list[_WaitingFlat] = []
    with tempfile.TemporaryDirectory(prefix="safelight-flats-", dir=scratch) as folder:
        for (ccd, filter_name), group in _groups(kind, rows):
            with _failures(report, kind, ccd, filter_name, progress):
                master = _build_group(butler, kind, ccd, filter_name, group, config, scratch, progress)
                if kind == "flat":
                    waiting.append(_put_aside(master, ccd, filter_name, group, Path(folder)))
                else:
                    path = _register(butler, target, kind, ccd, master, validity_days, replace)
                    report.built.append(BuiltMaster(ccd, filter_name, len(group), path))
        for flat, level in _levelled(waiting):
            with _failures(report, kind, flat.ccd, flat.filter_name, progress):
                path = _register(butler, target, kind, flat.ccd, flat.read(level), validity_days, replace)
                report.built.append(BuiltMaster(flat.ccd, flat.filter_name, len(flat.levels), path))
    return report


@contextmanager
def _failures(report: BuildReport, kind: Kind, ccd: int, filter_name: str, progress: Progress | None) -> Iterator[None]:
    """Put an error of one CCD into the report."""
    try:
        yield
    except SafelightError as error:
        report.failed.append(BuildFailure(ccd, filter_name, error))
        _say(progress, f"{kind} of CCD {ccd} failed: {error.message}")


@dataclass(frozen=True, slots=True)
class _Level:
    """The level of a CCD among those that were built together."""

    scale: float
    of_set: str


@dataclass(frozen=True, slots=True)
class _WaitingFlat:
    """A flat of median 1 on the disk, until the levels of all CCDs are known."""

    ccd: int
    filter_name: str
    levels: dict[Any, float]  # visit -> median counts
    path: Path
    header: dict[str, Any]

    def read(self, level: _Level) -> MasterFrame:
        """The flat with its level in the mosaic."""
        master = read_master(self.path)
        master.image *= np.float32(level.scale)
        if master.variance is not None:
            master.variance *= np.float32(level.scale**2)
        return replace_fields(master, header=self.header | {"CCDLEVEL": level.scale, SET_CARD: level.of_set})


def _put_aside(
    master: MasterFrame, ccd: int, filter_name: str, rows: Sequence[Mapping[str, Any]], folder: Path
) -> _WaitingFlat:
    path = folder / f"{filter_name}-{ccd}.fits"
    with writing_errors(path):
        write_master(path, master)
    levels = {row["visit"]: float(master.header[f"CPP_INPUT_SCALE_{n}"]) for n, row in enumerate(rows)}
    return _WaitingFlat(ccd, filter_name, levels, path, dict(master.header))


def _levelled(waiting: Sequence[_WaitingFlat]) -> Iterator[tuple[_WaitingFlat, _Level]]:
    """Each flat with the level of its CCD relative to the others of its filter."""
    for name in dict.fromkeys(flat.filter_name for flat in waiting):
        flats = [flat for flat in waiting if flat.filter_name == name]
        levels = {(visit, flat.ccd): level for flat in flats for visit, level in flat.levels.items()}
        scales, sets = mosaic_scales(levels), mosaic_sets(levels)
        for flat in flats:
            yield flat, _Level(scales[flat.ccd], sets[flat.ccd])


def _say(progress: Progress | None, line: str) -> None:
    if progress is not None:
        progress(line)


def _groups(kind: Kind, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[tuple[int, str], list[Mapping[str, Any]]]]:
    groups: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        filter_name = str(row.get("filter", _ANY_FILTER)) if kind == "flat" else _ANY_FILTER
        groups.setdefault((int(row["ccd"]), filter_name), []).append(row)
    yield from sorted(groups.items(), key=lambda item: item[0])


def _build_group(
    butler: Butler,
    kind: Kind,
    ccd: int,
    filter_name: str,
    rows: Sequence[Mapping[str, Any]],
    config: BuildConfig,
    scratch: Path | None,
    progress: Progress | None,
) -> MasterFrame:
    masters = _masters_for(butler, kind, rows[0], config, progress)
    return build_master(
        kind,
        [butler.uri("raw", dict(row)) for row in rows],
        butler.instrument,
        masters,
        config,
        ccd=ccd,
        filter_name=filter_name if kind == "flat" else None,
        scratch=scratch,
        progress=progress,
    )


def _register(
    butler: Butler, calib_root: Path, kind: Kind, ccd: int, master: MasterFrame, validity_days: int, replace: bool
) -> Path:
    """Write the master to its place and its row to the calibration registry."""
    from safelight.butler.ingest import ingest_calibs

    data_id = dict(word.split("=", 1) for word in str(master.header["CALIB_ID"]).split())
    relative = butler.dataset_types[kind].template.format({**data_id, "ccd": ccd})
    path = calib_root / relative
    if path.exists() and not replace:
        raise UsageError("MASTER_EXISTS", f"There is a master already: {path}.", "Give --replace to replace it.")
    with atomic_path(path) as temporary:
        write_master(temporary, master)
    report = ingest_calibs(
        butler.root, calib_root, [path], validity_days=validity_days, mode="skip", ignore_ingested=True
    )
    for bad in report.bad:
        raise ProcessingError(bad.code, bad.message)
    return path


def _masters_for(
    butler: Butler, kind: Kind, row: Mapping[str, Any], config: BuildConfig, progress: Progress | None
) -> isr.Masters:
    """The masters that are subtracted from raw frames of `kind`.

    A flat of a camera without overscan has its pedestal from a bias only, or from a dark that contains it.
    """
    bias = _found(butler, "bias", row, progress) if kind != "bias" and config.isr.doBias else None
    dark = _found(butler, "dark", row, progress) if kind == "flat" and config.isr.doDark else None
    detector = butler.instrument.detector(int(row["ccd"]))
    has_overscan = config.isr.doOverscan and all(a.serial_overscan is not None for a in detector.amplifiers)
    bias_in_dark = dark is not None and dark.contains_bias
    if kind == "flat" and config.isr.doBias and bias is None and not bias_in_dark and not has_overscan:
        raise ProcessingError(
            "MISSING_BIAS",
            f"CCD {row['ccd']} has no overscan, and there is no master bias for its flats.",
            "Build a bias first: without it the bias level would stay in the flat.",
        )
    return isr.Masters(bias=bias, dark=dark)


def _found(butler: Butler, kind: str, row: Mapping[str, Any], progress: Progress | None) -> MasterFrame | None:
    try:
        choice = butler.find_calibration(kind, dict(row))
    except DatasetNotFound as error:
        _say(progress, f"without a master {kind}: {error.message}")
        return None
    _say(progress, f"{kind}: {choice.reason}")
    return read_master(choice.path)
