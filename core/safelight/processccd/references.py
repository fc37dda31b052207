"""Choosing reference catalogues and the shards that cover a CCD."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import DatasetNotFound
from safelight.processccd.plan import CatalogChoice

if TYPE_CHECKING:
    from safelight.calibrate.config import CalibrateConfig
    from safelight.instruments import Instrument

__all__ = ["ReferencePlanner", "observers_pointing", "pointing_margin_arcsec"]


def observers_pointing(config: CalibrateConfig) -> Any:
    """The pointing that the configuration states in place of the header's; None where it states nothing."""
    from safelight.instruments import Pointing

    stated = config.astrometry
    if stated.pointingRa is None and stated.pointingDec is None and stated.pixelScale is None:
        return None
    return Pointing(ra_deg=stated.pointingRa, dec_deg=stated.pointingDec, pixel_scale_arcsec=stated.pixelScale)


def pointing_margin_arcsec(instrument: Instrument, config: CalibrateConfig, wcs_origin: str) -> float:
    """How far beyond the CCD references are loaded: the pointing's uncertainty and the configured pixel margin."""
    scale = config.astrometry.pixelScale or instrument.pixel_scale_arcsec
    search = instrument.search_range(wcs_origin).pointing_uncertainty_arcsec
    widest = config.astrometry.matcher.maxOffsetPix
    offset = max(search, widest * scale) if widest else search
    return offset + config.astromRefObjLoader.pixelMargin * scale


class ReferencePlanner:
    """Chooses the catalogues of a repository for one camera and configuration."""

    def __init__(self, instrument: Instrument, catalogs: Mapping[str, Path], config: CalibrateConfig) -> None:
        self._instrument = instrument
        self._catalogs = dict(catalogs)
        self._config = config
        self._chosen: tuple[CatalogChoice, ...] | None = None

    def choose(self, raw: Path, data_id: Mapping[str, Any]) -> tuple[CatalogChoice, ...]:
        """The catalogues for one raw frame, with the shards that its circle of sky touches.

        Raises
        ------
        DatasetNotFound
            NO_REFERENCE_CATALOG, or NO_REFERENCE_SHARDS where no shard of a catalogue covers the CCD.
        ProcessingError
            The raw file's header cannot be read, or does not say where the frame lies.
        """
        if self._chosen is None:
            self._chosen = self._choose_catalogs()
        if not self._chosen:
            return ()
        ids = self._shard_ids(raw, data_id)
        return tuple(self._with_shards(choice, ids) for choice in self._chosen)

    def _choose_catalogs(self) -> tuple[CatalogChoice, ...]:
        config, preferences = self._config, self._instrument.reference_catalogs
        chosen = []
        if config.doAstrometry or config.doPhotoCal:
            chosen.append(self._one("astrometry", config.astromRefObjLoader.ref_dataset_name, preferences.astrometry))
        if config.doPhotoCal:
            chosen.append(self._one("photometry", config.photoRefObjLoader.ref_dataset_name, preferences.photometry))
        return tuple(chosen)

    def _one(self, role: str, wanted: str, preferences: tuple[str, ...]) -> CatalogChoice:
        names = sorted(self._catalogs)
        if wanted != "auto":
            if wanted not in self._catalogs:
                raise self._absent(role, f"named {wanted}")
            return CatalogChoice(role, wanted, self._catalogs[wanted], "named in the configuration")
        for preference in preferences:
            for name in names:
                if fnmatch.fnmatchcase(name, preference):
                    reason = f"camera {self._instrument.name} prefers {preference}"
                    return CatalogChoice(role, name, self._catalogs[name], reason)
        if len(names) == 1:
            return CatalogChoice(role, names[0], self._catalogs[names[0]], "the only one there is")
        raise self._absent(role, f"that camera {self._instrument.name} prefers ({', '.join(preferences) or 'none'})")

    def _absent(self, role: str, wanted: str) -> DatasetNotFound:
        there = f"There are {', '.join(sorted(self._catalogs))}." if self._catalogs else "There is none in ref_cats."
        loader = "astromRefObjLoader" if role == "astrometry" else "photoRefObjLoader"
        return DatasetNotFound(
            "NO_REFERENCE_CATALOG",
            f"There is no reference catalogue for {role} {wanted}. {there}",
            f"Name one with -c calibrate.{loader}.ref_dataset_name=NAME, or ingest one with ingestReferenceCatalog.py.",
        )

    def _shard_ids(self, raw: Path, data_id: Mapping[str, Any]) -> list[int]:
        from safelight.instruments import initial_wcs, read_raw_header, visit_info
        from safelight.processccd.inputs import patch_of
        from safelight.refcats import shard_ids

        header = read_raw_header(raw)
        detector = self._instrument.detector(data_id["ccd"])
        if detector.size_from_frame:
            detector = detector.for_frame(int(header["NAXIS1"]), int(header["NAXIS2"]))
        info = visit_info(self._instrument, header, detector)
        wcs, origin = initial_wcs(self._instrument, detector, info, header, observers_pointing(self._config))
        margin = pointing_margin_arcsec(self._instrument, self._config, origin)
        patch = patch_of(wcs, detector, margin, data_id)
        return shard_ids(patch.ra_deg, patch.dec_deg, patch.radius_deg)

    def _with_shards(self, choice: CatalogChoice, ids: list[int]) -> CatalogChoice:
        there = tuple(number for number in ids if (choice.path / f"{number}.fits").is_file())
        missing = tuple(number for number in ids if number not in there)
        if not there:
            raise DatasetNotFound(
                "NO_REFERENCE_SHARDS",
                f"Reference catalogue {choice.name} has none of the shards that cover this CCD: "
                f"{', '.join(map(str, missing))} (HTM level 7, looked for in {choice.path}).",
                "Ingest a catalogue of this field, or name another with "
                "-c calibrate.astromRefObjLoader.ref_dataset_name=NAME.",
            )
        return CatalogChoice(choice.role, choice.name, choice.path, choice.reason, there, missing)
