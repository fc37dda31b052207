"""Loading camera files, with errors that say which file, which field, which value and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from safelight.errors import ConfigurationError
from safelight.instruments.model import Instrument
from safelight.instruments.tables import (
    TableError,
    build_crosstalk,
    build_defects,
    build_detectors,
    build_distortion,
    build_rows,
)

__all__ = ["builtin_instruments", "instrument_for_mapper", "load_instrument"]

_DATA = Path(__file__).parent / "data"
_MAX_ERRORS_SHOWN = 5
#: One of them makes a mapping a header rule, which half of another rule would only distort.
_RULE_KEYS = {"keywords", "translator", "default"}


def builtin_instruments() -> list[str]:
    """Names of the cameras that come with the library."""
    return sorted(path.stem for path in _DATA.glob("*.yaml"))


def load_instrument(name_or_path: str | Path) -> Instrument:
    """The camera of that name ("hsc", "huntsman", "generic") or of a YAML file of the user's.

    Loaded once a process; a user's file is read anew when it has changed.

    Raises
    ------
    ConfigurationError
        ``UNKNOWN_INSTRUMENT``, ``INVALID_YAML`` or ``INVALID_INSTRUMENT``.
    """
    path = _locate(name_or_path)
    return _load(path, path.stat().st_mtime_ns)


def instrument_for_mapper(dotted: str) -> Instrument:
    """The camera of a Gen2 mapper class, e.g. ``"lsst.obs.hsc.HscMapper"``.

    Also of ``"safelight.NAME"``, of the name of a camera that comes with Safelight and of the path of a YAML file.

    Raises
    ------
    ConfigurationError
        ``UNKNOWN_MAPPER`` naming the mappers that are known.
    """
    text = dotted.strip()
    if text.endswith((".yaml", ".yml")) or text in builtin_instruments():
        return load_instrument(text)
    known: list[str] = []
    for name in builtin_instruments():
        instrument = load_instrument(name)
        mappers = (*instrument.mappers, f"safelight.{name}")
        if text in mappers:
            return instrument
        known += mappers
    near = difflib.get_close_matches(text, known, n=1)
    raise ConfigurationError(
        "UNKNOWN_MAPPER",
        f"No camera is known for the mapper {dotted!r}.",
        (f"Did you mean {near[0]}? " if near else "")
        + f"Known are {', '.join(known)}, or the path of a camera's YAML file.",
    )


def _locate(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    builtin = _DATA / f"{text}.yaml"
    if text in builtin_instruments():
        return builtin
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path.resolve()
    near = difflib.get_close_matches(text, builtin_instruments(), n=1)
    raise ConfigurationError(
        "UNKNOWN_INSTRUMENT",
        f"There is no camera {text!r}: it is neither a camera that comes with Safelight nor a readable file.",
        (f"Did you mean {near[0]}? " if near else "")
        + f"Cameras that come with Safelight are {', '.join(builtin_instruments())}.",
    )


@lru_cache(maxsize=32)
def _load(path: Path, modified_ns: int) -> Instrument:
    document = _read_document(path, ())
    return _build(document, path)


def _read_document(path: Path, extended_by: tuple[Path, ...]) -> dict[str, Any]:
    """The YAML document of `path`, merged over the one it extends."""
    import yaml

    if path in extended_by:
        raise ConfigurationError("INVALID_INSTRUMENT", f"{path} extends itself.")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.load(text, Loader=loader)
        repeated = "" if path.parent == _DATA else _repeated_key(yaml.compose(text, Loader=loader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError("INVALID_YAML", f"{path} is not valid YAML: {error}.") from error
    except OSError as error:
        raise ConfigurationError("UNKNOWN_INSTRUMENT", f"{path} cannot be read: {error.strerror}.") from error
    if repeated:
        raise ConfigurationError("INVALID_INSTRUMENT", f"{path} has {repeated}.", "YAML would keep the last one only.")
    if not isinstance(document, dict):
        raise ConfigurationError("INVALID_INSTRUMENT", f"{path} does not hold a mapping of fields.")
    base = document.pop("extends", None)
    if base is None:
        return document
    parent = _locate(base) if base in builtin_instruments() else _locate(path.parent / str(base))
    return _merged(_read_document(parent, (*extended_by, path)), document)


def _repeated_key(root: Any) -> str:
    """In words, the first key that a mapping of the YAML tree has twice; empty if there is none."""
    pending, visited = [root], set()
    while pending:
        node = pending.pop()
        if node is None or id(node) in visited:  # an alias leads to what has been seen
            continue
        visited.add(id(node))
        keys: set[str] = set()
        for key, value in node.value if node.id == "mapping" else ():
            if key.id == "scalar" and key.value in keys:
                return f"{key.value} twice, again in line {key.start_mark.line + 1}"
            keys.add(str(key.value))
            pending.append(value)
        if node.id == "sequence":
            pending += node.value
    return ""


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`: mappings merge key by key; rules and all else are replaced; null takes a key away."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict) and not _RULE_KEYS & value.keys():
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result


def _build(document: dict[str, Any], path: Path) -> Instrument:
    field = "detectors"
    try:
        document["detectors"] = build_detectors(document)
        for field, key, build in (
            ("distortion", "distortion", build_distortion),
            ("crosstalk", "crosstalk", build_crosstalk),
            ("defects", "defect_table", build_defects),
            ("filters", "filters", build_rows),
            ("color_terms", "color_terms", build_rows),
        ):
            if field in document:
                document[key] = build(document.pop(field))
        field = "reference_catalogs"
        _map_filters(document)
        return Instrument.model_validate(document)
    except TableError as error:
        raise ConfigurationError("INVALID_INSTRUMENT", f"In {path}, {field}: {error}.") from None
    except ValidationError as error:
        raise _as_sentence(error, path) from None


def _map_filters(document: dict[str, Any]) -> None:
    catalogs = document.get("reference_catalogs")
    if isinstance(catalogs, dict) and isinstance(catalogs.get("filter_map"), str):
        rows = build_rows(catalogs["filter_map"])
        if any(set(row) != {"filter", "column"} for row in rows):
            raise TableError("filter_map needs the columns filter and column")
        document["reference_catalogs"] = catalogs | {"filter_map": {row["filter"]: row["column"] for row in rows}}


def _as_sentence(error: ValidationError, path: Path) -> ConfigurationError:
    problems = [_problem(dict(item)) for item in error.errors(include_url=False)]
    shown = problems[:_MAX_ERRORS_SHOWN]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    return ConfigurationError(
        "INVALID_INSTRUMENT",
        f"The camera file {path} is not valid: {'; '.join(shown)}.",
        "The format is described at the top of the camera file generic.yaml.",
    )


def _problem(item: dict[str, Any]) -> str:
    place = ""
    for part in item["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    kind = item["type"]
    if kind == "missing":
        return f"the field {place} is missing"
    if kind == "extra_forbidden":
        allowed = _siblings(item["loc"])
        near = difflib.get_close_matches(str(item["loc"][-1]), allowed, n=1)
        return f"there is no field {place}" + (
            f" (did you mean {near[0]}?)" if near else f"; known are {', '.join(allowed)}"
        )
    message = item["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    value = item.get("input")
    shown = "" if isinstance(value, (dict, list)) or len(repr(value)) > 80 else f" is {value!r}"
    return f"{place}{shown}: {message}" if place else message


def _siblings(loc: tuple[int | str, ...]) -> list[str]:
    """Field names of the model in which a location lies."""
    from typing import get_args

    from pydantic import BaseModel

    model: Any = Instrument
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            annotation: Any = model.model_fields[part].annotation
            while not (isinstance(annotation, type) and issubclass(annotation, BaseModel)) and get_args(annotation):
                models = [a for a in get_args(annotation) if a is not type(None) and a is not Ellipsis]
                annotation = models[-1]
            model = annotation
    fields = list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
    if model is Instrument:
        fields += ["extends", "defects", "detector_defaults", "amplifiers", "amplifier_layout"]
        fields.remove("defect_table")
    return fields
