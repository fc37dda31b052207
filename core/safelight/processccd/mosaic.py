"""A whole visit at a glance: every CCD, by medians of blocks, in its place in the focal plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError, SafelightError

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.instruments import Detector, Instrument

__all__ = ["Mosaic", "MosaicPlan", "block_medians", "read_mosaic", "sampled_rows"]

LONGEST_SIDE = 1400
"""Pixels of a mosaic along its longer side."""


ROWS_OF_A_BLOCK = 5
"""Rows of each block that are read: the sky is known well enough from them, and the rest of the file stays closed."""


def sampled_rows(height: int, factor: int, tile: int = 1) -> NDArray[np.int64]:
    """Rows of an image from which `block_medians` makes its blocks, in ascending order.

    Parameters
    ----------
    height : int
        Rows of the image.
    tile : int
        Rows that can only be read together: those of a block are spread over the one tile that has most of it.
    """
    low = np.arange(height // factor) * factor
    span = np.full(len(low), factor)
    if tile > 1:
        tiles = low // tile + np.arange(factor // tile + 2)[:, None]
        lows = np.maximum(tiles * tile, low)
        spans = np.minimum((tiles + 1) * tile, low + factor) - lows
        best = np.argmax(spans, axis=0), np.arange(len(low))
        low, span = lows[best], spans[best]
    count = min(ROWS_OF_A_BLOCK, factor)
    parts = (2 * np.arange(count) + 1) * span[:, None] // (2 * count)
    rows: NDArray[np.int64] = (low[:, None] + parts).ravel()
    return rows


def block_medians(rows: NDArray[np.floating], factor: int) -> NDArray[np.float32]:
    """Medians of blocks of `factor` x `factor` pixels, by some of their rows: a star does not fill one, so it leaves no
    speckle. What is left over at the far edges is dropped; NaN spoils its block only.

    Parameters
    ----------
    rows : array
        The rows `sampled_rows` of an image.
    """
    count, columns = min(ROWS_OF_A_BLOCK, factor), rows.shape[1] // factor
    blocks = rows[:, : columns * factor].reshape(-1, count, columns, factor)
    middles: NDArray[np.float32] = np.median(blocks, axis=(1, 3)).astype(np.float32)
    return middles


@dataclass(frozen=True)
class MosaicPlan:
    """Where the CCDs come to lie: pixel (0, 0) of the mosaic has its centre at (x0_mm, y0_mm)."""

    x0_mm: float
    y0_mm: float
    step_mm: float
    shape: tuple[int, int]  # (rows, columns)
    factor: int
    pixel_size_mm: float

    @classmethod
    def of(cls, instrument: Instrument, detectors: Sequence[Detector]) -> MosaicPlan:
        """The plan that shows all of `detectors`.

        Raises
        ------
        ProcessingError
            NO_MOSAIC: the camera file does not say where the CCDs are, or how large.
        """
        from safelight.instruments.geometry import pixel_to_focal_plane

        if not detectors or any(detector.size_from_frame for detector in detectors):
            raise ProcessingError(
                "NO_MOSAIC", f"Camera {instrument.name} has no focal plane to show.", "Look at its CCDs one by one."
            )
        size = instrument.distortion.pixel_size_mm if instrument.distortion is not None else 0.015
        corners = [
            pixel_to_focal_plane(d, [0, d.width - 1, 0, d.width - 1], [0, 0, d.height - 1, d.height - 1], size)
            for d in detectors
        ]
        x, y = (np.concatenate([corner[axis] for corner in corners]) for axis in (0, 1))
        longest = max(float(np.ptp(x)), float(np.ptp(y))) / size
        factor = max(1, int(np.ceil(longest / LONGEST_SIDE)))
        step = factor * size
        shape = (int(np.ptp(y) / step) + 2, int(np.ptp(x) / step) + 2)
        return cls(float(x.min()), float(y.min()), step, shape, factor, size)

    def place(self, mosaic: NDArray[np.float32], detector: Detector, small: NDArray[np.floating]) -> None:
        """Write a CCD's blocks of `factor` x `factor` pixels to their place, turned as the CCD is."""
        from safelight.instruments.geometry import focal_plane_to_pixel, pixel_to_focal_plane

        edge_x = np.array([-0.5, detector.width - 0.5] * 2)
        edge_y = np.array([-0.5, -0.5, detector.height - 0.5, detector.height - 0.5])
        x_mm, y_mm = pixel_to_focal_plane(detector, edge_x, edge_y, self.pixel_size_mm)
        rows = self._range(y_mm, self.y0_mm, self.shape[0])
        columns = self._range(x_mm, self.x0_mm, self.shape[1])
        grid_x, grid_y = np.meshgrid(self.x0_mm + columns * self.step_mm, self.y0_mm + rows * self.step_mm)
        x, y = focal_plane_to_pixel(detector, grid_x, grid_y, self.pixel_size_mm)
        column = np.floor((x + 0.5) / self.factor).astype(np.int64)
        row = np.floor((y + 0.5) / self.factor).astype(np.int64)
        inside = (row >= 0) & (row < small.shape[0]) & (column >= 0) & (column < small.shape[1])
        part = mosaic[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        part[inside] = small[row[inside], column[inside]]

    def _range(self, values_mm: NDArray[np.float64], start_mm: float, count: int) -> NDArray[np.int64]:
        low = max(0, int(np.floor((values_mm.min() - start_mm) / self.step_mm)))
        high = min(count - 1, int(np.ceil((values_mm.max() - start_mm) / self.step_mm)))
        return np.arange(low, high + 1)


@dataclass(frozen=True, eq=False)
class Mosaic:
    """The focal plane as far as it has been read; NaN where there is nothing."""

    kind: str
    visit: Any
    image: NDArray[np.float32]
    plan: MosaicPlan
    instrument: Instrument
    detectors: tuple[Detector, ...]
    done: int
    total: int
    failures: tuple[str, ...] = ()

    def ccd_at(self, x: float, y: float) -> tuple[int, float, float] | None:
        """The CCD under a mosaic pixel, and its pixel there; None between CCDs."""
        from safelight.instruments.geometry import focal_plane_to_pixel

        plan = self.plan
        x_mm, y_mm = plan.x0_mm + x * plan.step_mm, plan.y0_mm + y * plan.step_mm
        for detector in self.detectors:
            px, py = (float(value) for value in focal_plane_to_pixel(detector, x_mm, y_mm, plan.pixel_size_mm))
            if -0.5 <= px < detector.width - 0.5 and -0.5 <= py < detector.height - 0.5:
                return detector.id, px, py
        return None

    def centre_of(self, detector: Detector) -> tuple[float, float]:
        """The mosaic pixel at the middle of a CCD."""
        from safelight.instruments.geometry import pixel_to_focal_plane

        plan, middle = self.plan, ([(detector.width - 1) / 2], [(detector.height - 1) / 2])
        x_mm, y_mm = pixel_to_focal_plane(detector, *middle, plan.pixel_size_mm)
        return (float(x_mm[0]) - plan.x0_mm) / plan.step_mm, (float(y_mm[0]) - plan.y0_mm) / plan.step_mm


def read_mosaic(
    butler: Butler,
    kind: str,
    data_ids: Sequence[Mapping[str, Any]],
    progress: Callable[[Mosaic], object] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Mosaic:
    """All CCDs of one visit, raw (without the overscan's level) or calexp.

    A CCD that cannot be read is left out and named.

    Parameters
    ----------
    progress : callable, optional
        Gets the mosaic after every few CCDs.
    cancelled : callable
        Asked before each CCD; ends the reading early.
    """
    instrument = butler.instrument
    by_id = {detector.id: detector for detector in instrument.detectors if detector.type == "SCIENCE"}
    wanted = [(by_id[data_id["ccd"]], data_id) for data_id in data_ids if data_id.get("ccd") in by_id]
    detectors = tuple(detector for detector, _ in wanted)
    plan = MosaicPlan.of(instrument, detectors)
    image = np.full(plan.shape, np.nan, np.float32)
    visit = wanted[0][1].get("visit", "") if wanted else ""
    failures: list[str] = []

    def state(done: int) -> Mosaic:
        return Mosaic(kind, visit, image.copy(), plan, instrument, detectors, done, len(wanted), tuple(failures))

    done = 0
    for done, (detector, data_id) in enumerate(wanted, start=1):
        if cancelled():
            break
        try:
            plan.place(image, detector, _blocks(butler, kind, data_id, plan.factor))
        except SafelightError as error:
            failures.append(f"CCD {detector.id}: {error.message}")
        except (OSError, ValueError, LookupError) as error:  # one damaged file must not hide the other CCDs
            failures.append(f"CCD {detector.id}: {type(error).__name__}: {error}")
        if progress is not None and done % 4 == 0 and done < len(wanted):
            progress(state(done))
    return state(done)


def _blocks(butler: Butler, kind: str, data_id: Mapping[str, Any], factor: int) -> NDArray[np.float32]:
    from safelight.exposure.fits_files import find, open_fits, read_rows
    from safelight.processccd.viewing import assembled_raw

    if kind == "raw":
        image = assembled_raw(butler.get("raw", data_id), without_overscan=True)
        return block_medians(image[sampled_rows(len(image), factor)], factor)
    path = butler.uri(kind, data_id)
    with open_fits(path) as hdus:
        hdu = find(hdus, "IMAGE")
        if hdu is None or not hdu.is_image:
            raise ProcessingError("NOT_AN_EXPOSURE", f"{path} has no extension IMAGE.")
        height = int(hdu.header.get("ZNAXIS2", hdu.header["NAXIS2"]))
        tile = int(hdu.header.get("ZTILE2", 1))
        return block_medians(read_rows(hdu, sampled_rows(height, factor, tile)), factor)
