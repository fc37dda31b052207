"""Reading and writing by the form of the file. Everything heavy is imported when first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safelight.butler.datasettypes import Storage
from safelight.errors import RepositoryError, UsageError

__all__ = ["read_dataset", "read_header", "write_dataset"]


def _read_exposure(path: Path) -> Any:
    from safelight.exposure.fits import read_exposure

    return read_exposure(path)


def _read_master(path: Path) -> Any:
    from safelight.exposure.fits import read_master

    return read_master(path)


def _read_table(path: Path) -> Any:
    from safelight.exposure.tables import read_table

    return read_table(path)


def _read_background(path: Path) -> Any:
    from safelight.exposure.tables import read_background

    return read_background(path)


def _read_defects(path: Path) -> Any:
    from safelight.butler.defects_io import read_defects

    return read_defects(path)


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _read_yaml(path: Path) -> Any:
    """A YAML file; Gen2's tagged property sets are read as plain mappings, other tags are refused."""
    import yaml

    class Loader(yaml.SafeLoader):
        """The safe loader with the tags of LSST's property sets."""

    def construct(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_object(yaml.ScalarNode("tag:yaml.org,2002:str", node.value))

    Loader.add_multi_constructor("lsst.daf.base.", construct)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise RepositoryError("BAD_YAML", f"{path} cannot be read: {reason}.") from error


def _write_exposure(path: Path, thing: Any) -> None:
    from safelight.exposure.fits import write_exposure

    write_exposure(path, thing)


def _write_master(path: Path, thing: Any) -> None:
    from safelight.exposure.fits import write_master

    write_master(path, thing)


def _write_table(path: Path, thing: Any) -> None:
    from safelight.exposure.tables import write_table

    write_table(path, thing)


def _write_background(path: Path, thing: Any) -> None:
    from safelight.exposure.tables import write_background

    write_background(path, thing)


def _write_defects(path: Path, thing: Any) -> None:
    from safelight.butler.defects_io import write_defects

    write_defects(path, thing, {})


def _write_text(path: Path, thing: Any) -> None:
    if not isinstance(thing, str):
        raise UsageError("NOT_TEXT", f"{path.name} holds text, not {type(thing).__name__}.")
    path.write_text(thing, encoding="utf-8")


def _write_yaml(path: Path, thing: Any) -> None:
    import yaml

    try:
        text = yaml.safe_dump(thing, sort_keys=False, allow_unicode=True)
    except yaml.YAMLError as error:
        raise UsageError("NOT_PLAIN_DATA", f"{path.name} takes plain mappings, lists, texts and numbers.") from error
    path.write_text(text, encoding="utf-8")


_READERS: Mapping[Storage, Callable[[Path], Any]] = {
    "exposure": _read_exposure,
    "master": _read_master,
    "table": _read_table,
    "background": _read_background,
    "defects": _read_defects,
    "yaml": _read_yaml,
    "text": _read_text,
}
_WRITERS: Mapping[Storage, Callable[[Path, Any], None]] = {
    "exposure": _write_exposure,
    "master": _write_master,
    "table": _write_table,
    "background": _write_background,
    "defects": _write_defects,
    "yaml": _write_yaml,
    "text": _write_text,
}


def read_dataset(storage: Storage, path: Path) -> Any:
    """The contents of `path`.

    Raises
    ------
    RepositoryError
        PICKLE_REFUSED: no pickle is ever loaded; NO_FORMATTER: the form of the file is not known.
    """
    if storage == "pickle":
        raise RepositoryError(
            "PICKLE_REFUSED",
            f"{path} is a pickle, which could run any program when loaded, so it is not.",
            "Convert it to YAML or FITS with the software that wrote it.",
        )
    if storage not in _READERS:
        raise RepositoryError("NO_FORMATTER", f"{path} has a form that is not read here.", "Open the file by its path.")
    return _READERS[storage](path)


def write_dataset(storage: Storage, path: Path, thing: Any) -> None:
    """Write `thing` to `path`, directly; raises `RepositoryError` NO_FORMATTER for forms that are not written."""
    if storage not in _WRITERS:
        raise RepositoryError("NO_FORMATTER", f"{path} has a form that is not written here.")
    _WRITERS[storage](path, thing)


def read_header(path: Path) -> dict[str, Any]:
    """The cards of a FITS file's primary header, and of its first extension where the primary has no data."""
    from safelight.instruments import read_raw_header

    return read_raw_header(path)
