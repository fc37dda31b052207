"""What `ingestReferenceCatalog.py` must be told: which columns of the input mean what, by LSST's Gen2 names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from safelight.config import StepConfig
from safelight.errors import ConfigurationError
from safelight.refcats.dataset import literal_assignments
from safelight.refcats.htm import DEFAULT_DEPTH

__all__ = ["DatasetOptions", "FileReader", "RefcatIngestConfig", "load_ingest_config"]


class DatasetOptions(StepConfig):
    """The catalogue to be made."""

    ref_dataset_name: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")] = "cal_ref_cat"
    format_version: Literal[0, 1, 2] = Field(1, description="0: fluxes in Jy; 1 and 2: in nJy")
    depth: Annotated[int, Field(ge=0, le=12, description="depth of the HTM mesh")] = DEFAULT_DEPTH


class FileReader(StepConfig):
    """How the input files are read."""

    format: str = Field(
        "auto", description="auto (by suffix), fits, csv, ecsv, votable, parquet, or a format of astropy's ascii"
    )
    header_lines: Annotated[int, Field(ge=0)] = Field(
        0, description="lines of a text file before its data or column names"
    )
    colnames: tuple[str, ...] = Field((), description="names of the columns of a text file without a line of names")
    delimiter: str = Field(",", description="between the columns of a text file")
    hdu: Annotated[int, Field(ge=1)] = Field(1, description="extension of a FITS file")


class RefcatIngestConfig(StepConfig):
    """Which columns of the input hold what; an empty name means that the input has no such column."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    dataset_config: DatasetOptions = DatasetOptions()
    file_reader: FileReader = FileReader()
    n_processes: Annotated[int, Field(ge=1, description="processes that read input files")] = 1
    ra_name: Annotated[str, Field(min_length=1, description="right ascension, degrees ICRS")]
    dec_name: Annotated[str, Field(min_length=1, description="declination, degrees ICRS")]
    ra_err_name: str = Field("", description="error of RA on the sky (times cos Dec)")
    dec_err_name: str = Field("", description="error of declination")
    coord_err_unit: str = Field("", description="unit of these errors, e.g. mas; needed with them")
    mag_column_list: tuple[str, ...] = Field((), description="AB magnitudes; each becomes a column <name>_flux")
    mag_err_column_map: dict[str, str] = Field(default_factory=dict, description="magnitude -> its error; all or none")
    id_name: str = Field("", description="integer id; without it rows are counted from 1")
    is_photometric_name: str = ""
    is_resolved_name: str = ""
    is_variable_name: str = ""
    pm_ra_name: str = Field("", description="proper motion in RA times cos Dec")
    pm_dec_name: str = ""
    pm_ra_err_name: str = ""
    pm_dec_err_name: str = ""
    pm_scale: Annotated[float, Field(gt=0)] = Field(1.0, description="mas/yr of one unit of proper motion")
    parallax_name: str = ""
    parallax_err_name: str = ""
    parallax_scale: Annotated[float, Field(gt=0)] = Field(1.0, description="mas of one unit of parallax")
    epoch_name: str = Field("", description="epoch of the positions; needed with proper motions")
    epoch_format: str = Field("", description="astropy.time format of the epoch, e.g. mjd or jyear")
    epoch_scale: str = Field("", description="astropy.time scale of the epoch, e.g. tai or tcb")
    extra_col_names: tuple[str, ...] = Field((), description="further columns to keep as they are")

    @model_validator(mode="after")
    def _complete(self) -> RefcatIngestConfig:
        if bool(self.ra_err_name) != bool(self.dec_err_name):
            raise ValueError("ra_err_name and dec_err_name must be given together")
        if self.ra_err_name and not self.coord_err_unit:
            raise ValueError("coord_err_unit must be given with ra_err_name, e.g. coord_err_unit=mas")
        if self.mag_err_column_map and set(self.mag_err_column_map) != set(self.mag_column_list):
            raise ValueError("mag_err_column_map must name an error for every column of mag_column_list, or for none")
        motions = (self.pm_ra_name, self.pm_dec_name, self.pm_ra_err_name, self.pm_dec_err_name)
        if any(motions) and not all(motions):
            raise ValueError("pm_ra_name, pm_dec_name, pm_ra_err_name and pm_dec_err_name must be given together")
        if any(motions) and not self.epoch_name:
            raise ValueError("proper motions need epoch_name, epoch_format and epoch_scale")
        if self.epoch_name and not (self.epoch_format and self.epoch_scale):
            raise ValueError("epoch_name needs epoch_format and epoch_scale, e.g. jyear and tcb")
        if bool(self.parallax_name) != bool(self.parallax_err_name):
            raise ValueError("parallax_name and parallax_err_name must be given together")
        return self


