"""Completeness of stars and purity of detections, beside source-extractor's on the same frames.

Completeness depends on how many false detections are let in, so source-extractor is run at several thresholds and
compared where its purity is Safelight's. A detection is real where a source of at most a magnitude below the 5 sigma
depth lies within 2 pixels (chance coincidences count, the same for both).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from tests.benchmarks.accuracy.frames import Frame
from tests.benchmarks.accuracy.peers import PeerError, program, run_program
from tests.benchmarks.accuracy.rows import Row
from tests.benchmarks.accuracy.sextractor import write_inputs

from safelight.exposure import Exposure

__all__ = ["Tally", "half_complete", "measure_detection"]

Floats = NDArray[np.float64]

#: source-extractor's DETECT_THRESH (its package's own kernel, 5 pixels).
THRESHOLDS = (0.7, 0.85, 1.0, 1.5)
_NEAR, _EDGE = 2.0, 30.0  # pixels
_SPOILT = ("BAD", "SAT", "NO_DATA", "CR", "INTRP")


@dataclass
class Tally:
    """Stars sought, and detections judged, of all frames together."""

    depth: list[Floats] = field(default_factory=list)  # magnitude less the frame's 5 sigma depth
    found: list[NDArray[np.bool_]] = field(default_factory=list)
    n_real: int = 0
    n_detections: int = 0

    @property
    def purity(self) -> float:
        return self.n_real / max(self.n_detections, 1)

    @property
    def half(self) -> float:
        return half_complete(np.concatenate(self.depth), np.concatenate(self.found))


def half_complete(depth: Floats, found: NDArray[np.bool_]) -> float:
    """Where completeness falls through one half: a logistic curve fitted by maximum likelihood."""
    from scipy.optimize import minimize

    def loss(parameters: Floats) -> float:
        exponent = np.clip((depth - parameters[0]) / max(abs(parameters[1]), 0.02), -50.0, 50.0)
        chance = np.clip(0.995 / (1.0 + np.exp(exponent)), 1e-6, 1.0 - 1e-6)  # blends hide a few however bright
        return float(-np.where(found, np.log(chance), np.log(1.0 - chance)).sum())

    return float(minimize(loss, np.array([0.0, 0.2]), method="Nelder-Mead").x[0])


def measure_detection(frames: Sequence[Frame], log: Callable[[str], None] = print) -> list[Row]:
    """Pooled over all CCDs."""
    ours, theirs = Tally(), {threshold: Tally() for threshold in THRESHOLDS}
    peers = program("source-extractor") is not None
    done = [frame for frame in frames if frame.done]
    for frame in done:
        exposure, src = frame.calexp(), frame.src
        single = np.asarray(src["deblend_nChild"]) == 0
        x, y = (np.asarray(src[f"base_SdssCentroid_{a}"], dtype=np.float64)[single] for a in "xy")
        _count(ours, frame, exposure, x, y)
        if peers:
            try:
                for threshold, tally in theirs.items():
                    _count(tally, frame, exposure, *_extract(exposure, threshold))
            except PeerError as error:
                log(f"{frame.name}: {error}")
    section, n = "detection", len(done)
    rows = [
        Row(
            section, "stars half complete, from the 5 sigma depth", "Safelight", "mag", ours.half, n=n,
            demand=">= 0 or the peer's", met=_met(ours, theirs if peers else {}),
        ),
        Row(section, "purity", "Safelight", "", ours.purity, n=n),
    ]  # fmt: skip
    for threshold, tally in theirs.items():
        if tally.n_detections:
            tool = f"source-extractor {threshold:g}"
            rows.append(Row(section, "stars half complete, from the 5 sigma depth", tool, "mag", tally.half, n=n))
            rows.append(Row(section, "purity", tool, "", tally.purity, n=n))
    if peers and any(tally.n_detections for tally in theirs.values()):
        equal = _at_purity(theirs, ours.purity)
        rows.append(Row(section, "the same at Safelight's purity", "source-extractor", "mag", equal, n=n))
    return rows


def _at_purity(tallies: dict[float, Tally], purity: float) -> float:
    """Half-completeness at a purity, by linear interpolation between thresholds."""
    order = sorted((tally for tally in tallies.values() if tally.n_detections), key=lambda tally: tally.purity)
    return float(np.interp(purity, [tally.purity for tally in order], [tally.half for tally in order]))


def _met(ours: Tally, theirs: dict[float, Tally]) -> bool:
    if ours.half >= 0.0:
        return True
    return any(t.n_detections for t in theirs.values()) and ours.half >= _at_purity(theirs, ours.purity)


def _count(tally: Tally, frame: Frame, exposure: Exposure, x: Floats, y: Floats) -> None:
    from scipy.spatial import cKDTree

    limit = float(frame.report["depth_5sigma_mag"])
    true = frame.truth.sources
    magnitude = np.asarray(true["mag"], dtype=np.float64)
    places = np.column_stack([true["x"], true["y"]]).astype(np.float64)
    spoilt = exposure.masked(*_SPOILT)
    ok = np.isfinite(x) & np.isfinite(y)
    x, y = x[ok], y[ok]
    kept = _usable(x, y, spoilt)
    real = cKDTree(places[magnitude < limit + 1.0])
    distance, _ = real.query(np.column_stack([x, y])[kept])
    tally.n_real += int((distance < _NEAR).sum())
    tally.n_detections += int(kept.sum())
    stars = np.asarray(true["is_star"]) & (np.abs(magnitude - limit) < 2.0)
    stars &= _usable(places[:, 0], places[:, 1], spoilt)
    distance, _ = cKDTree(np.column_stack([x, y])).query(places[stars])
    tally.depth.append(magnitude[stars] - limit)
    tally.found.append(distance < _NEAR)


def _usable(x: Floats, y: Floats, spoilt: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Places away from the edge and on sound pixels."""
    height, width = spoilt.shape
    inside = (x > _EDGE) & (x < width - 1 - _EDGE) & (y > _EDGE) & (y < height - 1 - _EDGE)
    column, row = (np.rint(np.where(inside, at, _EDGE)).astype(int) for at in (x, y))
    return np.asarray(inside & ~spoilt[row, column])


def _extract(exposure: Exposure, threshold: float) -> tuple[Floats, Floats]:
    """source-extractor's positions, 0-based."""
    with tempfile.TemporaryDirectory(prefix="safelight-detection-") as name:
        folder = Path(name)
        write_inputs(exposure, fits.Header(), 56000.0, folder)
        (folder / "se.param").write_text("XWIN_IMAGE\nYWIN_IMAGE\n")
        extra = ["-DETECT_THRESH", str(threshold), "-ANALYSIS_THRESH", str(threshold)]
        run_program("source-extractor", ["image.fits", "-c", "se.conf", *extra], folder)
        with fits.open(folder / "catalog.cat", memmap=False) as hdus:
            rows = hdus["LDAC_OBJECTS"].data
            return tuple(np.asarray(rows[f"{a}WIN_IMAGE"], dtype=np.float64) - 1.0 for a in "XY")  # type: ignore[return-value]
