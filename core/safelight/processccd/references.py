"""Choosing reference catalogues and the shards that cover a CCD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import DatasetNotFound
from safelight.processccd.plan import CatalogChoice

if TYPE_CHECKING:
    from safelight.calibrate.config import CalibrateConfig
    from safelight.instruments import Instrument, Pointing

__all__ = ["ReferencePlanner"]


class ReferencePlanner:
    """Chooses the catalogues of a repository for one camera and configuration."""

    def __init__(self, instrument: Instrument, catalogs: Mapping[str, Path], config: CalibrateConfig) -> None:
        self._instrument = instrument
        self._catalogs = dict(catalogs)
        self._config = config
        self._chosen: tuple[CatalogChoice, ...] | None = None

    def choose(self, raw: Path, data_id: Mapping[str, Any], pointing: Pointing | None) -> tuple[CatalogChoice, ...]:
        """The catalogues for one raw frame, with the shards that its circle of sky touches.

        Raises
        ------
        DatasetNotFound
            NO_REFERENCE_CATALOG, or MISSING_SHARDS where no shard of a catalogue covers the CCD.
        ProcessingError
            The raw file's header cannot be read, or does not say where the frame lies (NO_POINTING).
        """
        if self._chosen is None:
            self._chosen = self._choose_catalogs()
        if not self._chosen:
            return ()
        circle = self._circle(raw, data_id, pointing)
        return tuple(self._with_shards(choice, circle) for choice in self._chosen)

    def _choose_catalogs(self) -> tuple[CatalogChoice, ...]:
        config, preferences = self._config, self._instrument.reference_catalogs
        chosen = []
        if config.doAstrometry or config.doPhotoCal:
            chosen.append(self._one("astrometry", config.astromRefObjLoader.ref_dataset_name, preferences.astrometry))
        if config.doPhotoCal:
            try:
                loader = config.photoRefObjLoader
                chosen.append(self._one("photometry", loader.ref_dataset_name, preferences.photometry))
            except DatasetNotFound:
                if config.requirePhotoCal:
                    raise
        return tuple(chosen)

    def _one(self, role: str, wanted: str, preferences: tuple[str, ...]) -> CatalogChoice:
        from safelight.calibrate import choose_catalog

        name = choose_catalog(wanted, preferences, self._catalogs, role)
        if wanted not in ("", "auto"):
            reason = "named in the configuration"
        elif name in preferences:
            reason = f"the first choice of camera {self._instrument.name} that is there"
        else:
            reason = "the only one there is"
        return CatalogChoice(role, name, self._catalogs[name], reason)

    def _circle(self, raw: Path, data_id: Mapping[str, Any], pointing: Pointing | None) -> tuple[float, float, float]:
        """(ra, dec, radius) in degrees, from the raw frame's header alone."""
        from safelight.calibrate import reference_circle
        from safelight.instruments import initial_wcs, read_raw_header, visit_info

        header = read_raw_header(raw)
        detector = self._instrument.detector(data_id["ccd"])
        detector = detector.for_frame(int(header["NAXIS1"]), int(header["NAXIS2"]))
        info = visit_info(self._instrument, header, detector)
        wcs, origin = initial_wcs(self._instrument, detector, info, header, pointing)
        config = self._config
        return reference_circle(
            wcs,
            origin,
            detector.width,
            detector.height,
            config.astrometry,
            config.astromRefObjLoader,
            self._instrument,
            detector.id,
            info,
        )

    def _with_shards(self, choice: CatalogChoice, circle: tuple[float, float, float]) -> CatalogChoice:
        from safelight.refcats.dataset import DatasetConfig
        from safelight.refcats.htm import shard_ids

        ids = shard_ids(*circle, DatasetConfig.read(choice.path).depth)
        there = tuple(number for number in ids if (choice.path / f"{number}.fits").is_file())
        missing = tuple(number for number in ids if number not in there)
        if not there:
            ra, dec, radius = circle
            raise DatasetNotFound(
                "MISSING_SHARDS",
                f"Reference catalogue {choice.name} has no shard within {radius:.3f} degrees of RA {ra:.4f} "
                f"Dec {dec:+.4f}: looked for {', '.join(f'{number}.fits' for number in missing)} in {choice.path}.",
                "Fetch or ingest these shards, or name another catalogue with "
                "-c calibrate.astromRefObjLoader.ref_dataset_name=NAME.",
            )
        return replace(choice, shards=there, missing=missing)
