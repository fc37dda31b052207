"""What is examined, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError
from safelight_tui.plots import PlotLine

if TYPE_CHECKING:
    from safelight.exposure import SkyWcs

__all__ = ["Cutout", "Examination", "Target", "sexagesimal"]


@dataclass(frozen=True, eq=False)
class Target:
    """An image and a place in it.

    Parameters
    ----------
    image : (rows, columns) float
        NaN for no value.
    x, y : float
        The place, 0-based pixels.
    bad : (rows, columns) bool, optional
        Pixels without a usable value, e.g. saturated ones.
    search_radius : float
        How far from the place an object may be: a screen pixel is coarse when zoomed out.
    wcs : SkyWcs, optional
    zeropoint_mag : float, optional
        AB magnitude of 1 ADU; instrumental magnitudes (zeropoint 25) without it.
    gain : float, optional
        e-/ADU, for errors of fluxes.
    """

    image: NDArray[np.floating]
    x: float
    y: float
    bad: NDArray[np.bool_] | None = None
    search_radius: float = 8.0
    wcs: SkyWcs | None = None
    zeropoint_mag: float | None = None
    gain: float | None = None

    def cutout(self, x: float, y: float, half: int) -> Cutout:
        """The pixels within `half` of a place, as far as the image goes.

        Raises
        ------
        ProcessingError
            OUTSIDE_IMAGE: there are none.
        """
        rows, columns = self.image.shape
        centre_x, centre_y = math.floor(x + 0.5), math.floor(y + 0.5)
        x0, x1 = max(0, centre_x - half), min(columns, centre_x + half + 1)
        y0, y1 = max(0, centre_y - half), min(rows, centre_y + half + 1)
        if x0 >= x1 or y0 >= y1:
            raise ProcessingError("OUTSIDE_IMAGE", f"There is no pixel ({x:.0f}, {y:.0f}).")
        data = np.asarray(self.image[y0:y1, x0:x1], np.float64)
        mask = ~np.isfinite(data)
        if self.bad is not None:
            mask |= self.bad[y0:y1, x0:x1]
        return Cutout(data, mask, x0, y0)

    def sky(self, x: float, y: float) -> str:
        """The position on the sky, ICRS; empty without a WCS."""
        if self.wcs is None:
            return ""
        ra, dec = self.wcs.pixel_to_sky(np.array([x]), np.array([y]))
        return sexagesimal(float(ra[0]), float(dec[0]))

    @property
    def scale_arcsec(self) -> float | None:
        """Arcsec per pixel at the place; None without a WCS."""
        if self.wcs is None:
            return None
        ra, dec = self.wcs.pixel_to_sky(self.x + np.array([0.0, 1.0, 0.0]), self.y + np.array([0.0, 0.0, 1.0]))
        east = (np.mod(ra - ra[0] + 180.0, 360.0) - 180.0) * np.cos(np.radians(dec[0]))
        north = dec - dec[0]
        return 3600.0 * math.sqrt(abs(float(east[1] * north[2] - east[2] * north[1])))


@dataclass(frozen=True, eq=False)
class Cutout:
    """A part of an image, with the pixel (x0, y0) at its first place."""

    data: NDArray[np.float64]
    mask: NDArray[np.bool_]
    x0: int
    y0: int

    @property
    def good(self) -> NDArray[np.float64]:
        """The usable values; raises `ProcessingError` NO_GOOD_PIXELS where there are too few."""
        values: NDArray[np.float64] = self.data[~self.mask]
        if len(values) < 3:
            raise ProcessingError("NO_GOOD_PIXELS", "There are no usable pixels here.", "Move to another place.")
        return values

    @property
    def filled(self) -> NDArray[np.float64]:
        """The values, the median where there is none."""
        return np.where(self.mask, np.median(self.good), self.data)


@dataclass(frozen=True, eq=False)
class Examination:
    """What was found.

    Parameters
    ----------
    title : str
    lines : tuple of str
        In words and numbers.
    draw : callable, optional
        (width, height) -> lines of a plot.
    x, y : float
        The place it is about: the object's centre where one was looked for.
    """

    title: str
    lines: tuple[str, ...]
    x: float
    y: float
    draw: Callable[[int, int], list[PlotLine]] | None = None


def sexagesimal(ra_deg: float, dec_deg: float) -> str:
    """``21:23:36.122 -00:28:21.63``; empty for what is not a position."""
    if not (math.isfinite(ra_deg) and math.isfinite(dec_deg)):
        return ""
    total = round((ra_deg % 360.0) / 15.0 * 3600e3) % 86_400_000
    hours, rest = divmod(total, 3_600_000)
    minutes, milli = divmod(rest, 60_000)
    centi = round(abs(dec_deg) * 3600e2)
    degrees, rest_dec = divmod(centi, 360_000)
    arcmin, centisec = divmod(rest_dec, 6000)
    sign = "-" if dec_deg < 0 and centi else "+"
    return (
        f"{hours:02d}:{minutes:02d}:{milli // 1000:02d}.{milli % 1000:03d} "
        f"{sign}{degrees:02d}:{arcmin:02d}:{centisec // 100:02d}.{centisec % 100:02d}"
    )
