"""What an ingest did, file by file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safelight.errors import SafelightError

__all__ = ["BadFile", "IngestReport", "IngestedFile"]


@dataclass(frozen=True, slots=True)
class IngestedFile:
    """A file that was (or, in a dry run, would be) registered."""

    source: Path
    destination: Path
    row: dict[str, Any]
    kind: str = "raw"


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that cannot be ingested."""

    source: Path
    code: str
    message: str

    @classmethod
    def of(cls, source: Path, error: SafelightError) -> BadFile:
        """From the error that it raised; the message names the file."""
        message = error.message if source.name in error.message else f"{source}: {error.message}"
        return cls(source, error.code, message)


@dataclass(slots=True)
class IngestReport:
    """The outcome of one ingest; every file given is in exactly one of the lists."""

    root: Path
    dry_run: bool = False
    ingested: list[IngestedFile] = field(default_factory=list)
    already: list[Path] = field(default_factory=list)  # registered before, from this very file or a copy
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # as asked (badId, badFile, ignore-ingested): why
    bad: list[BadFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mode: str = "link"

    @property
    def exit_code(self) -> int:
        """0 if every file was taken or left out on purpose, 1 if some are bad."""
        return 1 if self.bad else 0

    def lines(self) -> list[str]:
        """The report in words: bad files by name, then the counts."""
        result: list[str] = []
        if self.dry_run:
            result += [f"{self.mode} {item.source} -> {item.destination}" for item in self.ingested]
        result += [f"skipped {path}: {why}" for path, why in self.skipped]
        result += self.notes
        result += [f"bad {bad.message} [{bad.code}]" for bad in self.bad]
        kinds = Counter(item.kind for item in self.ingested)
        what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "0"
        verb = "would be ingested" if self.dry_run else "ingested"
        counts = [f"{what} {verb} into {self.root}"]
        if self.already:
            counts.append(f"{len(self.already)} already there")
        if self.skipped:
            counts.append(f"{len(self.skipped)} skipped")
        if self.bad:
            codes = Counter(bad.code for bad in self.bad)
            counts.append(f"{len(self.bad)} bad ({', '.join(f'{n} {code}' for code, n in sorted(codes.items()))})")
        result.append("; ".join(counts) + ".")
        return result
