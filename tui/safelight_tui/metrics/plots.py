"""The plots of triage, from residuals and rows to lines of characters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from safelight_tui.metrics.drawing import Draw, sentence, title_of
from safelight_tui.metrics.residuals import PhotometricResiduals, Residuals
from safelight_tui.plots import PlotLine, Series, plot

__all__ = ["PLOTS", "color_plot", "magnitude_plot"]

PLOTS: Mapping[str, str] = {
    "wcs": "WCS residuals over the CCD",
    "magnitude": "zeropoint residual against magnitude",
    "color": "zeropoint residual against colour",
    "seeing": "seeing over the night",
    "zeropoint": "zeropoint over the night",
}
"""Names and headings."""

MOST_MAG = 0.3
"""Half range of magnitude residuals shown, mag; how many lie beyond is said."""


def _photometric(residuals: Residuals, x: NDArray[np.float64], what: str, label: str) -> Draw:
    photometry = residuals.photometry
    assert photometry is not None
    rest = ~(photometry.used | photometry.reserved)
    kept = photometry.residual[photometry.reserved & np.isfinite(photometry.residual)]
    scatter = 1.4826 * float(np.median(np.abs(kept - np.median(kept)))) if len(kept) else float("nan")
    words = f"kept out: {scatter:.3f} mag" if len(kept) else "none kept out"
    series = [
        Series(x[rest], photometry.residual[rest], "rest", "dim"),
        Series(x[photometry.used], photometry.residual[photometry.used], "fit", "good", "o"),
        Series(x[photometry.reserved], photometry.residual[photometry.reserved], "kept out", "accent", "x"),
    ]
    finite = np.abs(photometry.residual[np.isfinite(photometry.residual) & ~rest])
    # A single faint star far off must not press all others into one line.
    reach = min(max(1.3 * float(np.percentile(finite, 95.0)), 0.02), MOST_MAG) if len(finite) else MOST_MAG

    def draw(width: int, height: int) -> list[PlotLine]:
        title = f"{title_of(residuals)} {what}{words}"
        return plot(series, width, height, title=title, x_label=label, y_label="mag", y_range=(-reach, reach))

    return draw


def _why_not(residuals: Residuals) -> str:
    return residuals.why_no_photometry or "no zeropoint"


def magnitude_plot(residuals: Residuals) -> Draw:
    """Residual of each star against its magnitude."""
    photometry: PhotometricResiduals | None = residuals.photometry
    if photometry is None:
        return sentence(_why_not(residuals))
    return _photometric(residuals, photometry.magnitude, "", "magnitude")


def color_plot(residuals: Residuals) -> Draw:
    """Residual of each star against its colour: a slope says that the colour term is wrong."""
    photometry = residuals.photometry
    if photometry is None:
        return sentence(_why_not(residuals))
    if not photometry.color_name:
        return sentence("the reference catalogue has no colour for this filter")
    term = "" if photometry.color_term else "no colour term, "
    return _photometric(residuals, photometry.color, term, photometry.color_name)
