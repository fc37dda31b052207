"""Pixels of one CCD for looking at: raw, post-ISR, calibrated; and what is drawn on them.

All images of a CCD are in its assembled frame, so that one can be laid over the other. A raw frame is put together from
the data boxes of its amplifiers, its values as they were read out. A post-ISR exposure that a run has not written is
made again from the raw frame, the masters that a run would choose and the rerun's configuration; nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from safelight.errors import DatasetNotFound, SafelightError, UsageError

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.exposure import Exposure, SkyWcs
    from safelight.instruments import RawFrame
    from safelight.processccd.config import ProcessCcdConfig
    from safelight.refcats import ReferenceCatalog

__all__ = [
    "VIEW_KINDS",
    "CcdPixels",
    "Positions",
    "ViewKind",
    "assembled_raw",
    "read_pixels",
    "read_positions",
    "reference_stars",
    "rerun_config",
]

ViewKind = Literal["raw", "postISRCCD", "calexp"]
VIEW_KINDS: tuple[ViewKind, ...] = get_args(ViewKind)


@dataclass(frozen=True, eq=False)
class CcdPixels:
    """An image [y, x] of the assembled CCD, in ADU, with what is known of its pixels."""

    kind: str
    data_id: dict[str, Any]
    image: NDArray[np.float32]
    origin: str  # the file, or how it was made
    path: Path | None = None  # the file on disk that has these pixels (of a raw frame: before it was assembled)
    mask: NDArray[np.int32] | None = None
    planes: Mapping[str, int] = field(default_factory=dict)
    wcs: SkyWcs | None = None
    wcs_origin: str = ""  # "fitted", "camera model", "header", "pointing" or ""
    zeropoint_mag: float | None = None  # AB magnitude of 1 ADU over the exposure
    gain: float | None = None  # e-/ADU, mean of the amplifiers
    mjd_mid_tai: float = math.nan  # middle of the exposure

    @property
    def name(self) -> str:
        """E.g. ``calexp 903986 16``."""
        named: list[Any] = [self.data_id[key] for key in ("visit", "ccd") if key in self.data_id]
        return " ".join(map(str, [self.kind, *(named or self.data_id.values())]))


@dataclass(frozen=True, eq=False)
class Positions:
    """Places in pixels of one kind of object."""

    name: str  # sources, matches, reference stars
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    labels: tuple[str, ...] = ()  # magnitudes, where they are known


def read_pixels(butler: Butler, kind: str, data_id: Mapping[str, Any]) -> CcdPixels:
    """One image of a CCD.

    Raises
    ------
    UsageError
        UNKNOWN_IMAGE: no such kind.
    DatasetNotFound
        The file, or for a post-ISR exposure a master calibration, does not exist.
    ProcessingError
        The file cannot be read, or ISR is not possible.
    """
    if kind == "raw":
        return _raw(butler, data_id)
    if kind == "postISRCCD":
        return _post_isr(butler, data_id)
    if kind == "calexp":
        path = butler.uri("calexp", data_id)
        return _of_exposure(kind, data_id, butler.get("calexp", data_id), str(path), path)
    raise UsageError("UNKNOWN_IMAGE", f"There is no image {kind!r} to look at.", f"They are {', '.join(VIEW_KINDS)}.")


def assembled_raw(frame: RawFrame, *, without_overscan: bool = False) -> NDArray[np.float32]:
    """The data boxes of a raw frame side by side, ADU; NaN where the camera reads nothing.

    Parameters
    ----------
    without_overscan : bool
        Subtract each amplifier's median overscan, so that its pedestal does not hide the sky.
    """
    from safelight.isr.assembly import place_amplifier

    detector = frame.detector
    image = np.full((detector.height, detector.width), np.nan, np.float32)
    for amplifier in detector.amplifiers:
        pedestal = None
        if without_overscan and amplifier.serial_overscan is not None:
            overscan = frame.pixels[amplifier.serial_overscan.slices]
            level = np.float32(np.median(overscan[::4]))
            pedestal = np.full(amplifier.raw_data_box.height, level, np.float32)
        place_amplifier(frame.pixels, pedestal, amplifier, image)
    return image


def _raw(butler: Butler, data_id: Mapping[str, Any]) -> CcdPixels:
    path = butler.uri("raw", data_id)
    frame: RawFrame = butler.get("raw", data_id)
    return CcdPixels(
        kind="raw",
        data_id=dict(data_id),
        image=assembled_raw(frame),
        origin=str(path),
        path=path,
        wcs=frame.wcs,
        wcs_origin=frame.wcs_origin,
        gain=float(np.mean([amplifier.gain for amplifier in frame.detector.amplifiers])),
        mjd_mid_tai=frame.visit_info.mjd_mid_tai,
    )


def _of_exposure(
    kind: str, data_id: Mapping[str, Any], exposure: Exposure, origin: str, path: Path | None, wcs_origin: str = ""
) -> CcdPixels:
    zeropoint = exposure.photo_calib.zeropoint_mag if exposure.photo_calib is not None else None
    return CcdPixels(
        kind=kind,
        data_id=dict(data_id),
        image=exposure.image,
        origin=origin,
        path=path,
        mask=exposure.mask,
        planes=dict(exposure.planes),
        wcs=exposure.wcs,
        wcs_origin=wcs_origin or ("fitted" if kind == "calexp" else ""),
        zeropoint_mag=zeropoint,
        gain=float(np.mean(exposure.gains)) if exposure.gains else None,
        mjd_mid_tai=exposure.visit_info.mjd_mid_tai if exposure.visit_info is not None else math.nan,
    )


def _post_isr(butler: Butler, data_id: Mapping[str, Any]) -> CcdPixels:
    try:
        path = butler.uri("postISRCCD", data_id)
    except DatasetNotFound:
        return _made_again(butler, data_id)
    return _of_exposure("postISRCCD", data_id, butler.get("postISRCCD", data_id), str(path), path)


def _made_again(butler: Butler, data_id: Mapping[str, Any]) -> CcdPixels:
    from safelight import isr
    from safelight.processccd.isrmasters import find_master, isr_masters, read_frames

    config, whose = rerun_config(butler)
    frame: RawFrame = butler.get("raw", data_id)
    frames = {}
    missing: SafelightError | None = None
    for kind in isr.wanted_masters(config.isr, butler.instrument, frame.filter_name):
        try:
            frames[kind] = read_frames(kind, find_master(butler, kind, data_id, config.isr).path)
        except DatasetNotFound as error:
            if kind != "bias":
                raise
            missing = error  # a dark may contain it
    if missing is not None and not ("dark" in frames and frames["dark"][0].contains_bias):
        raise missing
    defects = butler.defects(data_id)[0] if config.isr.doDefect else ()
    result = isr.run(frame, isr_masters(frames, defects), config.isr, butler.instrument)
    return _of_exposure(
        "postISRCCD", data_id, result.exposure, f"made again in memory, with {whose}", None, frame.wcs_origin
    )


def rerun_config(butler: Butler) -> tuple[ProcessCcdConfig, str]:
    """The configuration of the butler's rerun, or the camera's where it has none; and whose it is in words."""
    from safelight.processccd.cameraconfig import camera_layers
    from safelight.processccd.consistency import config_path

    layers = camera_layers(butler.instrument)
    path = config_path(butler.output) if butler.output is not None else None
    if path is not None and path.is_file():
        layers.load_file(path)
        return layers.build(), "the rerun's configuration"
    return layers.build(), "the camera's configuration"


def read_positions(butler: Butler, pixels: CcdPixels) -> list[Positions]:
    """Sources, stars used and matched, and reference stars without a source: as far as the rerun has them.

    Reference stars are placed by the image's own WCS.
    """
    found: list[Positions] = []
    data_id, (height, width) = pixels.data_id, pixels.image.shape
    if butler.exists("src", data_id):
        src = butler.get("src", data_id)
        parents = np.asarray(src["deblend_nChild"]) > 0
        x, y = (np.asarray(src[f"base_SdssCentroid_{axis}"], np.float64)[~parents] for axis in "xy")
        found.append(Positions("sources", x, y))
    matched_ids: NDArray[np.int64] = np.zeros(0, np.int64)
    if butler.exists("srcMatchFull", data_id):
        matches = butler.get("srcMatchFull", data_id)
        x, y = (np.asarray(matches[f"src_base_SdssCentroid_{axis}"], np.float64) for axis in "xy")
        found.append(Positions("matches", x, y))
        matched_ids = np.asarray(matches["ref_id"], np.int64)
    if pixels.wcs is not None:
        stars = _reference_stars(butler, pixels, matched_ids)
        if stars is not None:
            x, y = stars
            inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
            found.append(Positions("reference stars", x[inside], y[inside]))
    return found


def _reference_stars(
    butler: Butler, pixels: CcdPixels, matched: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Pixel positions of the astrometric catalogue's stars without a match; None if there is no catalogue."""
    stars = reference_stars(butler, pixels, "astrometry")
    if stars is None or pixels.wcs is None:
        return None
    rest = ~np.isin(stars.id, matched)
    return pixels.wcs.sky_to_pixel(stars.ra_deg[rest], stars.dec_deg[rest])


