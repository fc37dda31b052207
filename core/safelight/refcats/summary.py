"""What a reference catalogue holds, from its headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safelight.errors import DatasetNotFound
from safelight.refcats.dataset import DatasetConfig
from safelight.refcats.shards import read_shard_header

__all__ = ["CatalogSummary", "catalog_summary"]


@dataclass(frozen=True, slots=True)
class CatalogSummary:
    """Name, size and columns of a catalogue."""

    name: str
    root: Path
    format_version: int | None
    depth: int  # of the HTM mesh
    shards: tuple[int, ...]  # HTM ids
    rows: int
    bytes: int
    bands: tuple[str, ...]  # flux columns without "_flux"
    columns: tuple[str, ...]

    @property
    def has_proper_motions(self) -> bool:
        """Whether there are columns of proper motion (whether they can be believed is judged on loading)."""
        return "pm_ra" in self.columns and "pm_dec" in self.columns


def catalog_summary(root: str | Path) -> CatalogSummary:
    """Summarise the catalogue in ``…/ref_cats/NAME``.

    Raises
    ------
    DatasetNotFound
        ``NO_REFERENCE_CATALOG`` when the directory holds no shard.
    RepositoryError
        ``BAD_SHARD`` for a damaged file.
    """
    root = Path(root)
    paths = sorted((path for path in root.glob("*.fits") if path.stem.isdigit()), key=lambda path: int(path.stem))
    if not paths:
        raise DatasetNotFound("NO_REFERENCE_CATALOG", f"There is no reference catalogue in {root}: no shard <id>.fits.")
    config = DatasetConfig.read(root)
    rows = size = 0
    columns: dict[str, None] = {}
    version = config.format_version
    for path in paths:
        header = read_shard_header(path)
        rows += int(header.get("NAXIS2", 0))
        size += path.stat().st_size
        stated = header.get("REFCAT_FORMAT_VERSION")
        version = int(stated) if stated is not None else version
        columns |= dict.fromkeys(str(header[f"TTYPE{k}"]).strip() for k in range(1, int(header.get("TFIELDS", 0)) + 1))
    return CatalogSummary(
        name=root.name,
        root=root,
        format_version=version,
        depth=config.depth,
        shards=tuple(int(path.stem) for path in paths),
        rows=rows,
        bytes=size,
        bands=tuple(name.removesuffix("_flux") for name in columns if name.endswith("_flux")),
        columns=tuple(columns),
    )
