"""The skies: the synthetic one and a real catalogue."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Table

from safelight.errors import UsageError
from safelight.refcats import load_reference_catalog
from safelight.simulate.catalogsky import CatalogSky, find_catalogs
from safelight.simulate.drawncatalogs import write_drawn_catalog
from safelight.simulate.frame import sky_circle
from safelight.simulate.optics import TrueWcs, claimed_pointing
from safelight.simulate.populations import SyntheticSky
from safelight.simulate.presets import PRESETS, real_sky_ccds, spec_from_options
from safelight.simulate.references import add_common_errors, gaia_catalog, ps1_catalog, reference_sources
from safelight.simulate.sources import Circle

HERE = Circle(320.9, -0.4, 0.15)


def _near(sources, circle):
    away = SkyCoord(sources.ra_deg, sources.dec_deg, unit="deg").separation(
        SkyCoord(circle.ra_deg, circle.dec_deg, unit="deg")
    )
    return sources[away.deg < circle.radius_deg]


def test_any_part_of_the_synthetic_sky_is_the_same_whoever_asks():
    sky = SyntheticSky(7)
    wide = _near(sky.sources(Circle(320.9, -0.4, 0.3), 2013.5), HERE)
    narrow = _near(sky.sources(HERE, 2013.5), HERE)
    np.testing.assert_array_equal(np.sort(wide.id), np.sort(narrow.id))
    assert len(np.unique(narrow.id)) == len(narrow)
    assert not np.array_equal(_near(SyntheticSky(8).sources(HERE, 2013.5), HERE).ra_deg, narrow.ra_deg)


def test_the_synthetic_sky_has_the_counts_of_high_galactic_latitude():
    area = np.pi * HERE.radius_deg**2
    sources = _near(SyntheticSky(7).sources(HERE, 2015.5), HERE)
    r = sources.band("r")
    stars = np.sum(sources.is_star & (r < 20.5)) / area
    galaxies = np.sum(~sources.is_star & (r > 23.5) & (r < 24.5)) / area
    assert 5_000 < stars < 13_000
    assert 35_000 < galaxies < 70_000


@pytest.mark.parametrize("circle", [Circle(0.02, 10.0, 0.1), Circle(123.0, 89.98, 0.1), Circle(200.0, -60.0, 0.2)])
def test_cells_cover_circles_across_the_zero_of_right_ascension_and_the_poles(circle):
    found = SyntheticSky(1).sources(circle, 2015.5)
    inside = _near(found, circle)
    density = len(inside) / (np.pi * circle.radius_deg**2)
    assert 150_000 < density < 450_000
    # No empty sector about the centre.
    angle = np.arctan2(
        inside.dec_deg - circle.dec_deg,
        ((inside.ra_deg - circle.ra_deg + 180) % 360 - 180) * np.cos(np.radians(circle.dec_deg)),
    )
    if abs(circle.dec_deg) < 80:
        assert np.histogram(angle, bins=8, range=(-np.pi, np.pi))[0].min() > 0.5 * len(inside) / 8


def test_stars_move_by_their_proper_motion():
    sky = SyntheticSky(7)
    late, early = sky.sources(HERE, 2025.5), sky.sources(HERE, 2015.5)
    shift = (late.dec_deg - early.dec_deg) * 3.6e6
    np.testing.assert_allclose(shift, 10 * early.pm_dec_mas, atol=1e-3)
    assert np.all(shift[~early.is_star] == 0)


def test_synthetic_reference_catalogues_have_their_surveys_errors():
    sky = SyntheticSky(7)
    sources = reference_sources(sky, [HERE, Circle(321.0, -0.4, 0.15)])
    assert len(np.unique(sources.id)) == len(sources)
    rows = {int(k): n for n, k in enumerate(sources.id)}
    ps1, gaia = ps1_catalog(sources, 7), gaia_catalog(sources, 7)
    truth = sources.moved(2014.75 - 2015.5)
    match = np.array([rows[int(k)] for k in ps1["id"]])
    bright = (truth.band("i")[match] < 18) & truth.is_star[match]
    east = (np.degrees(ps1["coord_ra"]) - truth.ra_deg[match])[bright] * 3.6e6
    north = (np.degrees(ps1["coord_dec"]) - truth.dec_deg[match])[bright] * 3.6e6
    assert east.std() == pytest.approx(8.0, rel=0.2)
    assert north.mean() == pytest.approx(-4.0, abs=2.0)
    magnitude = 31.4 - 2.5 * np.log10(np.asarray(ps1["r_flux"]))
    assert np.std((magnitude - truth.band("r")[match])[bright]) == pytest.approx(0.0054, rel=0.25)
    match = np.array([rows[int(k)] for k in gaia["id"]])
    assert truth.is_star[match].all()
    pull = (np.degrees(gaia["coord_dec"]) - sources.dec_deg[match]) * 3.6e6 / (np.degrees(gaia["coord_decErr"]) * 3.6e6)
    assert np.std(pull) == pytest.approx(1.0, rel=0.1)
    np.testing.assert_allclose(np.degrees(gaia["pm_dec"]) * 3.6e6, sources.pm_dec_mas[match], atol=25.0)


def test_errors_that_all_stars_of_a_catalogue_have_in_common_are_drawn_once_for_all():
    sources = reference_sources(SyntheticSky(7), [HERE])
    east, north, zeropoints = [], [], []
    for seed in range(40):
        plain, drawn = ps1_catalog(sources, 7), ps1_catalog(sources, 7)
        add_common_errors(drawn, seed, position_mas=0.2, magnitude=0.002)
        mas = np.degrees(1.0) * 3.6e6
        shift = (drawn["coord_ra"] - plain["coord_ra"]) * np.cos(plain["coord_dec"]) * mas
        assert np.ptp(shift) < 1e-3
        east.append(float(np.mean(shift)))
        north.append(float(np.mean(drawn["coord_dec"] - plain["coord_dec"])) * mas)
        ratio = np.asarray(drawn["r_flux"] / plain["r_flux"])
        zeropoints.append(2.5 * np.log10(np.nanmedian(ratio)))
        assert np.nanmax(ratio) - np.nanmin(ratio) < 1e-6
    assert np.std(east + north) == pytest.approx(0.2, rel=0.3)
    assert np.std(zeropoints) == pytest.approx(0.002, rel=0.4)


# ---- real catalogues --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_catalogs(shared_data):
    folder = shared_data / "hsc_refcats"
    if not folder.is_dir():
        pytest.skip("the real reference catalogues are absent: there is no ../shared/data/hsc_refcats")
    return folder


@pytest.fixture(scope="module")
def real_sky(real_catalogs):
    return CatalogSky(find_catalogs(real_catalogs), 11)


def _read_all(folder):
    import warnings

    from astropy.table import vstack

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return vstack([Table.read(path, hdu=1) for path in sorted(folder.glob("*.fits"))], metadata_conflicts="silent")


def _coordinates(table):
    return SkyCoord(np.asarray(table["coord_ra"]), np.asarray(table["coord_dec"]), unit="rad")


@pytest.mark.real_data
def test_stars_known_to_gaia_lie_at_gaias_places_at_the_epoch(real_catalogs, real_sky):
    gaia = _read_all(real_catalogs / "gaia_dr2_20200414")
    years = 2013.46 - 2015.5
    dec = np.asarray(gaia["coord_dec"])
    ra = np.asarray(gaia["coord_ra"]) + np.nan_to_num(np.ma.filled(gaia["pm_ra"], 0)) * years / np.cos(dec)
    at_epoch = SkyCoord(ra, dec + np.nan_to_num(np.ma.filled(gaia["pm_dec"], 0)) * years, unit="rad")
    sources = real_sky.sources(Circle(320.9, -0.38, 0.1), 2013.46)
    bright = sources[sources.is_star & (sources.band("r") < 18)]
    _, separation, _ = SkyCoord(bright.ra_deg, bright.dec_deg, unit="deg").match_to_catalog_sky(at_epoch)
    assert len(bright) > 800
    assert np.percentile(separation.mas, 95) < 0.05


@pytest.mark.real_data
def test_sources_unknown_to_gaia_lie_eight_mas_about_ps1s_places(real_catalogs, real_sky):
    ps1 = _read_all(real_catalogs / "ps1_pv3_3pi_20170110")
    rows = {int(k): n for n, k in enumerate(ps1["id"])}
    sources = real_sky.sources(Circle(320.9, -0.38, 0.1), 2013.46)
    still = sources[(sources.pm_ra_mas == 0) & np.isin(sources.id, np.asarray(ps1["id"]))]
    match = np.array([rows[int(k)] for k in still.id])
    north = (still.dec_deg - np.degrees(np.asarray(ps1["coord_dec"])[match])) * 3.6e6
    assert len(still) > 20_000
    # Quartiles: a few stars of Gaia have no proper motion, and lie where Gaia saw them.
    assert 0.7413 * np.subtract(*np.percentile(north, [75, 25])) == pytest.approx(8.0, rel=0.05)
    errors = np.ma.filled(ps1["i_fluxErr"], np.nan)[match]
    fluxes = np.ma.filled(ps1["i_flux"], np.nan)[match]
    measured = (errors > 0) & (fluxes > 10 * errors)
    pull = ((10 ** (0.4 * (31.4 - still.band("i"))) - fluxes) / np.where(measured, errors, 1.0))[measured]
    assert pull.std() == pytest.approx(1.0, rel=0.05)
    assert np.isfinite(sources.magnitudes).all()


@pytest.mark.real_data
def test_a_bright_star_of_gaia_is_in_the_sky_once_without_ps1s_fragments_of_it(real_catalogs, real_sky):
    gaia = _read_all(real_catalogs / "gaia_dr2_20200414")
    flux = np.ma.filled(gaia["phot_g_mean_flux"], np.nan)
    bright = _coordinates(gaia)[flux > 10 ** (0.4 * (31.4 - 13.0))]
    assert len(bright) > 20
    sources = real_sky.sources(Circle(320.9, -0.38, 0.01), 2015.5)
    sky = SkyCoord(sources.ra_deg, sources.dec_deg, unit="deg")
    star, around, _, _ = sky.search_around_sky(bright, 3.0 * units.arcsec)
    counts = np.bincount(star[sources.band("r")[around] < 17.0], minlength=len(bright))
    assert (counts >= 1).all()
    galaxies = around[~sources.is_star[around]]
    assert (sources.band("r")[galaxies] > 23.0).all()  # the synthetic background is everywhere


@pytest.mark.real_data
def test_twelve_ccds_lie_wholly_inside_the_real_triangles(hsc, real_catalogs, real_sky):
    visits = real_sky_ccds(real_sky.shards)
    assert sum(len(visit.ccds) for visit in visits) == 12
    assert sorted(visit.seeing_arcsec for visit in visits) == [0.5, 0.7, 1.0]
    assert {ccd for visit in visits for ccd in visit.ccds} & {100, 101, 102, 103}
    for visit in visits:
        for ccd in visit.ccds:
            wcs = TrueWcs.of(hsc, ccd, claimed_pointing(visit))
            x, y = (a.ravel() for a in np.meshgrid(np.linspace(-300, 2347, 6), np.linspace(-300, 4475, 9)))
            assert real_sky.covers(*wcs.pixel_to_sky(x, y)).all()
    assert spec_from_options(preset="real-sky", sky=real_catalogs).sky == str(real_catalogs.resolve())


@pytest.mark.real_data
def test_the_tutorials_ccds_lie_wholly_on_its_real_shards(hsc, real_sky):
    for visit in PRESETS["tutorial"]().visits:
        for ccd in visit.ccds:
            assert real_sky.covers(*TrueWcs.of(hsc, ccd, claimed_pointing(visit)).footprint(400.0)).all()


def test_a_folder_without_catalogues_is_refused_with_what_is_wanted(tmp_path):
    with pytest.raises(UsageError, match="no PS1 reference catalogue") as caught:
        find_catalogs(tmp_path)
    assert caught.value.code == "NO_SKY_CATALOG"


def test_the_circle_about_a_ccd_contains_its_corners(hsc):
    visit = PRESETS["tutorial"]().visits[0]
    wcs = TrueWcs.of(hsc, 16, claimed_pointing(visit))
    circle = sky_circle(wcs, 0.0)
    corners = SkyCoord(*wcs.footprint(), unit="deg")
    away = corners.separation(SkyCoord(circle.ra_deg, circle.dec_deg, unit="deg")).deg
    assert away.max() == pytest.approx(circle.radius_deg, rel=0.01)


@pytest.fixture
def drawn(real_catalogs, tmp_path):
    """The sky of real catalogues, and these catalogues with errors drawn about it."""
    sky = CatalogSky(find_catalogs(real_catalogs), 11)
    written = {}
    for folder in (sky.folders.ps1, sky.folders.gaia):
        target = tmp_path / folder.name
        write_drawn_catalog(folder, target, sky.bright, 11)
        written[folder.name[:4].rstrip("_")] = load_reference_catalog(target, 320.9, -0.38, 0.25, math.nan)
    return sky, written


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
@pytest.mark.parametrize(("name", "years"), [("ps1", (56930.0 - 57205.875) / 365.25), ("gaia", 0.0)])
def test_a_drawn_catalogue_scatters_about_the_sky_as_it_claims(drawn, name, years):
    sky, written = drawn
    catalog, truth = written[name], sky.bright.moved(years)
    found, distance, _ = SkyCoord(catalog.ra_deg, catalog.dec_deg, unit="deg").match_to_catalog_sky(
        SkyCoord(truth.ra_deg, truth.dec_deg, unit="deg")
    )
    near = distance.arcsec < 0.1
    assert near.mean() > (0.6 if name == "ps1" else 0.95)
    off = (catalog.dec_deg - truth.dec_deg[found])[near] * 3.6e6
    stated = np.hypot(catalog.dec_error_mas[near], catalog.systematic_floor_mas)
    if name == "gaia":  # the least error that the loader believes is larger than the one that bright stars claim
        faint = catalog.dec_error_mas[near] > 0.35
        off, stated = off[faint], stated[faint]
    assert np.std(off / stated) == pytest.approx(1.0, abs=0.1)
    assert len(off) > 300
