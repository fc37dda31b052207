"""Repositories: directories that say which camera they hold, alone or through a parent.

A directory is a repository if it has ``repositoryCfg.yaml`` (preferred) or, in the old style, a file ``_mapper`` (first
line: the camera), a link ``_parent`` to another repository, or a registry. The camera is written as a Gen2 mapper
class (``lsst.obs.hsc.HscMapper``), as ``safelight.NAME``, or as the path of a camera's YAML file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.butler.atomic import make_directory, write_text
from safelight.butler.repositorycfg import CFG_NAME, RepositoryCfg, read_repository_cfg
from safelight.errors import RepositoryError

if TYPE_CHECKING:
    from safelight.instruments import Instrument

__all__ = [
    "MAPPER_NAME",
    "REGISTRY_NAME",
    "Repository",
    "create_repository",
    "instrument_of",
    "is_repository",
    "mapper_of",
    "open_repository",
    "with_parents",
]

MAPPER_NAME = "_mapper"
REGISTRY_NAME = "registry.sqlite3"
_PARENT_NAME = "_parent"
_OWN_PREFIX = "safelight."
_CAMERA_FILES = (".yaml", ".yml")


@dataclass(frozen=True)
class Repository:
    """One repository as its directory describes it."""

    root: Path
    mapper: str | None  # None: only the parents may say
    parents: tuple[Path, ...]
    cfg: RepositoryCfg | None  # None: an old-style repository

    @property
    def has_registry(self) -> bool:
        """Whether it has a registry of raw frames of its own."""
        return (self.root / REGISTRY_NAME).is_file()


def is_repository(path: Path) -> bool:
    """Whether anything in `path` says that it is a repository."""
    return any((path / name).exists() for name in (CFG_NAME, MAPPER_NAME, _PARENT_NAME, REGISTRY_NAME))


def open_repository(path: Path) -> Repository:
    """The repository in the directory `path`.

    Raises
    ------
    RepositoryError
        NO_SUCH_DIRECTORY, NOT_A_REPOSITORY or BAD_REPOSITORY_CFG.
    """
    if not path.is_dir():
        raise RepositoryError(
            "NO_SUCH_DIRECTORY", f"There is no directory {path}.", "Check the path of the repository."
        )
    if not is_repository(path):
        raise RepositoryError(
            "NOT_A_REPOSITORY",
            f"{path} is not a repository: it has none of {CFG_NAME}, {MAPPER_NAME}, {_PARENT_NAME}, {REGISTRY_NAME}.",
            f"Make one from raw frames: safelight ingest images {path} FILES",
        )
    cfg = read_repository_cfg(path)
    if cfg is not None:
        mapper = cfg.mapper or _read_mapper(path)
        return Repository(path, mapper, tuple(cfg.parent_paths(path)), cfg)
    link = path / _PARENT_NAME
    parents = (link.resolve(),) if link.exists() else ()
    return Repository(path, _read_mapper(path), parents, None)


def _read_mapper(path: Path) -> str | None:
    try:
        lines = (path / MAPPER_NAME).read_text(encoding="utf-8").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RepositoryError("BAD_MAPPER", f"{path / MAPPER_NAME} cannot be read: {error}.") from error
    return lines[0].strip() or None


def with_parents(repository: Repository) -> list[Repository]:
    """`repository` followed by its parents depth first, each directory once.

    Raises
    ------
    RepositoryError
        PARENT_MISSING when a parent is no repository any more.
    """
    found: list[Repository] = []
    seen: set[Path] = set()

    def visit(current: Repository) -> None:
        real = current.root.resolve()
        if real in seen:
            return
        seen.add(real)
        found.append(current)
        for parent in current.parents:
            visit(_open_parent(current, parent))

    visit(repository)
    return found


def _open_parent(child: Repository, path: Path) -> Repository:
    try:
        parent = open_repository(path)
    except RepositoryError as error:
        raise RepositoryError(
            "PARENT_MISSING",
            f"{child.root} was made from {path}, which is no repository: {error.message}",
            f"Bring it back, or correct _parents in {child.root / CFG_NAME}.",
        ) from error
    if parent.mapper is None and child.cfg is not None:
        for entry in child.cfg.parents:
            if isinstance(entry, RepositoryCfg) and child.cfg.parent_path(child.root, entry) == path:
                return Repository(parent.root, entry.mapper, parent.parents, parent.cfg)
    return parent


def mapper_of(repository: Repository) -> str | None:
    """The camera as written in the repository or the nearest of its parents; None if none says."""
    return next((r.mapper for r in with_parents(repository) if r.mapper), None)


def instrument_of(repository: Repository) -> Instrument:
    """The camera of a repository.

    Raises
    ------
    RepositoryError
        NO_CAMERA when neither the repository nor a parent names one.
    ConfigurationError
        The camera named is not known, or its file does not validate.
    """
    for candidate in with_parents(repository):
        if candidate.mapper:
            return _instrument(candidate.mapper, candidate.root)
    raise RepositoryError(
        "NO_CAMERA",
        f"{repository.root} does not say which camera it holds.",
        f"Write the camera into {repository.root / MAPPER_NAME}, e.g. lsst.obs.hsc.HscMapper.",
    )


def _instrument(mapper: str, root: Path) -> Instrument:
    from safelight.instruments import instrument_for_mapper, load_instrument

    if mapper.endswith(_CAMERA_FILES):
        return load_instrument(root / mapper)
    return instrument_for_mapper(mapper)


def create_repository(root: Path, camera: str | Path) -> Repository:
    """Make `root` (if absent) a repository of `camera` by writing its ``_mapper``.

    Parameters
    ----------
    root : Path
        The directory; it may exist, and may be a repository of the same camera already.
    camera : str or Path
        A camera's name (``hsc``), a Gen2 mapper class, or the path of a camera's YAML file, which then stays in
        use: it is read again whenever the repository is opened.

    Raises
    ------
    RepositoryError
        OTHER_CAMERA when it is a repository of another camera; DISK_FULL or NOT_WRITABLE.
    ConfigurationError
        There is no such camera, or its file does not validate.
    """
    root = Path(root)
    mapper, instrument = _mapper_for(camera, root)
    if root.is_dir() and is_repository(root):
        existing = open_repository(root)
        if mapper_of(existing) is not None:
            present = instrument_of(existing)
            if present.name != instrument.name:
                raise RepositoryError(
                    "OTHER_CAMERA",
                    f"{root} is a repository of camera {present.name}, not {instrument.name}.",
                    "One repository holds one camera: choose another directory.",
                )
            return existing
    make_directory(root)
    write_text(root / MAPPER_NAME, mapper + "\n")
    return open_repository(root)


def _mapper_for(camera: str | Path, root: Path) -> tuple[str, Instrument]:
    """What is written into ``_mapper``, and the camera it means."""
    from safelight.instruments import load_instrument

    text = str(camera)
    if text.endswith(_CAMERA_FILES):
        path = Path(text).resolve()
        inside = path.is_relative_to(root.resolve())
        return str(path.relative_to(root.resolve()) if inside else path), load_instrument(path)
    if "." in text:
        return text, _instrument(text, root)
    instrument = load_instrument(text)
    return (instrument.mappers[0] if instrument.mappers else _OWN_PREFIX + instrument.name), instrument