#: Gen2's spellings of fields that lie elsewhere here.
_MOVED = {"dataset_config.indexer['HTM'].depth": "dataset_config.depth"}
_READERS = {"ReadFitsCatalogTask": "fits", "ReadTextCatalogTask": "auto"}


def load_ingest_config(
    path: str | Path | None = None, overrides: Mapping[str, Any] | Iterable[str] = ()
) -> RefcatIngestConfig:
    """The configuration from a file and overrides.

    Parameters
    ----------
    path : path-like, optional
        A YAML file (``.yaml``, ``.yml``) or a Gen2 file of ``config.name = literal`` lines, which is never executed.
    overrides : mapping or iterable of str
        Fields by dotted name, or texts such as ``"ra_name=ra"``, ``"mag_column_list=g,r"``,
        ``"mag_err_column_map=g:g_err,r:r_err"``, ``"dataset_config.ref_dataset_name=tycho2"``; later ones win.

    Raises
    ------
    ConfigurationError
        ``BAD_CONFIG_FILE`` or ``BAD_INGEST_CONFIG`` with the field, its value and what is allowed.
    """
    document: dict[str, Any] = {}
    if path is not None:
        for name, value in _file_fields(Path(path)):
            _put(document, name, value, str(path))
    pairs = overrides.items() if isinstance(overrides, Mapping) else (_split(text) for text in overrides)
    for name, value in pairs:
        _put(document, name, value, "the command line")
    try:
        return RefcatIngestConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError("BAD_INGEST_CONFIG", f"{_sentences(error)}.") from None


def _file_fields(path: Path) -> list[tuple[str, Any]]:
    if path.suffix not in (".yaml", ".yml"):
        return list(literal_assignments(path))
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError("BAD_CONFIG_FILE", f"{path} cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise ConfigurationError("BAD_CONFIG_FILE", f"{path} does not hold a mapping of fields.")
    return [(str(key), value) for key, value in document.items()]


def _split(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError("BAD_INGEST_CONFIG", f"{text!r} is not of the form name=value.")
    field = RefcatIngestConfig.model_fields.get(name)
    if field is not None and field.annotation == tuple[str, ...]:
        return name, [part.strip(" '\"") for part in value.strip("[]() ").split(",") if part.strip()]
    if name == "mag_err_column_map":
        parts = [part.partition(":") for part in value.strip("{}").split(",") if part.strip()]
        return name, {key.strip(" '\""): item.strip(" '\"") for key, _, item in parts}
    return name, value


def _put(document: dict[str, Any], name: str, value: Any, source: str) -> None:
    """Set a field by its dotted name."""
    if name == "file_reader.retarget":
        if value not in _READERS:
            raise ConfigurationError(
                "BAD_INGEST_CONFIG",
                f"In {source}, file_reader cannot be {value}; known are {', '.join(_READERS)}.",
            )
        name, value = "file_reader.format", _READERS[value]
    name = _MOVED.get(name, name)
    if name in ("dataset_config.indexer.name", "dataset_config.indexer"):
        if value != "HTM":
            raise ConfigurationError("BAD_INGEST_CONFIG", f"In {source}, {name} is {value!r}; only HTM is known.")
        return
    *parents, last = name.split(".")
    place = document
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ConfigurationError("BAD_INGEST_CONFIG", f"In {source}, there is no field {name}.")
    place[last] = value


def _sentences(error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False):
        name = ".".join(str(part) for part in item["loc"])
        if item["type"] == "missing":
            problems.append(f"The field {name} is missing: {_description(name)}")
        elif item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, _names(), n=1)
            problems.append(f"There is no field {name}" + (f" (did you mean {near[0]}?)" if near else ""))
        else:
            message = item["msg"].removeprefix("Value error, ")
            problems.append(f"{name} is {item['input']!r}: {message}" if name else message)
    return "; ".join(problems)


def _description(name: str) -> str:
    field = RefcatIngestConfig.model_fields.get(name)
    return next((str(m) for m in [field.description if field else None] if m), "it must be given")


def _names() -> list[str]:
    names: list[str] = []
    for name, field in RefcatIngestConfig.model_fields.items():
        model = field.annotation
        inner = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else None
        names += [f"{name}.{key}" for key in inner] if inner else [name]
    return names