def reference_stars(
    butler: Butler, pixels: CcdPixels, role: Literal["astrometry", "photometry"]
) -> ReferenceCatalog | None:
    """The stars of the catalogue that the rerun takes for `role`, on the CCD and 5 arcsec around it, at the epoch of
    the exposure; None where there is no such catalogue or the image has no WCS.
    """
    from safelight.calibrate import choose_catalog
    from safelight.refcats.load import load_reference_catalog

    if pixels.wcs is None:
        return None
    catalogs = butler.reference_catalogs()
    config = rerun_config(butler)[0].calibrate
    loader = config.astromRefObjLoader if role == "astrometry" else config.photoRefObjLoader
    preferences = butler.instrument.reference_catalogs
    preferred = preferences.astrometry if role == "astrometry" else preferences.photometry
    try:
        name = choose_catalog(loader.ref_dataset_name, preferred, catalogs, role)
    except DatasetNotFound:
        return None
    catalog = load_reference_catalog(catalogs[name], *_circle(pixels.wcs, *pixels.image.shape), pixels.mjd_mid_tai)
    return replace(catalog, name=name)


def _circle(wcs: SkyWcs, height: int, width: int) -> tuple[float, float, float]:
    """(ra, dec, radius), degrees, of the circle around the CCD and 5 arcsec more."""
    from safelight.exposure.wcs import angular_separation

    x = np.array([(width - 1) / 2, 0.0, width - 1.0, 0.0, width - 1.0])
    y = np.array([(height - 1) / 2, 0.0, 0.0, height - 1.0, height - 1.0])
    ra, dec = wcs.pixel_to_sky(x, y)
    radius = float(np.max(angular_separation(ra[0], dec[0], ra[1:], dec[1:])))
    return float(ra[0]), float(dec[0]), radius + 5.0 / 3600.0
