"""Which part of an image is seen, how large and which way up.

Screen pixels are square: half a character cell high, one wide. They are counted from the top left, image pixels from
the bottom left, both from 0, with whole numbers at pixel centres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Orientation", "View", "sampled", "sampled_bits"]


@dataclass(frozen=True, slots=True)
class Orientation:
    """Which image axis runs to the right. By default x to the right and y up, as FITS images are shown.

    Parameters
    ----------
    transposed : bool
        y runs along the screen's rows.
    flip_right, flip_up : bool
        The axis shown to the right (up) runs to the left (down).
    """

    transposed: bool = False
    flip_right: bool = False
    flip_up: bool = False

    @classmethod
    def north_up(cls, cd: NDArray[np.floating]) -> Orientation:
        """The one of the eight that comes nearest to north up and east left.

        Parameters
        ----------
        cd : (2, 2) float
            World coordinates (towards east, towards north) per pixel along x and y.
        """
        best, most = cls(), -math.inf
        pixels = np.linalg.inv(cd)  # columns: pixel steps towards east, towards north
        east, north = pixels[:, 0] / np.hypot(*pixels[:, 0]), pixels[:, 1] / np.hypot(*pixels[:, 1])
        for transposed in (False, True):
            for flip_right in (False, True):
                for flip_up in (False, True):
                    one = cls(transposed, flip_right, flip_up)
                    matrix = one.matrix
                    score = float(north @ matrix[:, 1] - east @ matrix[:, 0])
                    if score > most:
                        best, most = one, score
        return best

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 2): image steps (x, y) for a step to the right (first column) and up (second)."""
        right, up = (-1.0 if self.flip_right else 1.0), (-1.0 if self.flip_up else 1.0)
        return np.array([[0.0, up], [right, 0.0]]) if self.transposed else np.array([[right, 0.0], [0.0, up]])


