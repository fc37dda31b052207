"""What can be wrong with a frame and its catalogue, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["HOSTILE", "Case", "draw_case"]

#: Kinds of cases and how often they come.
KINDS = {
    "mixed": 0.50,  # everything moderate at once
    "deep catalogue": 0.06,  # up to a hundred times denser than the frame
    "shallow catalogue": 0.06,
    "few stars": 0.06,
    "mirrored": 0.08,
    "proper motion": 0.08,
    "hostile": 0.16,
}
#: Frames on which there is nothing to find, or among whose true stars something looks like a pattern.
HOSTILE = (
    "noise only",
    "wrong field",
    "hot pixels in a grid",
    "grid on stars",
    "trail",
    "trail on stars",
    "trails in both",
    "ghosts on stars",
    "clusters",
    "cluster on stars",
    "doubled",
    "repeated block",
)
EDGE_CCDS = (100, 101, 102, 103)


@dataclass(frozen=True)
class Case:
    """One frame of HSC with a header that lies, and a reference catalogue that is not what it should be."""

    seed: int
    number: int
    kind: str
    hostile: str  # which of HOSTILE, or empty
    ccd: int
    ra_deg: float  # true boresight
    dec_deg: float
    rotator_deg: float
    offset_arcsec: float  # how far the header's boresight is from the true one
    offset_direction_rad: float
    rotation_deg: float  # header minus truth
    scale: float  # true field angles over the camera model's
    mirrored: bool
    stars: int  # expected on the frame and detectable
    depth: float  # log10 of the density of references over that of detectable stars
    spurious: float  # spurious detections per true one
    missing: float  # share of the references that the catalogue lacks
    color_scatter: float  # mag between the frame's band and the catalogue's
    error_mas: float  # of the catalogue
    years: float  # from the catalogue's epoch to the exposure

    @property
    def title(self) -> str:
        what = f"{self.kind}: {self.hostile}" if self.hostile else self.kind
        return f"case {self.number} ({what})"

    @property
    def generator(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.number, 7])


def draw_case(seed: int, number: int) -> Case:
    """Case `number` of the set `seed`; the same whichever other cases are drawn."""
    rng = np.random.default_rng([seed, number])
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    hostile = HOSTILE[int(rng.integers(len(HOSTILE)))] if kind == "hostile" else ""
    depth, stars = rng.uniform(-0.5, 0.7), 10 ** rng.uniform(1.7, 3.3)
    if kind == "deep catalogue":
        depth, stars = rng.uniform(1.0, 2.0), 10 ** rng.uniform(1.3, 2.0)
    elif kind == "shallow catalogue":
        depth, stars = rng.uniform(-2.0, -1.0), 10 ** rng.uniform(2.5, 3.4)
    elif kind == "few stars":
        stars = rng.uniform(15, 40)
    # from hardly any to all: half of the cases have much junk or large gaps, few both
    spurious, missing = (rng.uniform(0.05, 1.0) if rng.uniform() < 0.6 else 0.05 for _ in range(2))
    return Case(
        seed=seed,
        number=number,
        kind=kind,
        hostile=hostile,
        ccd=int(rng.choice(EDGE_CCDS) if rng.uniform() < 0.25 else rng.integers(0, 100)),
        ra_deg=float(rng.uniform(0, 360) if rng.uniform() < 0.8 else rng.uniform(-0.2, 0.2) % 360.0),
        dec_deg=float(np.degrees(np.arcsin(rng.uniform(-0.98, 0.98)))),
        rotator_deg=float(rng.uniform(0, 360)),
        offset_arcsec=float(600.0 * np.sqrt(rng.uniform())),
        offset_direction_rad=float(rng.uniform(0, 2 * np.pi)),
        rotation_deg=float(rng.uniform(-3, 3)),
        scale=float(1.0 + rng.uniform(-0.03, 0.03)),
        mirrored=kind == "mirrored",
        stars=int(stars),
        depth=float(depth),
        spurious=float(spurious),
        missing=float(missing),
        color_scatter=float(rng.uniform(0.1, 0.6)),
        error_mas=float(rng.choice([1.0, 10.0])),
        years=float(rng.uniform(5, 30) * rng.choice([-1, 1])) if kind == "proper motion" else 0.0,
    )
