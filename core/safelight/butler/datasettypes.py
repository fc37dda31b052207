"""Dataset types: a name, a path template and the form of the file.

The templates below serve any camera; a camera's own file replaces or adds some (`Instrument.templates`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from safelight.butler.templates import PathTemplate
from safelight.errors import ConfigurationError, UsageError

__all__ = ["BUILT_TYPES", "CALIBRATION_TYPES", "COMMON_TEMPLATES", "DatasetType", "DatasetTypes", "Storage"]

Storage = Literal[
    "raw", "exposure", "master", "table", "background", "defects", "yaml", "text", "schema", "pickle", "other"
]

#: Calibrations found by validity, and the keys that their look-up compares.
CALIBRATION_TYPES: Mapping[str, tuple[str, ...]] = {
    "bias": ("ccd", "taiObs"),
    "bfKernel": ("ccd", "taiObs"),
    "dark": ("ccd", "taiObs"),
    "defects": ("ccd", "taiObs"),
    "flat": ("ccd", "filter", "taiObs"),
    "fringe": ("ccd", "filter", "taiObs"),
    "sky": ("ccd", "filter", "taiObs"),
}

#: Those that `safelight calibs build` makes from raw frames.
BUILT_TYPES = ("bias", "dark", "flat")

_CCD = "%(visit)07d-%(ccd)03d"
_BY_VISIT = "%(visit)"
_GROUP = "%(dateObs)s/%(filter)s"

COMMON_TEMPLATES: Mapping[str, str] = {
    "raw": f"raw/%(dateObs)s/%(filter)s/RAW-{_CCD}.fits",
    "postISRCCD": "postISRCCD/v%(visit)07d-f%(filter)s/c%(ccd)03d.fits",
    "icExp": f"{_GROUP}/corr/ICEXP-{_CCD}.fits",
    "icExpBackground": f"{_GROUP}/corr/ICEXPBKGD-{_CCD}.fits",
    "calexp": f"{_GROUP}/corr/CORR-{_CCD}.fits",
    "calexpBackground": f"{_GROUP}/corr/BKGD-{_CCD}.fits",
    "icSrc": f"{_GROUP}/output/ICSRC-{_CCD}.fits",
    "src": f"{_GROUP}/output/SRC-{_CCD}.fits",
    "srcMatch": f"{_GROUP}/output/SRCMATCH-{_CCD}.fits",
    "srcMatchFull": f"{_GROUP}/output/SRCMATCHFULL-{_CCD}.fits",
    "processCcd_metadata": f"{_GROUP}/processCcd_metadata/{_CCD}.yaml",
    "processCcd_config": "config/processCcd.py",
    "src_schema": "schema/src.fits",
    "icSrc_schema": "schema/icSrc.fits",
    "packages": "config/packages.yaml",
    "ref_cat": "ref_cats/%(name)s/%(pixel_id)s.fits",
    "ref_cat_config": "ref_cats/%(name)s/config.py",
    "bias": "BIAS/%(calibDate)s/NONE/BIAS-%(calibDate)s-%(ccd)03d.fits",
    "dark": "DARK/%(calibDate)s/NONE/DARK-%(calibDate)s-%(ccd)03d.fits",
    "flat": "FLAT/%(calibDate)s/%(filter)s/FLAT-%(calibDate)s-%(filter)s-%(ccd)03d.fits",
    "bfKernel": "BFKERNEL/%(calibDate)s/BFKERNEL-%(calibDate)s-%(ccd)03d.fits",
    "fringe": "FRINGE/%(calibDate)s/%(filter)s/FRINGE-%(calibDate)s-%(filter)s-%(ccd)03d.fits",
    "sky": "SKY/%(calibDate)s/%(filter)s/SKY-%(calibDate)s-%(filter)s-%(ccd)03d.fits",
    "defects": "defects/%(calibDate)s/defects-%(calibDate)s-%(ccd)03d.fits",
}

_STORAGES: Mapping[str, Storage] = {
    "raw": "raw",
    "defects": "defects",
    "bias": "master",
    "dark": "master",
    "flat": "master",
    "fringe": "master",
    "bfKernel": "master",
    "sky": "master",
    "calexpBackground": "background",
    "icExpBackground": "background",
    "skyCorr": "background",
    "postISRCCD": "exposure",
    "postISRCCD_uninterpolated": "exposure",
    "icExp": "exposure",
    "calexp": "exposure",
    "icSrc": "table",
    "src": "table",
    "srcMatch": "table",
    "srcMatchFull": "table",
    "ref_cat": "table",
    "src_schema": "table",
    "icSrc_schema": "table",
}
_STORAGE_BY_SUFFIX: Mapping[str, Storage] = {
    ".yaml": "yaml",
    ".py": "text",
    ".log": "text",
    ".txt": "text",
    ".pickle": "pickle",
    ".pkl": "pickle",
}


@dataclass(frozen=True)
class DatasetType:
    """A named kind of data."""

    name: str
    template: PathTemplate
    storage: Storage

    @property
    def is_calibration(self) -> bool:
        """Whether it is found by validity in the calibration registry."""
        return self.name in CALIBRATION_TYPES


class DatasetTypes:
    """The dataset types of one camera.

    Parameters
    ----------
    templates : mapping
        The camera's own templates, dataset type -> text.
    """

    def __init__(self, templates: Mapping[str, str] | None = None) -> None:
        self._texts = {**COMMON_TEMPLATES, **(templates or {})}
        self._types: dict[str, DatasetType] = {}

    def names(self) -> list[str]:
        """All names."""
        return list(self._texts)

    def __getitem__(self, name: str) -> DatasetType:
        """The type called `name`.

        Raises
        ------
        UsageError
            UNKNOWN_DATASET_TYPE, naming the nearest; BAD_TEMPLATE where the text is none.
        ConfigurationError
            BAD_TEMPLATE where the files of different visits would have one name.
        """
        if name not in self._types:
            if name not in self._texts:
                near = difflib.get_close_matches(name, self._texts, n=1)
                raise UsageError(
                    "UNKNOWN_DATASET_TYPE",
                    f"There is no dataset type {name!r}.",
                    (f"Did you mean {near[0]}? " if near else "") + f"The types are {', '.join(sorted(self._texts))}.",
                )
            template = PathTemplate(self._texts[name])
            if _BY_VISIT in COMMON_TEMPLATES.get(name, "") and name != "raw" and _BY_VISIT not in template.text:
                raise ConfigurationError(
                    "BAD_TEMPLATE",
                    f"The path of {name} in the camera's file, {template.text}, does not name the visit: "
                    "the frames of a night would overwrite each other.",
                    "Put %(visit)d into it.",
                )
            self._types[name] = DatasetType(name, template, _storage(name, template))
        return self._types[name]


def _storage(name: str, template: PathTemplate) -> Storage:
    if name in _STORAGES:
        return _STORAGES[name]
    suffix = "." + template.text.rpartition(".")[2]
    return _STORAGE_BY_SUFFIX.get(suffix, "other")
