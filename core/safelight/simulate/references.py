"""Reference catalogues of a synthetic sky, shaped like PS1's and Gaia's: what the pipeline is given to calibrate with.

They are seen through those surveys' errors: PS1 at epoch 2014.75 with 8 mas and more of position error, a small offset
and 5 mmag and more of flux error down to i = 22.5, without proper motions; Gaia at 2015.5 to G = 20.7 with proper
motions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safelight.simulate.populations import POSITION_EPOCH, SyntheticSky
from safelight.simulate.sources import BANDS, Circle, SkySources
from safelight.simulate.streams import Stream, generator

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["GAIA_NAME", "PS1_NAME", "add_common_errors", "gaia_catalog", "ps1_catalog", "reference_sources"]

FloatArray = NDArray[np.float64]

PS1_NAME, GAIA_NAME = "ps1_pv3_3pi_20170110", "gaia_dr2_20200414"

#: Pan-STARRS observed from 2009 to 2015, but its shards, tied to Gaia, agree with it best at this epoch.
_PS1_EPOCH = 2014.75
_PS1_FLOOR_MAS, _PS1_OFFSET_MAS = 8.0, (2.0, -4.0)
_PS1_LIMIT_I, _GAIA_LIMIT_G = 22.5, 20.7
#: 5 sigma depths of PS1's stacks
_PS1_DEPTH = np.array([23.3, 23.2, 23.1, 22.3, 21.4])
_PS1_FLUX_FLOOR = 0.005
_MAS = np.radians(1.0 / 3.6e6)


def reference_sources(sky: SyntheticSky, circles: Iterable[Circle]) -> SkySources:
    """The sources brighter than r = 22.9 around these circles, each once, at 2015.5."""
    found = SkySources.concatenated([sky.bright_sources(circle) for circle in circles])
    _, first = np.unique(found.id, return_index=True)
    return found[first]


def _njy(magnitude: FloatArray) -> FloatArray:
    return np.asarray(10.0 ** (0.4 * (31.4 - magnitude)))


def ps1_catalog(sources: SkySources, seed: int, offset_mas: tuple[float, float] = _PS1_OFFSET_MAS) -> Table:
    """Rows as of a PS1 shard: id, coord_ra, coord_dec (radians), <band>_flux and <band>_fluxErr (nJy).

    `offset_mas` is the shift of all positions to the East and North.
    """
    from astropy.table import Table

    rng = generator(seed, Stream.REFERENCES, 1)
    seen = sources.moved(_PS1_EPOCH - POSITION_EPOCH)[sources.band("i") < _PS1_LIMIT_I]
    fluxes = _njy(seen.magnitudes)
    errors = np.hypot(_PS1_FLUX_FLOOR * fluxes, _njy(_PS1_DEPTH) / 5.0)
    # A centroid is good to half the seeing over the signal to noise; galaxies are wider.
    width_mas = np.hypot(1100.0, 1000.0 * seen.half_light_arcsec)
    sigma = np.hypot(_PS1_FLOOR_MAS, 0.5 * width_mas * errors[:, 2] / fluxes[:, 2]) * _MAS
    shift = sigma * rng.standard_normal((2, len(seen))) + _MAS * np.array(offset_mas)[:, None]
    measured = fluxes + errors * rng.standard_normal(fluxes.shape)
    table = Table()
    table["id"] = seen.id
    table["coord_ra"] = np.radians(seen.ra_deg) + shift[0] / np.cos(np.radians(seen.dec_deg))
    table["coord_dec"] = np.radians(seen.dec_deg) + shift[1]
    for k, band in enumerate(BANDS):
        table[f"{band}_flux"] = np.where(measured[:, k] > 2.0 * errors[:, k], measured[:, k], np.nan)
        table[f"{band}_fluxErr"] = errors[:, k]
    _set_units(table)
    return table


def gaia_catalog(sources: SkySources, seed: int) -> Table:
    """Rows as of a Gaia DR2 shard: positions at 2015.5 with errors, proper motions (rad/year), G, BP and RP (nJy)."""
    from astropy.table import Table

    rng = generator(seed, Stream.REFERENCES, 2)
    r, r_i = sources.band("r"), sources.band("r") - sources.band("i")
    magnitude_g = r - 0.45 * r_i
    seen = sources[sources.is_star & (magnitude_g < _GAIA_LIMIT_G)]
    r, r_i = seen.band("r"), seen.band("r") - seen.band("i")
    magnitude_g = r - 0.45 * r_i
    number = len(seen)
    sigma_mas = 0.04 + 1.2 * 10.0 ** (0.38 * (np.maximum(magnitude_g, 14.0) - 20.7))
    table = Table()
    table["id"] = seen.id
    cos_dec = np.cos(np.radians(seen.dec_deg))
    table["coord_ra"] = np.radians(seen.ra_deg) + sigma_mas * _MAS * rng.standard_normal(number) / cos_dec
    table["coord_dec"] = np.radians(seen.dec_deg) + sigma_mas * _MAS * rng.standard_normal(number)
    table["coord_raErr"] = (sigma_mas * _MAS).astype(np.float32)
    table["coord_decErr"] = (sigma_mas * _MAS).astype(np.float32)
    table["epoch"] = np.full(number, 57205.875)
    for name, motion in (("pm_ra", seen.pm_ra_mas), ("pm_dec", seen.pm_dec_mas)):
        table[name] = (motion + 2.0 * sigma_mas * rng.standard_normal(number)) * _MAS
        table[f"{name}Err"] = (2.0 * sigma_mas * _MAS).astype(np.float32)
    table["parallax"] = np.zeros(number)
    table["parallaxErr"] = (1.2 * sigma_mas * _MAS).astype(np.float32)
    for name, band in (("g", magnitude_g), ("bp", r + 0.3 * r_i + 0.1), ("rp", r - 1.1 * r_i + 0.05)):
        flux = _njy(band)
        error = np.hypot(0.001 * flux, _njy(np.array(24.0)))
        table[f"phot_{name}_mean_flux"] = flux + error * rng.standard_normal(number)
        table[f"phot_{name}_mean_fluxErr"] = error
    _set_units(table)
    return table


def add_common_errors(table: Table, seed: int, *, position_mas: float = 0.0, magnitude: float = 0.0) -> None:
    """Draw the errors that neighbouring stars of a catalogue have in common, in place.

    Parameters
    ----------
    table : Table
        From `ps1_catalog` or `gaia_catalog`.
    seed : int
    position_mas : float
        Standard deviation per axis of the shift of all positions.
    magnitude : float
        Standard deviation of the error of each band's zeropoint.
    """
    rng = generator(seed, Stream.REFERENCES, 3)
    east, north = position_mas * _MAS * rng.standard_normal(2)
    table["coord_ra"] += east / np.cos(table["coord_dec"])
    table["coord_dec"] += north
    for name in table.colnames:
        if name.endswith("_flux"):
            table[name] *= 10.0 ** (-0.4 * magnitude * rng.standard_normal())


def _set_units(table: Table) -> None:
    for name in table.colnames:
        if name.startswith("coord_") or name.startswith("parallax"):
            table[name].unit = "rad"
        elif name.startswith("pm_"):
            table[name].unit = "rad / yr"
        elif name.endswith(("_flux", "_fluxErr")):
            table[name].unit = "nJy"
        elif name == "epoch":
            table[name].unit = "d"
