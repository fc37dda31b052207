"""HSC CCDs under the real sky: sources synthesised from the real PS1 and Gaia shards, solved with either catalogue."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from safelight.calibrate import CalibrateConfig, reference_circle, run
from safelight.refcats import ReferenceCatalog, load_reference_catalog

pytestmark = pytest.mark.real_data

EPOCH = 56450.0  # MJD: June 2013
CENTRE = (320.9, -0.38)  # degrees; a CCD there lies wholly inside the shards
GAIA, PS1 = "gaia_dr2_20200414", "ps1_pv3_3pi_20170110"
# CCD, rotator angle, pointing error (arcsec), rotation error (degrees), seeing (arcsec)
CASES = [
    (0, 10.0, (100.0, 60.0), 0.9, 0.5),
    (4, 100.0, (-84.0, -84.0), -1.0, 0.6),
    (12, 200.0, (5.0, 3.0), 0.1, 0.8),
    (22, 33.0, (-60.0, 100.0), 0.4, 0.5),
    (30, 270.0, (30.0, -20.0), -0.3, 0.6),
    (50, 0.0, (-119.0, 0.0), 1.0, 0.8),
    (57, 145.0, (0.0, 119.0), -0.7, 0.5),
    (75, 60.0, (10.0, -110.0), 0.6, 0.6),
    (95, 310.0, (70.0, 70.0), -0.5, 0.8),
    (100, 90.0, (-40.0, 90.0), 0.8, 0.5),
    (101, 181.0, (90.0, -40.0), -0.9, 0.6),
    (103, 222.0, (-70.0, -70.0), 0.2, 0.8),
]


@pytest.fixture(scope="module")
def real_sky(shards: Path, hsc: Any) -> Any:
    """The sky as it was: at Gaia's positions where Gaia has the star, else at PS1's with 8 mas of its own error."""
    rng = np.random.default_rng(11)
    ps1 = load_reference_catalog(shards / PS1, *CENTRE, 0.25, EPOCH)
    gaia = load_reference_catalog(shards / GAIA, *CENTRE, 0.25, EPOCH)
    ra = ps1.ra_deg + rng.normal(0, 8 / 3.6e6, len(ps1))
    dec = ps1.dec_deg + rng.normal(0, 8 / 3.6e6, len(ps1))
    tree = cKDTree(np.column_stack([gaia.ra_deg, gaia.dec_deg]))
    distance, nearest = tree.query(np.column_stack([ps1.ra_deg, ps1.dec_deg]), distance_upper_bound=0.5 / 3600)
    seen = np.isfinite(distance)
    ra[seen], dec[seen] = gaia.ra_deg[nearest[seen]], gaia.dec_deg[nearest[seen]]
    term = next(t for t in hsc.color_terms if t.catalog == "ps1*" and t.filter == "r")
    color = ps1.magnitude("r") - ps1.magnitude("i")
    magnitude = ps1.magnitude("r") + term.c0 + term.c1 * color + term.c2 * color**2
    error = 1.0857 * ps1.flux_error_njy["r"] / ps1.flux_njy["r"]
    magnitude = magnitude + rng.normal(0, 1, len(ps1)) * np.minimum(error, 0.3)
    good = np.isfinite(magnitude)
    from types import SimpleNamespace

    return SimpleNamespace(ra=ra[good], dec=dec[good], magnitude=magnitude[good])


def load(shards: Path, name: str, scene: Any) -> ReferenceCatalog:
    config = CalibrateConfig()
    circle = reference_circle(
        scene.exposure.wcs,
        scene.origin,
        2048,
        4176,
        config.astrometry,
        config.astromRefObjLoader,
        scene.instrument,
        scene.exposure.detector_id,
        scene.exposure.visit_info,
    )
    return load_reference_catalog(shards / name, *circle, EPOCH)


@pytest.mark.parametrize(("ccd", "rotator", "offset", "rotation", "seeing"), CASES)
def test_wcs_within_10_mas_and_zeropoint_within_10_mmag_with_either_catalogue(
    ccd: int,
    rotator: float,
    offset: tuple[float, float],
    rotation: float,
    seeing: float,
    shards: Path,
    real_sky: Any,
    make_scene: Any,
) -> None:
    scene = make_scene(
        real_sky,
        ccd=ccd,
        seed=ccd,
        centre=CENTRE,
        rotator=rotator,
        offset_arcsec=offset,
        rotation_deg=rotation,
        seeing=seeing,
    )
    photometry = load(shards, PS1, scene)
    for name, limit in ((PS1, 10.0), (GAIA, 3.0)):
        astrometry = photometry if name == PS1 else load(shards, GAIA, scene)
        result = run(
            replace(scene.exposure),
            scene.src.copy(),
            astrometry,
            photometry,
            CalibrateConfig(),
            scene.instrument,
            wcs_origin=scene.origin,
        )
        error = scene.error_mas(result.exposure.wcs)
        assert error <= limit
        assert error <= 3.0 * result.metrics["wcs_error_mas"]
        assert result.metrics["zeropoint_mag"] == pytest.approx(27.1, abs=0.010)
        assert abs(result.metrics["zeropoint_mag"] - 27.1) <= 4.0 * result.metrics["zeropoint_error_mag"]
        assert {caveat.code for caveat in result.caveats} <= {"WCS_RESERVED_RESIDUAL_HIGH"}
        assert math.isfinite(result.metrics["wcs_reserved_median_mas"])


def test_another_patch_of_the_real_sky_is_refused(shards: Path, real_sky: Any, make_scene: Any) -> None:
    """The references of a field nine arcminutes away look alike and do not fit."""
    from safelight.errors import ProcessingError

    scene = make_scene(real_sky, centre=CENTRE)
    for name in (PS1, GAIA):
        astrometry = load(shards, name, scene)
        moved = replace(astrometry, dec_deg=astrometry.dec_deg + 0.15)
        with pytest.raises(ProcessingError) as caught:
            run(
                replace(scene.exposure),
                scene.src.copy(),
                moved,
                moved,
                CalibrateConfig(),
                scene.instrument,
                wcs_origin=scene.origin,
            )
        assert caught.value.code == "WCS_NO_MATCH"
