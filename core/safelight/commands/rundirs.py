"""Reruns and their runs as the commands about runs name them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safelight.errors import DatasetNotFound, UsageError

if TYPE_CHECKING:
    from safelight.processccd.runlist import RunOverview

__all__ = ["live_run", "newest_run", "rerun_directory", "reruns_of"]


def reruns_of(root: str, rerun: str | None = None) -> list[tuple[str, Path]]:
    """Name and directory of the rerun named, or of all."""
    from safelight.butler.repository import open_repository
    from safelight.butler.rerun import list_reruns
    from safelight.butler.roots import resolve_roots

    base = resolve_roots(root).root
    open_repository(base)
    if rerun is not None:
        return [(rerun, rerun_directory(root, rerun))]
    return [(name, base / "rerun" / name) for name in list_reruns(base)]


def rerun_directory(root: str, rerun: str) -> Path:
    """The directory of a rerun; raises `DatasetNotFound` NO_SUCH_RERUN, naming those there are."""
    from safelight.butler.rerun import list_reruns, resolve_rerun
    from safelight.butler.roots import resolve_roots

    base = resolve_roots(root).root
    output = resolve_rerun(base, rerun).output
    if not output.is_dir():
        there_are = list_reruns(base)
        raise DatasetNotFound(
            "NO_SUCH_RERUN",
            f"There is no rerun {rerun} in {base}.",
            f"There are: {', '.join(there_are)}." if there_are else "Nothing has been run in this repository yet.",
        )
    return output


def newest_run(output: Path, run: str | None = None) -> RunOverview:
    """The run named, or the newest; raises `DatasetNotFound` NO_SUCH_RUN."""
    from safelight.processccd.runlist import runs_of

    runs = list(runs_of(output))
    found = next((item for item in runs if run in (None, item.run)), None)
    if found is None:
        names = ", ".join(item.run for item in runs[:5])
        raise DatasetNotFound(
            "NO_SUCH_RUN",
            f"There is no run{f' {run}' if run else ''} in {output}.",
            f"The newest: {names}." if names else "Start one with safelight run.",
        )
    return found


def live_run(output: Path) -> RunOverview:
    """The run that goes on in a rerun; raises `UsageError` RUN_OVER, saying how the last one ended."""
    found = newest_run(output)
    if not found.live:
        raise UsageError(
            "RUN_OVER",
            f"No run goes on in {output}; the last one, {found.run}, is {found.phase}.",
            "safelight runs lists them." if found.phase != "dead" else "Give its command line again to go on.",
        )
    return found