@dataclass(frozen=True, slots=True)
class View:
    """A window on an image.

    Parameters
    ----------
    x, y : float
        Image pixel in the middle of the screen.
    zoom : float
        Screen pixels per image pixel.
    width, height : int
        Of the screen, in screen pixels.
    orientation : Orientation
    """

    x: float
    y: float
    zoom: float
    width: int
    height: int
    orientation: Orientation = Orientation()

    SMALLEST: ClassVar[float] = 1.0 / 512
    LARGEST: ClassVar[float] = 32.0

    @classmethod
    def fit(cls, shape: tuple[int, int], width: int, height: int, orientation: Orientation | None = None) -> View:
        """The whole image of `shape` (rows, columns), as large as it goes."""
        orientation = orientation or Orientation()
        rows, columns = shape
        across, along = (rows, columns) if orientation.transposed else (columns, rows)
        zoom = min(width / max(across, 1), height / max(along, 1), cls.LARGEST)
        return cls((columns - 1) / 2, (rows - 1) / 2, zoom, width, height, orientation)

    def resized(self, width: int, height: int) -> View:
        """The same middle and zoom on another screen."""
        return replace(self, width=width, height=height)

    def zoomed(self, steps: int, x: float, y: float) -> View:
        """Larger (or smaller) by powers of two, the image pixel (x, y) staying where it is seen."""
        power = math.log2(self.zoom)
        exponent = math.floor(power + 1e-9) + steps if steps > 0 else math.ceil(power - 1e-9) + steps
        zoom = min(max(2.0**exponent, self.SMALLEST), self.LARGEST)
        ratio = self.zoom / zoom
        return replace(self, x=x + (self.x - x) * ratio, y=y + (self.y - y) * ratio, zoom=zoom)

    def panned(self, right: float, up: float) -> View:
        """Moved by screen pixels."""
        dx, dy = self.orientation.matrix @ np.array([right, up]) / self.zoom
        return replace(self, x=self.x + float(dx), y=self.y + float(dy))

    def to_image(self, column: float, row: float) -> tuple[float, float]:
        """Image position of a place on screen (column to the right, row down)."""
        right, up = column + 0.5 - self.width / 2, self.height / 2 - row - 0.5
        dx, dy = self.orientation.matrix @ np.array([right, up]) / self.zoom
        return self.x + float(dx), self.y + float(dy)

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        """Place on screen (column, row) of an image position."""
        right, up = self.orientation.matrix.T @ np.array([x - self.x, y - self.y]) * self.zoom
        return float(right) + self.width / 2 - 0.5, self.height / 2 - 0.5 - float(up)

    def places(self, parts: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Image positions under `parts` places across every screen pixel, in screen order.

        Returns
        -------
        x, y : (N parts,) float
            Along the screen axis on which that image axis lies; may lie outside the image.
        """
        right = (np.arange(self.width * parts) + 0.5) / parts - self.width / 2
        up = self.height / 2 - (np.arange(self.height * parts) + 0.5) / parts
        matrix = self.orientation.matrix
        if self.orientation.transposed:
            x, y = self.x + matrix[0, 1] * up / self.zoom, self.y + matrix[1, 0] * right / self.zoom
        else:
            x, y = self.x + matrix[0, 0] * right / self.zoom, self.y + matrix[1, 1] * up / self.zoom
        return x, y


def _gathered(image: NDArray[np.generic], view: View, parts: int) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """(height parts, width parts) pixels in screen order, and which of them lie inside the image."""
    x, y = (np.floor(places + 0.5).astype(np.int64) for places in view.places(parts))
    rows, columns = image.shape
    inside_x, inside_y = (x >= 0) & (x < columns), (y >= 0) & (y < rows)
    values = image[np.ix_(np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1))]
    inside = inside_y[:, None] & inside_x[None, :]
    return (values.T, inside.T) if view.orientation.transposed else (values, inside)


def sampled(image: NDArray[np.floating], view: View, most: int = 3) -> NDArray[np.float32]:
    """(view.height, view.width) float32: what is seen; NaN outside the image and where all pixels are NaN.

    Below a zoom of one, each screen pixel is the mean of up to `most` squared image pixels spread under it: a fair
    likeness in a few milliseconds, whatever the image's size.
    """
    parts = int(min(most, max(1, math.ceil(1.0 / view.zoom))))
    values, inside = _gathered(image, view, parts)
    seen: NDArray[np.float32] = np.where(inside, values, np.nan).astype(np.float32, copy=False)
    if parts == 1:
        return seen
    blocks = seen.reshape(view.height, parts, view.width, parts)
    present = np.isfinite(blocks)
    count = present.sum(axis=(1, 3))
    total = np.where(present, blocks, 0).sum(axis=(1, 3), dtype=np.float32)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def sampled_bits(mask: NDArray[np.integer], view: View) -> NDArray[np.integer]:
    """(view.height, view.width) bits set in any pixel under each screen pixel; 0 outside.

    Every pixel is looked at, so that a cosmic ray is seen at any zoom.
    """
    if view.zoom >= 1:
        values, inside = _gathered(mask, view, 1)
        seen: NDArray[np.integer] = np.where(inside, values, 0)
        return seen
    x, y = view.places(1)
    half = 0.5 / view.zoom
    reduced = _any_between(_any_between(mask, y, half).T, x, half).T
    return reduced.T if view.orientation.transposed else reduced


def _any_between(mask: NDArray[np.integer], centres: NDArray[np.float64], half: float) -> NDArray[np.integer]:
    """Bits of all rows within `half` of each centre; a loop, because ``reduceat`` along rows is ten times slower."""
    result = np.zeros((len(centres), mask.shape[1]), mask.dtype)
    for place, centre in enumerate(centres.tolist()):
        low, high = max(0, math.ceil(centre - half)), math.floor(centre + half) + 1
        if low < min(high, len(mask)):
            np.bitwise_or.reduce(mask[low:high], axis=0, out=result[place])
    return result
