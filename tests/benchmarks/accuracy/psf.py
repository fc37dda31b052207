"""The PSF model against the simulator's, beside PSFEx's: width, shape, and what is left of the stars.

Widths are of the PSF through pixels, for truth and models alike. A residual is the difference of the model, fitted in
flux, and the truth, averaged over the CCD, at its worst pixel, over the peak: what stacking stars would show if there
were enough of them. "Of stacked stars" is the same from the stars of the frame, their noise included.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy import stamps
from tests.benchmarks.accuracy.frames import Frame
from tests.benchmarks.accuracy.framestars import FrameStars, psf_field
from tests.benchmarks.accuracy.peers import PeerError, program
from tests.benchmarks.accuracy.rows import Row, spread
from tests.benchmarks.accuracy.truestars import true_psf

from safelight.exposure import Exposure

__all__ = ["measure_psf", "model_errors"]

Floats = NDArray[np.float64]
Model = Callable[[float, float], Floats]

_HALF = 15
_LIMITS = {
    "FWHM, median over the CCD": ("%", 1.0),
    "FWHM, worst of 25 places": ("%", None),
    "ellipticity, median over the CCD": ("", 0.005),
    "ellipticity, worst of 25 places": ("", None),
    "residual against truth": ("% of peak", 1.0),
    "residual of stacked stars": ("% of peak", 1.0),
}


def measure_psf(frames: Sequence[Frame], log: Callable[[str], None] = print) -> list[Row]:
    """Errors of both models, a value for each CCD."""
    values: dict[tuple[str, str], list[float]] = {}
    peers = program("psfex") is not None and program("source-extractor") is not None
    for frame in frames:
        if not frame.done:
            continue
        exposure = frame.calexp()
        assert exposure.psf is not None
        models: dict[str, Model] = {"Safelight": exposure.psf.image}
        if peers:
            try:
                models["PSFEx"] = _psfex(exposure)
            except PeerError as error:
                log(f"{frame.name}: {error}")
        stars = FrameStars(frame, exposure, least=80.0)
        for tool, model in models.items():
            for name, value in _errors(frame, exposure, stars, model).items():
                values.setdefault((name, tool), []).append(value)
    rows = []
    for (name, tool), numbers in sorted(values.items(), key=lambda item: list(_LIMITS).index(item[0][0])):
        unit, limit = _LIMITS[name]
        held = limit if tool == "Safelight" else None
        rows.append(spread("PSF", name, tool, unit, numbers, demand=f"<= {held:g}" if held else "", at_most=held))
    return rows


def _psfex(exposure: Exposure) -> Model:
    from tests.benchmarks.accuracy.psfex import fit

    with tempfile.TemporaryDirectory(prefix="safelight-psfex-") as folder:
        return fit(exposure, Path(folder)).image


def _errors(frame: Frame, exposure: Exposure, stars: FrameStars, model: Model) -> dict[str, float]:
    field = psf_field(frame)
    errors = model_errors(lambda x, y: true_psf(frame.true_wcs, field, x, y, _HALF), model, exposure.shape)
    errors["residual of stacked stars"] = 100.0 * _stacked(exposure, stars, model)
    return errors


def model_errors(truth: Model, model: Model, shape: tuple[int, int]) -> dict[str, float]:
    """Width, shape and residual of a model on 5 x 5 places of a CCD of (height, width)."""
    widths, shapes, residuals = [], [], []
    for y in np.linspace(0.05, 0.95, 5) * shape[0]:
        for x in np.linspace(0.05, 0.95, 5) * shape[1]:
            true, fitted = _trimmed(truth(x, y)), _trimmed(model(x, y))
            widths.append(100.0 * (stamps.fwhm(fitted) / stamps.fwhm(true) - 1.0))
            shapes.append(np.hypot(*np.subtract(stamps.shape(fitted), stamps.shape(true))))
            scale = (fitted * true).sum() / (fitted * fitted).sum()  # fluxes are corrected for the wings
            residuals.append((scale * fitted - true) / true.max())
    return {
        "FWHM, median over the CCD": float(np.median(np.abs(widths))),
        "FWHM, worst of 25 places": float(np.abs(widths).max()),
        "ellipticity, median over the CCD": float(np.median(shapes)),
        "ellipticity, worst of 25 places": float(np.max(shapes)),
        "residual against truth": 100.0 * float(np.abs(np.mean(residuals, axis=0)).max()),
    }


def _trimmed(stamp: Floats) -> Floats:
    """The middle of a stamp, total 1: models are cut off at different radii."""
    middle = stamp.shape[0] // 2
    inner = np.asarray(stamp, dtype=np.float64)[
        middle - _HALF : middle + _HALF + 1, middle - _HALF : middle + _HALF + 1
    ]
    return np.asarray(inner / inner.sum())


def _stacked(exposure: Exposure, stars: FrameStars, model: Model) -> float:
    """Median over the stars of what is left where each is fitted by the model, the worst pixel over the peak."""
    reach, left = 10, []
    for x, y in zip(stars.measured("base_SdssCentroid_x"), stars.measured("base_SdssCentroid_y"), strict=True):
        column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        shape = stamps.shifted(_trimmed(model(x, y)), x - column, y - row)[5:-5, 5:-5]
        data = exposure.image[row - reach : row + reach + 1, column - reach : column + reach + 1]
        flux = (shape * data).sum() / (shape * shape).sum()
        left.append((data / flux - shape) / shape.max())
    return float(np.abs(np.median(left, axis=0)).max())
