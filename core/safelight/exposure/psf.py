"""The point-spread function of one CCD: a pixel image whose every pixel varies as a polynomial over the CCD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from photutils.psf import GriddedPSFModel

__all__ = ["PsfModel"]


@dataclass(frozen=True, slots=True)
class PsfModel:
    """PSF image as a polynomial of position.

    The image at (x, y) is ``sum_k coefficients[k] * u**i_k * v**j_k`` with ``u = (x - x_centre) / x_scale``,
    ``v = (y - y_centre) / y_scale`` and terms ordered as ``[(i, j) for i in range(n + 1) for j in range(n + 1 - i)]``.

    An undersampled PSF is kept on a grid finer than the pixels (`oversampling` > 1): every grid point holds the light
    that a whole pixel centred there receives, so each `oversampling`-th point makes a pixel image.
    """

    coefficients: NDArray[np.float32]  # (n_terms, grid, grid), grid odd, centred on the middle point
    degree: int
    x_centre: float
    y_centre: float
    x_scale: float
    y_scale: float
    n_stars: int = 0
    oversampling: int = 1  # grid points per pixel and axis; the values are light per *pixel* at each grid point

    @property
    def size(self) -> int:
        """Width and height of the PSF image in pixels (odd)."""
        half = (int(self.coefficients.shape[-1]) - 1) // 2 // self.oversampling
        return 2 * half + 1

    def terms(self, x: float, y: float) -> NDArray[np.float64]:
        """The polynomial terms at pixel position (x, y), in the order of `coefficients`."""
        u, v = (x - self.x_centre) / self.x_scale, (y - self.y_centre) / self.y_scale
        n = self.degree
        return np.array([u**i * v**j for i in range(n + 1) for j in range(n + 1 - i)])

    def image(self, x: float, y: float) -> NDArray[np.float64]:
        """The PSF at pixel position (x, y), centred on the middle pixel, normalised to a sum of 1.

        Returns an array of shape (size, size).
        """
        step, first = self.oversampling, self._first
        pixels = self.coefficients[:, first::step, first::step].astype(np.float64)
        kernel = np.tensordot(self.terms(x, y), pixels, axes=1)
        result: NDArray[np.float64] = kernel / kernel.sum()
        return result

    @property
    def _first(self) -> int:
        """Index of the first grid point that lies a whole number of pixels from the middle."""
        return (int(self.coefficients.shape[-1]) - 1) // 2 % self.oversampling

    def fine_image(self, x: float, y: float) -> NDArray[np.float64]:
        """The PSF at (x, y) on its own grid, (grid, grid), in the normalisation of `image`: light per pixel."""
        step, first = self.oversampling, self._first
        fine = np.tensordot(self.terms(x, y), self.coefficients.astype(np.float64), axes=1)
        result: NDArray[np.float64] = fine / fine[first::step, first::step].sum()
        return result

    def to_photutils(self, width: int, height: int, grid: int = 5) -> GriddedPSFModel:
        """This PSF as a `photutils.psf.GriddedPSFModel` for a CCD of `width` by `height` pixels.

        The model is sampled on `grid` by `grid` positions from edge to edge; photutils interpolates linearly between
        them (with `grid=1` the PSF of the centre serves everywhere). Its `x_0`, `y_0` are 0-based pixels as here.
        """
        from astropy.nddata import NDData
        from photutils.psf import GriddedPSFModel

        xs = np.linspace(0.0, width - 1.0, grid) if grid > 1 else np.array([(width - 1) / 2])
        ys = np.linspace(0.0, height - 1.0, grid) if grid > 1 else np.array([(height - 1) / 2])
        positions = [(float(x), float(y)) for y in ys for x in xs]
        images = np.stack([self.fine_image(x, y) for x, y in positions])
        return GriddedPSFModel(NDData(images, meta={"grid_xypos": positions, "oversampling": self.oversampling}))
