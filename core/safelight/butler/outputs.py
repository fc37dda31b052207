"""Outputs: what a rerun was made from, and its own ``repositoryCfg.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safelight.butler.atomic import make_directory
from safelight.butler.repository import Repository, is_repository, mapper_of, open_repository
from safelight.butler.repositorycfg import RepositoryCfg, write_repository_cfg
from safelight.butler.rerun import relative_parent
from safelight.errors import RepositoryError

__all__ = ["open_output", "write_output_cfg"]


def open_output(source: Repository, output: Path | None, *, chained: bool) -> tuple[Path | None, list[Repository]]:
    """The output and the repositories that it is made from.

    Parameters
    ----------
    source : Repository
        The input of this command.
    output : Path or None
        Where to write; None: nothing is written.
    chained : bool
        Whether the input was named explicitly (``--rerun A:B``). If not, an existing output keeps the parents that it
        was made with (Gen2 asks for the same A:B again).

    Raises
    ------
    RepositoryError
        OTHER_PARENTS when the output was made from something else.
    """
    if output is None or output.resolve() == source.root.resolve():
        return output, [source]
    if not output.is_dir() or not is_repository(output):
        return output, [source]
    stored = [path.resolve() for path in open_repository(output).parents]
    if not stored or stored[0] == source.root.resolve():
        return output, [source]
    if chained or source.root.resolve() not in _ancestors(stored):
        raise RepositoryError(
            "OTHER_PARENTS",
            f"{output} was made from {', '.join(map(str, stored))}, not from {source.root}.",
            "Write to another rerun, or name the one it was made from.",
        )
    return output, [open_repository(path) for path in stored]


def _ancestors(paths: Sequence[Path]) -> set[Path]:
    """The directories of the repositories `paths` and of all their parents."""
    from safelight.butler.repository import with_parents

    return {repository.root.resolve() for path in paths for repository in with_parents(open_repository(path))}


def write_output_cfg(output: Path, parents: Sequence[Repository]) -> None:
    """Write the ``repositoryCfg.yaml`` of a new output; old-style parents are nested with their own camera."""
    make_directory(output)
    entries: list[str | RepositoryCfg] = []
    for parent in parents:
        path = relative_parent(output, parent.root)
        if parent.cfg is None:
            entries.append(RepositoryCfg(mapper=mapper_of(parent), root=path))
        else:
            entries.append(path)
    mapper = next((m for m in map(mapper_of, parents) if m), None)
    write_repository_cfg(output, RepositoryCfg(mapper=_absolute(mapper, parents), parents=tuple(entries)))


def _absolute(mapper: str | None, parents: Sequence[Repository]) -> str | None:
    """A camera file's path is relative to the repository that names it; an output lies elsewhere."""
    if mapper is None or not mapper.endswith((".yaml", ".yml")) or Path(mapper).is_absolute():
        return mapper
    for parent in parents:
        if (parent.root / mapper).is_file():
            return str((parent.root / mapper).resolve())
    return mapper
