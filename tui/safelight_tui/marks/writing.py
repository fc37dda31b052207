"""Writing what triage shows to a file. Touches the disk: call it in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safelight.errors import UsageError

__all__ = ["write_rows"]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], *, rerun: str, repository: str) -> str:
    """Write judged rows in the form that the file's ending asks for; a sentence about it.

    Raises
    ------
    UsageError
        FILE_EXISTS: nothing is written over.
    RepositoryError
        The file cannot be written.
    """
    from safelight.butler.atomic import write_text
    from safelight.butler.butler import Butler
    from safelight.processccd.judged import render_export
    from safelight.processccd.nightsummary import night_summary
    from safelight.processccd.visittimes import visit_times

    if path.exists():
        raise UsageError("FILE_EXISTS", f"{path} is there already.", "Choose another name.")
    if path.suffix == ".md":
        text = night_summary(
            rows, rerun=rerun, repository=repository, times=visit_times(Butler(Path(repository)), rows)
        )
    elif path.suffix in (".csv", ".ecsv"):
        text = render_export(rows, "csv" if path.suffix == ".csv" else "ecsv", meta={"rerun": rerun})
    else:
        text = render_export(rows, "id", meta={})
    write_text(path, text)
    return f"{len(rows)} CCDs written to {path.absolute()}"
