"""Configuration in layers: defaults, the camera's, files and ``-c``, each value with its history.

Configuration text is never executed. A file holds the lines that LSST Gen2 wrote and read, ``config.a.b = literal``
(older name ``root`` too); they are parsed with `ast` and only literals are taken. The ``import`` and ``assert`` lines
at the head of saved Gen2 files say nothing about values and are passed over.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from safelight.errors import ConfigurationError
from safelight.processccd.config import ProcessCcdConfig

__all__ = ["Assignment", "ConfigLayers", "config_fields", "config_groups", "flatten", "parse_config_text"]

_WORDS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value that a field was given, and who gave it: "default", "camera hsc", "-c", or "file:line"."""

    value: Any
    source: str


@cache
def config_fields() -> Mapping[str, FieldInfo]:
    """Every field of the configuration by dotted path, in the order in which files list them."""
    return dict(_walk(ProcessCcdConfig, ""))


def _walk(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from _walk(nested, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def config_groups() -> dict[str, type[BaseModel]]:
    """The steps and parts that have a configuration of their own, by dotted path."""
    found: dict[str, type[BaseModel]] = {}

    def visit(model: type[BaseModel], prefix: str) -> None:
        for name, field in model.model_fields.items():
            nested = field.annotation
            if isinstance(nested, type) and issubclass(nested, BaseModel):
                found[f"{prefix}{name}"] = nested
                visit(nested, f"{prefix}{name}.")

    visit(ProcessCcdConfig, "")
    return found


def flatten(config: BaseModel) -> dict[str, Any]:
    """Values by dotted path, in file order."""
    result: dict[str, Any] = {}
    for path in config_fields():
        value: Any = config
        for name in path.split("."):
            value = getattr(value, name)
        result[path] = value
    return result


class ConfigLayers:
    """A configuration under construction; every assignment is remembered.

    Fields are checked one by one as they are set (type and bounds), the rules between fields when `build` is called.
    """

    def __init__(self) -> None:
        self._history = {path: [Assignment(value, "default")] for path, value in flatten(ProcessCcdConfig()).items()}

    def history(self, path: str) -> list[Assignment]:
        """All values that the field was given, the last one valid."""
        return list(self._history[path])

    def source(self, path: str) -> str:
        """Who set the field's present value."""
        return self._history[path][-1].source

    def set_value(self, path: str, value: Any, source: str) -> None:
        """Give a field a value; raises `ConfigurationError` for an unknown field or a value that it refuses."""
        field = self._field(path, source)
        self._history[path].append(Assignment(_validated(path, field, value, source), source))

    def set_text(self, assignment: str, source: str) -> None:
        """Take one ``name=value`` of a command line.

        A field that holds text takes the text as it stands; any other field takes it read as a Python literal.
        """
        path, equals, text = assignment.partition("=")
        path = path.strip().removeprefix("config.")
        if not equals or not path:
            raise ConfigurationError(
                "BAD_CONFIG_ASSIGNMENT",
                f"{assignment!r} is not of the form name=value.",
                "For example: -c isr.doFlat=False",
            )
        if not text:
            raise ConfigurationError("BAD_CONFIG_ASSIGNMENT", f"Configuration field {path} was given no value.")
        field = self._field(path, source)
        self.set_value(path, _read_text(path, field, text, source), source)

    def load_file(self, path: Path) -> None:
        """Apply the ``config.a.b = literal`` lines of a file, in order."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else f"it is not text in UTF-8 ({error.reason})"
            raise ConfigurationError(
                "CONFIG_FILE_UNREADABLE", f"Configuration file {path} cannot be read: {why}."
            ) from error
        for name, value, line in parse_config_text(text, str(path)):
            self.set_value(name, value, f"{path}:{line}")

    def build(self) -> ProcessCcdConfig:
        """The validated configuration."""
        tree: dict[str, Any] = {}
        for path, assignments in self._history.items():
            *groups, name = path.split(".")
            node = tree
            for group in groups:
                node = node.setdefault(group, {})
            node[name] = assignments[-1].value
        try:
            return ProcessCcdConfig.model_validate(tree)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the configuration"
            raise ConfigurationError(
                "CONFIG_INVALID",
                f"{where}: {first['msg']}.",
                f"Set by {self.source(where)}." if where in self._history else "",
            ) from error

    def _field(self, path: str, source: str) -> FieldInfo:
        fields = config_fields()
        if path in fields:
            return fields[path]
        near = _nearest(path, list(fields))
        raise ConfigurationError(
            "UNKNOWN_CONFIG_FIELD",
            f"There is no configuration field {path} ({source}).",
            f"Nearest: {', '.join(near)}." if near else "--show config lists all fields.",
        )


def _nearest(path: str, known: list[str]) -> list[str]:
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(path.casefold(), folded, n=3, cutoff=0.75)
    last = path.rpartition(".")[2].casefold()
    same_name = [name for fold, name in folded.items() if fold.rpartition(".")[2] == last]
    inside = [name for name in known if name.startswith(f"{path}.")]
    return list(dict.fromkeys([folded[n] for n in near] + same_name + inside))[:5]


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
    return adapter


def _validated(path: str, field: FieldInfo, value: Any, source: str) -> Any:
    # Through JSON, strictly: lists become tuples where the field wants them, but True is no 1 and "3" is no 3.
    try:
        return _adapter(field).validate_json(json.dumps(value), strict=True)
    except (ValidationError, TypeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ConfigurationError(
            "BAD_CONFIG_VALUE",
            f"Configuration field {path} refuses {value!r} ({source}): {reason}.",
            field.description or "",
        ) from error


def _read_text(path: str, field: FieldInfo, text: str, source: str) -> Any:
    if text == "None" and type(None) in get_args(field.annotation):
        return None
    try:
        return _adapter(field).validate_json(json.dumps(text), strict=True)
    except ValidationError:
        pass  # not a field of text: read the text as a literal
    if text.strip() in _WORDS:
        return _WORDS[text.strip()]
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError) as error:
        raise ConfigurationError(
            "BAD_CONFIG_VALUE",
            f"Configuration field {path} refuses {text!r} ({source}): it is not a literal.",
            field.description or "",
        ) from error


def parse_config_text(text: str, name: str) -> list[tuple[str, Any, int]]:
    """The assignments of a configuration file as (path, value, line); nothing in it is executed.

    Raises `ConfigurationError` for anything but ``config.path = literal``, imports, and assertions.
    """
    try:
        module = ast.parse(text, filename=name)
    except SyntaxError as error:
        raise ConfigurationError(
            "BAD_CONFIG_FILE", f"{name}:{error.lineno}: cannot be read as configuration: {error.msg}."
        ) from error
    result = []
    for statement in module.body:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Assert):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            raise _not_an_assignment(name, statement.lineno)
        path = _target(statement.targets[0])
        if path is None:
            raise _not_an_assignment(name, statement.lineno)
        result.append((path, _literal(statement.value, name), statement.lineno))
    return result


def _not_an_assignment(name: str, line: int) -> ConfigurationError:
    return ConfigurationError(
        "BAD_CONFIG_FILE",
        f"{name}:{line}: only lines of the form config.name = literal are read.",
        "Configuration files are never executed: no loops, calls or expressions.",
    )


def _target(node: ast.expr) -> str | None:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not names or not isinstance(node, ast.Name) or node.id not in ("config", "root"):
        return None
    return ".".join(reversed(names))


def _literal(node: ast.expr, name: str) -> Any:
    """The value of a literal; float('inf') and float('nan') count as literals, since Python has no other."""
    match node:
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str(word))]) if word in _WORDS:
            return _WORDS[word]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Call() as inner):
            return -_literal(inner, name)
        case ast.Tuple(elts=items):
            return tuple(_literal(item, name) for item in items)
        case ast.List(elts=items):
            return [_literal(item, name) for item in items]
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {_literal(k, name): _literal(v, name) for k, v in zip(keys, values) if k is not None}
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ConfigurationError(
            "BAD_CONFIG_FILE", f"{name}:{node.lineno}: {ast.unparse(node)!r} is not a literal."
        ) from error
