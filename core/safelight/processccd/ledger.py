"""What is known of each CCD of a rerun, in this package's terms, on top of the butler's ledger of datasets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from safelight.butler.datasets import CcdRecord, DatasetLedger, file_record
from safelight.caveats import Caveat
from safelight.processccd.journal import finite
from safelight.processccd.outcome import CcdOutcome, Failure, InputFile, OutputFile
from safelight.processccd.plainvalues import plain

__all__ = ["OutcomeLedger", "RecordedCcd"]


@dataclass(frozen=True, slots=True)
class RecordedCcd:
    """The last result of one CCD in a rerun."""

    data_id: dict[str, Any]
    status: str
    caveats: list[Caveat]
    failure: Failure | None
    metrics: dict[str, Any]
    config_hash: str
    inputs: list[InputFile]
    run: str
    started: str
    finished: str
    seconds: float = field(default=0.0)


class OutcomeLedger:
    """Reads and, in a run, writes results."""

    def __init__(self, output: Path) -> None:
        self._ledger = DatasetLedger(output)

    def __enter__(self) -> OutcomeLedger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._ledger.close()

    def record(self, outcome: CcdOutcome, run: str, config_hash: str) -> None:
        """Store an outcome and its files in one transaction.

        A failure leaves the files of an earlier success as they are, and their rows with them.
        """
        if outcome.status in ("cancelled", "skipped"):
            return
        failure = outcome.failure or Failure("", "", "")
        finished = datetime.now(UTC)
        inputs = [asdict(file) for file in outcome.inputs]
        record = CcdRecord(
            data_id=outcome.data_id,
            status=outcome.status,
            caveats=outcome.caveats,
            step=failure.step,
            code=failure.code,
            message=failure.message,
            hint=failure.hint,
            config_hash=config_hash,
            inputs_hash=hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest(),
            inputs=inputs,
            metrics=finite(plain(outcome.metrics)) | {"seconds": round(outcome.seconds, 4)},
            run_id=run,
            started=_iso(finished - timedelta(seconds=outcome.seconds)),
            finished=_iso(finished),
        )
        files = list(outcome.outputs)
        written = {file.path for file in files}
        kept = [file for file in self._ledger.files(outcome.data_id) if file.path not in written]
        self._ledger.record_ccd(record, [*files, *(kept if outcome.status == "failed" else [])])

    def record_files(self, files: Mapping[str, Path]) -> None:
        """Store files that belong to no CCD: dataset type -> path."""
        self._ledger.record_files([file_record(kind, path) for kind, path in files.items() if path.is_file()])

    def ccds(self) -> list[RecordedCcd]:
        """Every CCD of the rerun."""
        return [_recorded(record) for record in self._ledger.ccds()]

    def visit(self, visit: Any) -> list[RecordedCcd]:
        """The CCDs of one visit."""
        return [_recorded(record) for record in self._ledger.ccds(visit)]

    def amend(
        self,
        data_id: Mapping[str, Any],
        caveats: Sequence[Caveat],
        metrics: Mapping[str, float],
        files: Sequence[OutputFile],
    ) -> RecordedCcd:
        """Replace the caveats of a CCD that is done, add to its metrics and replace records of its files.

        Status follows the caveats; when and by which run it was done stays. Raises `KeyError` for an unknown CCD.
        """
        record = self._ledger.ccd(data_id)
        if record is None:
            raise KeyError(str(data_id))
        record.caveats = list(caveats)
        record.status = "done-with-caveats" if caveats else "done"
        record.metrics = record.metrics | finite(plain(dict(metrics)))
        written = {file.path for file in files}
        kept = [file for file in self._ledger.files(data_id) if file.path not in written]
        self._ledger.record_ccd(record, [*files, *kept])
        return _recorded(record)

    def ccd(self, data_id: Mapping[str, Any]) -> RecordedCcd | None:
        """One CCD; None if it was never done."""
        record = self._ledger.ccd(data_id)
        return _recorded(record) if record else None

    def damaged_outputs(self, data_id: Mapping[str, Any]) -> list[str]:
        """What is wrong with the files of a CCD, by presence and size."""
        return [problem.message for problem in self._ledger.verify(data_id, checksums=False)]

    def bytes_per_ccd(self) -> float | None:
        """Mean size on disk of the outputs of a CCD; None where there are none."""
        sizes = [file.size for file in self._ledger.files()]
        count = sum(1 for record in self._ledger.ccds() if record.status.startswith("done"))
        return sum(sizes) / count if count else None


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _recorded(record: CcdRecord) -> RecordedCcd:
    failure = None
    if record.status == "failed":
        failure = Failure(record.step, record.code, record.message, record.hint)
    return RecordedCcd(
        data_id=record.data_id,
        status=record.status,
        caveats=record.caveats,
        failure=failure,
        metrics=record.metrics,
        config_hash=record.config_hash,
        inputs=[InputFile(**file) for file in record.inputs],
        run=record.run_id,
        started=record.started,
        finished=record.finished,
        seconds=float(record.metrics.get("seconds") or 0.0),
    )
