"""Ingesting the curated defect lists that come with a camera."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.butler.atomic import make_directory, writing_errors
from safelight.butler.datasettypes import DatasetTypes
from safelight.butler.defects_io import write_defects
from safelight.butler.ingestcalibs import CalibrationItem, calib_root_of, register_calibrations
from safelight.butler.ingestreport import IngestReport
from safelight.butler.repository import instrument_of, open_repository

if TYPE_CHECKING:
    from safelight.instruments import Box, Instrument

__all__ = ["ingest_curated_defects"]


def ingest_curated_defects(
    root: str | Path,
    calib_root: str | Path | None = None,
    instrument: Instrument | None = None,
    *,
    dry_run: bool = False,
) -> IngestReport:
    """Write a camera's defect lists as FITS tables and register them, each valid until the next.

    Science CCDs get a list for every epoch, the others one whenever theirs changes.

    Parameters
    ----------
    root : path
        The repository.
    calib_root : path, optional
        Where calibrations go; by default ``root/CALIB``.
    instrument : Instrument, optional
        The camera; by default the repository's.
    """
    root = Path(root)
    camera = instrument if instrument is not None else instrument_of(open_repository(root))
    target = calib_root_of(root, Path(calib_root) if calib_root is not None else None)
    report = IngestReport(target, dry_run=dry_run, mode="move")
    template = DatasetTypes(camera.templates)["defects"].template
    with writing_errors(target):
        if dry_run:
            staging = Path(tempfile.mkdtemp(prefix="safelight-defects-"))
        else:
            make_directory(target)
            staging = Path(tempfile.mkdtemp(prefix=f".defects.tmp-{os.getpid()}-", dir=target))
        try:
            items = []
            for ccd, epoch, boxes in _lists(camera):
                date = f"{epoch[:10]}T00:00:00"
                relative = template.format({"calibDate": date, "ccd": ccd})
                source = staging / relative.replace("/", "_")
                metadata = {
                    "INSTRUME": camera.name,
                    "DETECTOR": ccd,
                    "CALIBDATE": date,
                    "CALIB_ID": f"filter=None calibDate={date} ccd={ccd}",
                }
                write_defects(source, boxes, metadata)
                items.append(CalibrationItem(source, target / relative, "defects", "None", ccd, date))
            return register_calibrations(target, items, report, 0)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _lists(camera: Instrument) -> Iterator[tuple[int, str, list[Box]]]:
    """CCD, epoch and boxes of every list that is written."""
    epochs = camera.defect_table.epochs if camera.defect_table is not None else ()
    for detector in camera.detectors:
        previous: list[Box] | None = None
        for epoch in epochs:
            boxes = camera.defects_on(detector.id, epoch)
            if detector.type == "SCIENCE" or boxes != previous:
                yield detector.id, epoch, boxes
            previous = boxes
