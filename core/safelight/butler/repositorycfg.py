"""``repositoryCfg.yaml``: what a Gen2 repository says about itself, read without importing anything.

Gen2 writes the class of the mapper as a Python tag; here a tag ``!!python/name:a.b.C`` is the text ``a.b.C``. Any
other Python tag is refused. What we write, Gen2 reads: the mapper as its dotted name, parents relative to the
repository, an old-style parent (one without such a file) nested with its own mapper.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.butler.atomic import write_text
from safelight.errors import RepositoryError

if TYPE_CHECKING:
    import yaml

__all__ = ["CFG_NAME", "RepositoryCfg", "parse_repository_cfg", "read_repository_cfg", "write_repository_cfg"]

CFG_NAME = "repositoryCfg.yaml"
_TAG = "!RepositoryCfg_v1"
_PYTHON_NAME = "tag:yaml.org,2002:python/name:"


@dataclass(frozen=True)
class RepositoryCfg:
    """The fields of one ``!RepositoryCfg_v1``; `parents` are paths as written or nested complete configurations."""

    mapper: str | None = None
    mapper_args: dict[str, Any] = field(default_factory=dict)
    parents: tuple[str | RepositoryCfg, ...] = ()
    policy: Any = None
    root: str | None = None  # None: the directory that holds the file

    def parent_paths(self, home: Path) -> list[Path]:
        """The parents' directories; relative ones start at `home`, the directory of this configuration."""
        return [self.parent_path(home, parent) for parent in self.parents]

    @staticmethod
    def parent_path(home: Path, parent: str | RepositoryCfg) -> Path:
        """One parent's directory."""
        written = (parent.root or "") if isinstance(parent, RepositoryCfg) else parent
        # They were written with links resolved, so ".." counts from the real directory.
        return Path(os.path.normpath(home.resolve() / written))


def parse_repository_cfg(text: str, path: Path) -> RepositoryCfg:
    """Read the text of a ``repositoryCfg.yaml``; `path` only stands in errors (BAD_REPOSITORY_CFG)."""
    import yaml

    try:
        cfg = yaml.load(text, _loader())
    except (yaml.YAMLError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise _bad(path, reason) from error
    if not isinstance(cfg, RepositoryCfg):
        raise _bad(path, f"it does not begin with {_TAG}")
    return cfg


def read_repository_cfg(directory: Path) -> RepositoryCfg | None:
    """The configuration of the repository `directory`; None if it has no such file."""
    path = directory / CFG_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(path, str(error)) from error
    return parse_repository_cfg(text, path)


def write_repository_cfg(directory: Path, cfg: RepositoryCfg) -> None:
    """Write `cfg` to `directory`, atomically."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """A dumper that knows the tag."""

    def represent(dumper: yaml.SafeDumper, value: RepositoryCfg) -> yaml.MappingNode:
        fields = {
            "_mapper": value.mapper,
            "_mapperArgs": value.mapper_args,
            "_parents": list(value.parents),
            "_policy": value.policy,
            "_root": value.root,
        }
        return dumper.represent_mapping(_TAG, fields)

    Dumper.add_representer(RepositoryCfg, represent)
    write_text(directory / CFG_NAME, yaml.dump(cfg, Dumper=Dumper, default_flow_style=False))


def _loader() -> type[yaml.SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """The safe loader with two tags of our own making."""

    def construct_name(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> str:
        return suffix

    def construct_cfg(loader: yaml.SafeLoader, node: yaml.Node) -> RepositoryCfg:
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, f"{_TAG} is not a mapping", node.start_mark)
        return _from_fields(loader.construct_mapping(node, deep=True))

    Loader.add_multi_constructor(_PYTHON_NAME, construct_name)
    Loader.add_constructor(_TAG, construct_cfg)
    return Loader


def _from_fields(fields: dict[Any, Any]) -> RepositoryCfg:
    parents = fields.get("_parents") or []
    mapper = fields.get("_mapper")
    mapper_args = fields.get("_mapperArgs") or {}
    root = fields.get("_root")
    if not isinstance(parents, list) or not all(isinstance(p, str | RepositoryCfg) for p in parents):
        raise ValueError("_parents is not a list of paths")
    if not isinstance(mapper, str | None) or not isinstance(root, str | None) or not isinstance(mapper_args, dict):
        raise ValueError("_mapper, _mapperArgs or _root has an unexpected type")
    return RepositoryCfg(mapper, mapper_args, tuple(parents), fields.get("_policy"), root)


def _bad(path: Path, reason: str) -> RepositoryError:
    return RepositoryError(
        "BAD_REPOSITORY_CFG",
        f"{path} cannot be read: {reason}.",
        "Compare it with the file of another rerun, or remove it if the directory is not meant to be a repository.",
    )
