"""The true WCS: projection against astropy, inverse, stated pointing errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from safelight.instruments.geometry import focal_plane_to_field_angle, pixel_to_focal_plane
from safelight.simulate.optics import Pointing, TrueWcs, claimed_pointing, rotator_angle, true_pointing
from safelight.simulate.presets import PRESETS


@pytest.mark.parametrize(("ccd", "inst_pa"), [(50, 0.0), (16, 90.0), (100, 33.0), (9, 270.0)])
def test_the_sky_agrees_with_astropys_gnomonic_projection_of_the_field_angles(hsc, ccd, inst_pa):
    pointing = Pointing(320.3, -0.7, rotator_angle(inst_pa), 1.0003)
    wcs = TrueWcs.of(hsc, ccd, pointing)
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 2047, 5), np.linspace(0, 4175, 5)))
    field = focal_plane_to_field_angle(hsc.distortion, *pixel_to_focal_plane(hsc.detector(ccd), x, y))
    tangent = WCS(naxis=2)
    tangent.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    tangent.wcs.crval = [320.3, -0.7]
    tangent.wcs.crpix = [1.0, 1.0]
    theta = np.radians(270.0 - inst_pa)
    tangent.wcs.cd = np.array([[-np.cos(theta), np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    expected = tangent.all_pix2world(*(np.degrees(f) * 1.0003 for f in field), 0)
    ra, dec = wcs.pixel_to_sky(x, y)
    separation = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*expected, unit="deg"))
    assert separation.mas.max() < 0.001


def test_ccd_50_of_a_flange_at_zero_moves_south_along_its_columns_on_disk(hsc):
    # The real header of visit 904024: CD2_1 = -4.7e-5 along x on disk, CD1_2 = +4.7e-5 along y.
    wcs = TrueWcs.of(hsc, 50, Pointing(320.75, 0.5, rotator_angle(0.0)))
    ra, dec = wcs.pixel_to_sky([1000.0, 1001.0, 1000.0], [2000.0, 2000.0, 2001.0])
    assert dec[1] - dec[0] == pytest.approx(+4.66e-5, rel=0.01)  # assembled x runs against x on disk
    assert ra[2] - ra[0] == pytest.approx(+4.66e-5, rel=0.01)


def test_sky_to_pixel_undoes_pixel_to_sky(hsc):
    wcs = TrueWcs.of(hsc, 9, Pointing(0.05, 60.0, 123.0))
    x, y = np.random.default_rng(0).uniform(-50, 4200, (2, 500))
    back_x, back_y = wcs.sky_to_pixel(*wcs.pixel_to_sky(x, y))
    np.testing.assert_allclose(back_x, x, atol=1e-6)
    np.testing.assert_allclose(back_y, y, atol=1e-6)
    assert np.isnan(wcs.sky_to_pixel([180.05], [-60.0])[0]).all()


def test_true_pointings_stay_within_the_stated_errors_and_are_not_the_headers():
    night = PRESETS["tutorial"]()
    for number in range(40):
        visit = replace(night.visits[0], visit=900000 + 2 * number)
        true, claimed = true_pointing(night, visit), claimed_pointing(visit)
        separation = SkyCoord(true.ra_deg, true.dec_deg, unit="deg").separation(
            SkyCoord(claimed.ra_deg, claimed.dec_deg, unit="deg")
        )
        assert 0 < separation.arcsec <= 40.001
        assert 0 < abs(true.rotator_deg - claimed.rotator_deg) <= 0.05
        assert abs(true.scale - 1.0) < 1e-3


@pytest.mark.parametrize("ra", [320.0, 0.0])
def test_the_pixel_scale_shrinks_towards_the_edge_of_the_field(hsc, ra):
    from astropy.wcs.utils import proj_plane_pixel_area

    for ccd, expected in ((50, 0.168), (100, 0.156)):
        wcs = TrueWcs.of(hsc, ccd, Pointing(ra, 55.0, 37.0))
        x, y = np.array([1000.0, 1048.0, 1000.0]), np.array([2063.5, 2063.5, 2111.5])
        places = SkyCoord(*wcs.pixel_to_sky(x, y), unit="deg")
        linear = WCS(naxis=2)
        linear.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        offsets = [places[0].spherical_offsets_to(place) for place in places[1:]]
        linear.wcs.cd = np.array([[o[axis].deg / 48.0 for o in offsets] for axis in (0, 1)])
        assert wcs.pixel_scale_arcsec == pytest.approx(3600.0 * np.sqrt(proj_plane_pixel_area(linear)), rel=1e-3)
        assert wcs.pixel_scale_arcsec == pytest.approx(expected, abs=0.001)
