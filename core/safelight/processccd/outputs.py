"""Writing the outputs of one CCD: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from safelight.butler.atomic import atomic_path, write_text
from safelight.caveats import Caveat
from safelight.errors import RepositoryError
from safelight.exposure.fits import write_exposure
from safelight.exposure.tables import write_background, write_table
from safelight.processccd.checksums import sha256_of
from safelight.processccd.outcome import CcdOutcome, OutputFile
from safelight.processccd.plainvalues import plain

if TYPE_CHECKING:
    from astropy.table import Table

    from safelight.exposure import Exposure
    from safelight.processccd.timing import StageClock

__all__ = ["CALIBRATED_TYPES", "CHARACTERIZED_TYPES", "OutputSet", "amend_metadata", "write_outputs"]

#: What a CCD leaves behind with and without the calibration step.
CALIBRATED_TYPES = ("calexp", "calexpBackground", "icSrc", "src", "srcMatch", "srcMatchFull", "processCcd_metadata")
CHARACTERIZED_TYPES = ("icExp", "icExpBackground", "icSrc", "processCcd_metadata")

_GROUPS = {
    "isr": "processCcd:isr",
    "characterize": "processCcd:charImage",
    "wcs": "processCcd:calibrate:astrometry",
    "zeropoint": "processCcd:calibrate:photoCal",
    "read": "processCcd:read",
    "write": "processCcd:write",
}


@dataclass(slots=True)
class OutputSet:
    """What is to be written, by dataset type."""

    exposures: dict[str, Exposure] = field(default_factory=dict)
    backgrounds: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)  # group -> key -> value

    def add_timing(self, clock: StageClock) -> None:
        """Put each stage's cost beside its other metadata, as lists with one item a call, in Gen2's manner."""
        for stage, usage in clock.usage.items():
            group = self.metadata.setdefault(_GROUPS.get(stage, f"processCcd:{stage}"), {})
            group |= {key: [value] for key, value in usage.items()}
            group["seconds"] = round(clock.total(stage), 4)


def write_outputs(paths: dict[str, Path], products: OutputSet, outcome: CcdOutcome, provenance: dict[str, str]) -> None:
    """Write all products to temporary files, then move all into place; append what was written to `outcome`.

    Whatever goes wrong before the last byte is on the disk leaves the repository as it was.
    """
    written = []
    with ExitStack() as stack:

        def temporary(dataset_type: str) -> Path:
            final = paths[dataset_type]
            final.parent.mkdir(parents=True, exist_ok=True)
            path: Path = stack.enter_context(atomic_path(final))
            written.append((dataset_type, path))
            return path

        for dataset_type, exposure in products.exposures.items():
            write_exposure(temporary(dataset_type), exposure, provenance=provenance)
        for dataset_type, background in products.backgrounds.items():
            write_background(temporary(dataset_type), background)
        for dataset_type, table in products.tables.items():
            write_table(temporary(dataset_type), table)
        if products.metadata:
            _write_metadata(temporary("processCcd_metadata"), products.metadata, outcome)
        outcome.outputs += [
            OutputFile(dataset_type, paths[dataset_type], path.stat().st_size, sha256_of(path))
            for dataset_type, path in written
        ]


def amend_metadata(path: Path, caveats: Sequence[Caveat], metrics: Mapping[str, float]) -> OutputFile:
    """Replace the caveats in a CCD's metadata and add to its metrics; what the file is then.

    Raises `RepositoryError` BAD_METADATA where the file is not one of ours.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        top = tree["processCcd"]
        top["caveats"] = _plain_caveats(caveats)
        top["metrics"] = top["metrics"] | dict(metrics)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise RepositoryError("BAD_METADATA", f"{path} cannot be read: {error}.", "Do the CCD again.") from error
    write_text(path, yaml.safe_dump(plain(tree), sort_keys=False, allow_unicode=True))
    return OutputFile("processCcd_metadata", path, path.stat().st_size, sha256_of(path))


def _plain_caveats(caveats: Iterable[Caveat]) -> list[dict[str, str]]:
    return [{"code": caveat.code, "message": caveat.message} for caveat in caveats]


def _write_metadata(path: Path, metadata: dict[str, dict[str, Any]], outcome: CcdOutcome) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    top = {
        "dataId": outcome.data_id,
        "caveats": _plain_caveats(outcome.caveats),
        "metrics": outcome.metrics,
        "writtenUtc": now,
    }
    tree = {"processCcd": top} | dict(sorted(metadata.items()))
    path.write_text(yaml.safe_dump(plain(tree), sort_keys=False, allow_unicode=True), encoding="utf-8")
