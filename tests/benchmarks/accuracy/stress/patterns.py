"""What can look like stars, or like a pattern, and is none: on the frame and in the catalogue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["AMBIGUOUS", "NOTHING_TO_FIND", "in_catalog", "on_frame"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Kinds in which the frame does not show the sky of the catalogue.
NOTHING_TO_FIND = {
    "noise only",
    "wrong field",
    "hot pixels in a grid",
    "trail",
    "trails in both",
    "clusters",
    "repeated block",
}
#: Kinds that show it twice: none of two solutions is more right than the other, so none is demanded.
AMBIGUOUS = {"doubled"}


def on_frame(
    kind: str, rng: np.random.Generator, x: Floats, y: Floats, flux: Floats, star: Ints, width: int, height: int
) -> tuple[Floats, Floats, Floats, Ints]:
    """The detections of a frame with the pattern `kind` on it, or in place of its stars."""
    n = max(len(x), 60)
    if kind == "noise only":
        return _only(rng.uniform(0, width - 1, n), rng.uniform(0, height - 1, n), rng)
    if kind == "wrong field":  # the same stars elsewhere: mirrored about a random point, which no search allows
        moved_x, moved_y = (rng.uniform(0, width) - x) % (width - 1), (rng.uniform(0, height) + 2 * y) % (height - 1)
        return moved_x, moved_y, flux, np.full(len(x), -1)
    if kind == "repeated block":  # one patch of stars pasted again and again
        side = 512
        bx, by = rng.uniform(0, side, 12), rng.uniform(0, side, 12)
        steps = [(i, j) for i in range(width // side) for j in range(height // side)]
        px = np.concatenate([bx + side * i for i, _ in steps])
        py = np.concatenate([by + side * j for _, j in steps])
        return _only(px, py, rng)
    extra_x, extra_y = _pattern(kind, rng, x, y, flux, width, height)
    inside = (extra_x > 0) & (extra_x < width - 1) & (extra_y > 0) & (extra_y < height - 1)
    extra_x, extra_y = extra_x[inside], extra_y[inside]
    brightness = np.quantile(flux, 0.9) if len(flux) else 10.0
    extra = brightness * rng.lognormal(0, 0.5, len(extra_x))
    if kind in NOTHING_TO_FIND:
        return extra_x, extra_y, extra, np.full(len(extra_x), -1)
    return (
        np.append(x, extra_x),
        np.append(y, extra_y),
        np.append(flux, extra),
        np.append(star, np.full(len(extra_x), -1)),
    )


def _only(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Ints]:
    return x, y, 10 ** (-0.4 * np.log10(rng.uniform(size=len(x))) / 0.3), np.full(len(x), -1)


def _pattern(
    kind: str, rng: np.random.Generator, x: Floats, y: Floats, flux: Floats, width: int, height: int
) -> tuple[Floats, Floats]:
    if kind in ("hot pixels in a grid", "grid on stars"):
        step = rng.choice([64.0, 128.0, 256.0])
        gx, gy = np.meshgrid(np.arange(step / 2, width, step), np.arange(step / 2, height, step))
        return gx.ravel(), gy.ravel()
    if kind in ("trail", "trail on stars", "trails in both"):
        along = np.linspace(0, 1, 250)
        start, end = rng.uniform(0, width), rng.uniform(0, width)
        return start + (end - start) * along + rng.normal(0, 1, 250), height * along
    if kind in ("clusters", "cluster on stars"):
        centre = rng.uniform([300, 300], [width - 300, height - 300])
        return centre[0] + rng.normal(0, 120, 800), centre[1] + rng.normal(0, 120, 800)
    if kind == "ghosts on stars":  # rings of knots about the brightest stars
        brightest = np.argsort(-flux)[:5]
        angle = rng.uniform(0, 2 * np.pi, (len(brightest), 40))
        radius = rng.uniform(150, 400, (len(brightest), 1))
        return (x[brightest, None] + radius * np.cos(angle)).ravel(), (
            y[brightest, None] + radius * np.sin(angle)
        ).ravel()
    if kind == "doubled":  # the telescope jumped: every star twice
        shift = rng.uniform(10, 60, 2)
        return x + shift[0], y + shift[1]
    raise ValueError(f"no such pattern: {kind!r}")


def in_catalog(
    kind: str, rng: np.random.Generator, ra: Floats, dec: Floats, magnitude: Floats, centre: tuple[float, float]
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """The catalogue of such a frame: rows kept of the true one, then the rows of a pattern; and which were kept."""
    kept = np.ones(len(ra), dtype=bool)
    if kind == "trails in both":  # spikes of bright stars
        along = rng.uniform(-0.1, 0.1, 400)
        angle = rng.uniform(0, np.pi)
        more = centre[0] + along * np.cos(angle) / np.cos(np.radians(centre[1])), centre[1] + along * np.sin(angle)
    elif kind == "clusters":  # another cluster, at another place
        place = centre[1] + rng.uniform(-0.05, 0.05)
        spread = rng.normal(0, 20.0 / 3600.0, (2, 800))
        more = centre[0] + spread[0] / np.cos(np.radians(place)), place + spread[1]
    else:
        return ra, dec, magnitude, kept
    bright = np.quantile(magnitude, 0.1) if len(magnitude) else 0.0
    return (
        np.append(ra, more[0] % 360.0),
        np.append(dec, more[1]),
        np.append(magnitude, bright + rng.normal(0, 0.5, len(more[0]))),
        kept,
    )
