"""The object under the cursor: its centre, aperture photometry, radial profile, curve of growth.

photutils does the work; what is chosen here are centres, radii and the sky, as IRAF's imexamine chooses them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError
from safelight_tui.imexam.target import Cutout, Examination, Target
from safelight_tui.plots import PlotLine, Series, plot

__all__ = ["aperture_photometry", "centred", "growth_curve", "radial_profile"]

CENTROID_HALF = 5
PROFILE_RADIUS = 20
APERTURE_FWHMS = 3.0  # radius of the aperture in FWHMs, as imexamine iterates to
SKY_GAP, SKY_WIDTH = 5.0, 10.0  # of the sky's ring, beyond the aperture, pixels
INSTRUMENTAL_ZEROPOINT = 25.0
_WIDTH_ROUNDS = 4
_LEAST_FOR_WIDTH = 5  # pixels near the centre


@contextmanager
def _quiet() -> Iterator[None]:
    # Masked pixels and empty rings make photutils and astropy warn; the results say it by NaN.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _smoothed(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 3 x 3 pixels: a cosmic ray or hot pixel is not taken for the object."""
    padded = np.pad(data, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    total: NDArray[np.float64] = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9.0
    return total


def centred(target: Target) -> tuple[float, float]:
    """The centre of the brightest object within the search radius: centroid of the light above the median.

    Raises
    ------
    ProcessingError
        NO_GOOD_PIXELS, or NO_OBJECT where nothing stands above the sky.
    """
    near = target.cutout(target.x, target.y, max(1, math.ceil(target.search_radius)))
    light = _smoothed(near.filled)
    row, column = np.unravel_index(int(np.argmax(light)), light.shape)
    x, y = float(near.x0 + column), float(near.y0 + row)
    for _ in range(10):
        box = target.cutout(x, y, CENTROID_HALF)
        weights = np.clip(box.filled - np.median(box.good), 0.0, None)
        total = float(weights.sum())
        if total <= 0:
            raise ProcessingError("NO_OBJECT", "Nothing stands above the sky here.", "Move the cursor to an object.")
        rows, columns = np.indices(weights.shape)
        new_x = box.x0 + float((weights * columns).sum()) / total
        new_y = box.y0 + float((weights * rows).sum()) / total
        moved = math.hypot(new_x - x, new_y - y)
        x, y = new_x, new_y
        if moved < 0.01:
            break
    return x, y


@dataclass(frozen=True, eq=False)
class _Profile:
    """A star's profile above its sky."""

    x: float
    y: float
    box: Cutout
    distance: NDArray[np.float64]  # of each pixel of the box from the centre
    radius: NDArray[np.float64]
    value: NDArray[np.float64]
    fwhm: float  # of the pixels, at half of the height at the centre
    gaussian_fwhm: float
    sky: float
    sky_rms: float

    @property
    def centre(self) -> tuple[float, float]:
        """Within the box."""
        return self.x - self.box.x0, self.y - self.box.y0


def _sky(box: Cutout, centre: tuple[float, float], inner: float, outer: float) -> tuple[float, float]:
    """Clipped median and scatter in a ring; of the whole box where the ring has no pixels."""
    from astropy.stats import SigmaClip
    from photutils.aperture import ApertureStats, CircularAnnulus

    with _quiet():
        ring = ApertureStats(
            box.data, CircularAnnulus(centre, inner, outer), mask=box.mask, sigma_clip=SigmaClip(3.0, maxiters=10)
        )
        level, scatter = float(ring.median), float(ring.mad_std)
    if math.isfinite(level) and math.isfinite(scatter):
        return level, scatter
    values = box.good
    middle = float(np.median(values))
    return middle, 1.4826 * float(np.median(np.abs(values - middle)))


def _profile(target: Target) -> _Profile:
    from photutils.profiles import RadialProfile

    x, y = centred(target)
    box = target.cutout(x, y, PROFILE_RADIUS + int(SKY_GAP + SKY_WIDTH))
    centre = (x - box.x0, y - box.y0)
    sky, rms = _sky(box, centre, PROFILE_RADIUS, PROFILE_RADIUS + SKY_WIDTH)
    edges = np.concatenate([np.arange(0.0, 6.0, 0.5), np.arange(6.0, PROFILE_RADIUS + 1.0)])
    rows, columns = np.indices(box.data.shape)
    distance = np.hypot(columns - centre[0], rows - centre[1])
    with _quiet():
        profile = RadialProfile(box.data - sky, centre, edges, mask=box.mask)
        radius, value = np.asarray(profile.radius, np.float64), np.asarray(profile.profile, np.float64)
        fwhm = _half_width(radius, value)
        if math.isfinite(fwhm):
            fwhm = _direct_fwhm(distance[~box.mask], (box.data - sky)[~box.mask], fwhm)
        reach = max(2.0, 1.5 * fwhm) if math.isfinite(fwhm) else float(PROFILE_RADIUS)
        inner = RadialProfile(box.data - sky, centre, edges[edges <= max(reach, 3.0)], mask=box.mask)
        try:
            gaussian = float(inner.gaussian_fwhm)
        except (ValueError, RuntimeError, TypeError):  # too few bins with light for a fit
            gaussian = math.nan
    return _Profile(x, y, box, distance, radius, value, fwhm, gaussian, sky, rms)


def _direct_fwhm(distance: NDArray[np.float64], light: NDArray[np.float64], guess: float) -> float:
    """Full width of the pixels themselves at half of the height that they have at the centre; `guess` if that cannot
    be told.

    Means over rings are 2 to 11 % wider: a ring takes parts of pixels, which spreads them once more, and the innermost
    has less than the height at its centre. So the logarithm of the pixels' light is fitted by a parabola in the square
    of the distance, out to where a fourth of the height is left; this takes Gaussians and Moffat profiles alike.

    Parameters
    ----------
    distance : array
        Of pixels from the centre.
    light : array
        Above the sky.
    """
    fwhm = guess
    for _ in range(_WIDTH_ROUNDS):
        near = (distance <= 0.75 * fwhm) & (light > 0)
        if np.count_nonzero(near) < _LEAST_FOR_WIDTH:
            return guess
        square, height = distance[near] ** 2, light[near]
        with _quiet():
            bend, slope, _level = np.polyfit(square, np.log(height), 2, w=height)
        inside = slope * slope - 4.0 * bend * math.log(2.0)
        if not (math.isfinite(inside) and slope < 0 <= inside):
            return guess
        fwhm = 2.0 * math.sqrt(2.0 * math.log(2.0) / (math.sqrt(inside) - slope))
        if not 0.5 * guess < fwhm < 1.5 * guess:
            return guess
    return fwhm


def _half_width(radius: NDArray[np.float64], value: NDArray[np.float64]) -> float:
    """Twice the radius at which the mean profile falls through half of its innermost value; NaN if it does not."""
    if not len(value) or not value[0] > 0:
        return math.nan
    below = np.flatnonzero(value < 0.5 * value[0])
    if not len(below) or below[0] == 0:
        return math.nan
    i = int(below[0])
    part = (value[i - 1] - 0.5 * value[0]) / (value[i - 1] - value[i])
    return 2.0 * float(radius[i - 1] + part * (radius[i] - radius[i - 1]))


def _seeing(target: Target, fwhm: float) -> str:
    if not math.isfinite(fwhm):
        return "FWHM --"
    scale = target.scale_arcsec
    return f"FWHM {fwhm:.2f} px" + (f" = {fwhm * scale:.2f}″" if scale else "")


def _place(target: Target, x: float, y: float) -> str:
    return f"x {x:.2f}  y {y:.2f}  {target.sky(x, y)}".rstrip()


def radial_profile(target: Target) -> Examination:
    """r: pixel values against radius, the mean profile, and its width."""
    star = _profile(target)
    near = (star.distance <= PROFILE_RADIUS) & ~star.box.mask
    pixels = Series(star.distance[near], star.box.data[near] - star.sky, "pixels")
    mean = Series(star.radius, star.value, "mean", "accent", "o")

    def draw(width: int, height: int) -> list[PlotLine]:
        return plot([pixels, mean], width, height, title="radial profile", x_label="radius, pixels", y_label="ADU")

    centre = float(star.value[0])  # every pixel there may be masked: saturated stars are
    peak = f"peak {centre:.1f}" if math.isfinite(centre) else "peak saturated or masked"
    lines = (
        _place(target, star.x, star.y),
        f"{_seeing(target, star.fwhm)} direct, {star.gaussian_fwhm:.2f} px Gaussian of the rings, wings included",
        f"{peak}  sky {star.sky:.2f} ± {star.sky_rms:.2f} ADU",
    )
    return Examination("Radial profile", lines, star.x, star.y, draw)


def _aperture_radius(fwhm: float) -> float:
    return min(max(APERTURE_FWHMS * fwhm, 3.0), float(PROFILE_RADIUS)) if math.isfinite(fwhm) else 10.0


def aperture_photometry(target: Target) -> Examination:
    """a: flux within three FWHMs above a ring of sky, with magnitude, error and moments."""
    from photutils.aperture import ApertureStats, CircularAperture

    star = _profile(target)
    radius = _aperture_radius(star.fwhm)
    sky, rms = _sky(star.box, star.centre, radius + SKY_GAP, radius + SKY_GAP + SKY_WIDTH)
    with _quiet():
        stats = ApertureStats(star.box.data - sky, CircularAperture(star.centre, radius), mask=star.box.mask)
        flux, peak = float(stats.sum), float(stats.max)
        ellipticity = float(stats.ellipticity.value if hasattr(stats.ellipticity, "value") else stats.ellipticity)
        angle = float(stats.orientation.value)
        area = float(stats.sum_aper_area.value)
    variance = area * rms**2 + (max(flux, 0.0) / target.gain if target.gain else 0.0)
    zeropoint = target.zeropoint_mag if target.zeropoint_mag is not None else INSTRUMENTAL_ZEROPOINT
    kind = "AB" if target.zeropoint_mag is not None else "instrumental"
    if flux > 0:
        magnitude = f"{zeropoint - 2.5 * math.log10(flux):.3f} ± {1.0857 * math.sqrt(variance) / flux:.3f} mag ({kind})"
    else:
        magnitude = "no magnitude: no light above the sky"
    bad = int(np.count_nonzero(star.box.mask))
    lines = [
        _place(target, star.x, star.y),
        magnitude,
        f"flux {flux:.1f} ± {math.sqrt(variance):.1f} ADU within {radius:.1f} px, peak {peak:.1f}",
        f"sky {sky:.2f} ± {rms:.2f} ADU",
        f"{_seeing(target, star.fwhm)}  ellipticity {ellipticity:.3f} at {angle:.0f}°",
    ]
    if bad:
        lines.append(f"{bad} pixels around it are not usable")
    return Examination("Aperture photometry", tuple(lines), star.x, star.y)


def growth_curve(target: Target) -> Examination:
    """g: flux within growing radii, and where half and 90 per cent of it are."""
    from photutils.profiles import CurveOfGrowth

    star = _profile(target)
    radii = np.arange(1.0, PROFILE_RADIUS + 1.0)
    with _quiet():
        curve = CurveOfGrowth(star.box.data - star.sky, star.centre, radii, mask=star.box.mask)
        flux = np.asarray(curve.profile, np.float64)
    total = float(flux[-1])

    def within(part: float) -> str:
        above = np.flatnonzero(flux >= part * total)
        if not len(above) or total <= 0:
            return "--"
        return f"{np.interp(part * total, np.concatenate([[0.0], flux]), np.concatenate([[0.0], radii])):.2f}"

    series = Series(radii, flux / total if total > 0 else flux, style="line", character="o", tone="accent")

    def draw(width: int, height: int) -> list[PlotLine]:
        return plot(
            [series],
            width,
            height,
            title="curve of growth",
            x_label="radius, pixels",
            y_label="flux",
            levels=(0.5, 1.0),
        )

    lines = (
        _place(target, star.x, star.y),
        f"flux within {PROFILE_RADIUS} px: {total:.1f} ADU above sky {star.sky:.2f}",
        f"half within {within(0.5)} px, 90 % within {within(0.9)} px; {_seeing(target, star.fwhm)}",
    )
    return Examination("Curve of growth", lines, star.x, star.y, draw)
