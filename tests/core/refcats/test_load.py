"""Loading: real shards against plain astropy, units and spellings of all versions, proper motions, missing files."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from scipy.spatial import cKDTree

from safelight.errors import ConfigurationError, DatasetNotFound, RepositoryError
from safelight.exposure import tan_project
from safelight.refcats import catalog_shards, catalog_summary, load_reference_catalog, write_shards

PS1, GAIA = "ps1_pv3_3pi_20170110", "gaia_dr2_20200414"
CENTRE = SkyCoord(320.9, -0.38, unit="deg")
EPOCH = 56598.26


@pytest.fixture
def catalogs(shared_data: Path) -> Path:
    return shared_data / "hsc_refcats"


def _plain(root: Path) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [Table.read(root / f"{number}.fits", hdu=1) for number in (189584, 189648)]
    columns = {n: np.concatenate([np.ma.filled(np.ma.asarray(p[n])) for p in parts]) for n in parts[0].colnames}
    return Table({n: c.astype(c.dtype.newbyteorder("=")) for n, c in columns.items()})


def _small(root: Path, **extra: object) -> Path:
    """A catalogue of four stars around RA 0, Dec 0, which lie in four triangles."""
    table = Table(
        {
            "id": [1, 2, 3, 4],
            "coord_ra": np.radians([0.1, 0.1, 359.9, 359.9]),
            "coord_dec": np.radians([0.1, -0.1, 0.1, -0.1]),
            "r_flux": [1e5, 2e5, 3e5, np.nan],
            "r_fluxErr": [1e3, 2e3, 0.0, np.nan],
        }
        | extra  # type: ignore[dict-item]
    )
    return write_shards(table, root, "small").root


@pytest.mark.parametrize("name", [PS1, GAIA])
@pytest.mark.parametrize("radius", [0.05, 0.25])
def test_the_stars_of_a_circle_are_those_that_astropy_finds(catalogs: Path, name: str, radius: float) -> None:
    catalog = load_reference_catalog(catalogs / name, CENTRE.ra.deg, CENTRE.dec.deg, radius)
    plain = _plain(catalogs / name)
    positions = SkyCoord(plain["coord_ra"], plain["coord_dec"], unit="rad")
    plain = plain[positions.separation(CENTRE).deg <= radius]
    assert len(catalog) == len(plain) > 50
    plain.sort("id")
    order = np.argsort(catalog.id)
    np.testing.assert_array_equal(catalog.id[order], plain["id"])
    np.testing.assert_allclose(catalog.ra_deg[order], np.degrees(plain["coord_ra"]), atol=1e-12)
    np.testing.assert_allclose(catalog.dec_deg[order], np.degrees(plain["coord_dec"]), atol=1e-12)
    for band, flux in catalog.flux_njy.items():
        expected = np.where(plain[f"{band}_flux"] == 0, np.nan, plain[f"{band}_flux"])
        np.testing.assert_array_equal(flux[order], expected)
    assert catalog.rows is not None
    assert set(catalog.rows.colnames) >= set(plain.colnames) - {"flags"}
    np.testing.assert_array_equal(catalog.rows["id"], catalog.id)
    assert catalog.missing_shards == ()
    assert [Path(shard).stem for shard in catalog.shards] == ["189584", "189648"]


def test_gaias_stars_are_moved_to_the_epoch_as_astropy_moves_them(catalogs: Path) -> None:
    catalog = load_reference_catalog(catalogs / GAIA, CENTRE.ra.deg, CENTRE.dec.deg, 0.25, EPOCH)
    still = load_reference_catalog(catalogs / GAIA, CENTRE.ra.deg, CENTRE.dec.deg, 0.25)
    rows = still.rows
    assert rows is not None
    np.testing.assert_array_equal(catalog.id, still.id)
    measured = np.asarray(rows["pm_raErr"]) > 0
    assert 0.8 < measured.mean() < 1
    epoch = Time(np.asarray(rows["epoch"])[0], format="mjd", scale="tai")
    moving = SkyCoord(
        ra=still.ra_deg * u.deg,
        dec=still.dec_deg * u.deg,
        pm_ra_cosdec=np.asarray(rows["pm_ra"]) * u.rad / u.yr,
        pm_dec=np.asarray(rows["pm_dec"]) * u.rad / u.yr,
        obstime=epoch,
        distance=10 * u.kpc,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth = moving.apply_space_motion(new_obstime=Time(EPOCH, format="mjd", scale="tai"))
    found = SkyCoord(catalog.ra_deg, catalog.dec_deg, unit="deg")
    assert found.separation(truth).mas.max() < 0.01
    shift = found.separation(SkyCoord(still.ra_deg, still.dec_deg, unit="deg")).mas
    assert shift[~measured].max() < 1e-6
    assert np.median(shift[measured]) > 5
    assert catalog.epoch_mjd_tai == EPOCH
    assert np.isnan(still.epoch_mjd_tai)
    years = (epoch.mjd - EPOCH) / 365.25
    expected = np.hypot(
        still.ra_error_mas, np.where(measured, np.asarray(rows["pm_raErr"]) * u.rad.to(u.mas), 7.0) * years
    )
    np.testing.assert_allclose(catalog.ra_error_mas, expected, rtol=1e-6)


def test_nothing_of_ps1s_odd_columns_is_applied(catalogs: Path) -> None:
    catalog = load_reference_catalog(catalogs / PS1, CENTRE.ra.deg, CENTRE.dec.deg, 0.1)
    observed = load_reference_catalog(catalogs / PS1, CENTRE.ra.deg, CENTRE.dec.deg, 0.1, EPOCH)
    np.testing.assert_array_equal(observed.ra_deg, catalog.ra_deg)
    np.testing.assert_array_equal(observed.dec_deg, catalog.dec_deg)
    rows = catalog.rows
    assert rows is not None
    assert np.count_nonzero(rows["pm_ra"]) > 100
    np.testing.assert_allclose(catalog.ra_deg, np.degrees(rows["coord_ra"]), atol=1e-12)
    assert np.isnan(catalog.epoch_mjd_tai)
    assert set(catalog.ra_error_mas) == set(catalog.dec_error_mas) == {10.0}
    stated = load_reference_catalog(catalogs / PS1, CENTRE.ra.deg, CENTRE.dec.deg, 0.1, position_error_floor_mas=25)
    assert set(stated.dec_error_mas) == {25.0}


def test_errors_grow_with_time_where_motions_are_unknown(catalogs: Path) -> None:
    at = [
        load_reference_catalog(catalogs / PS1, CENTRE.ra.deg, CENTRE.dec.deg, 0.1, mjd) for mjd in (56930, 56598, 60000)
    ]
    assert [round(float(catalog.ra_error_mas[0]), 1) for catalog in at] == [10.0, 11.9, 59.7]
    assert [round(catalog.systematic_floor_mas, 1) for catalog in at] == [3.0, 4.7, 33.8]
    assert [catalog.assumed_error_mas for catalog in at] == [catalog.ra_error_mas[0] for catalog in at]
    gaia = load_reference_catalog(catalogs / GAIA, CENTRE.ra.deg, CENTRE.dec.deg, 0.1, 60000)
    assert gaia.systematic_floor_mas == 0.2
    assert np.median(gaia.ra_error_mas) < 20
    assert gaia.assumed_error_mas == 0.0  # Gaia states its errors and motions


@pytest.mark.parametrize("year", [2012.5, 2013.46, 2013.84, 2014.75])
def test_what_ps1s_stars_have_in_common_is_what_they_are_off_gaias_on_a_ccd(catalogs: Path, year: float) -> None:
    mjd = 51544.5 + (year - 2000.0) * 365.25
    ps1 = load_reference_catalog(catalogs / PS1, CENTRE.ra.deg, -1.8, 1.4, mjd)
    gaia = load_reference_catalog(catalogs / GAIA, CENTRE.ra.deg, -1.8, 1.4, mjd)
    good = gaia.ra_error_mas < 5.0
    ours = np.column_stack(tan_project(ps1.ra_deg, ps1.dec_deg, CENTRE.ra.deg, -1.8)) * 3.6e6
    theirs = np.column_stack(tan_project(gaia.ra_deg, gaia.dec_deg, CENTRE.ra.deg, -1.8))[good] * 3.6e6
    distance, nearest = cKDTree(ours).query(theirs, distance_upper_bound=200)
    matched = np.isfinite(distance)
    theirs, off = theirs[matched], ours[nearest[matched]] - theirs[matched]
    cells = np.floor(theirs / 3.6e6 / (0.1, 0.2)).astype(int)  # the size of a CCD
    _, cell, stars = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    medians = [np.median(off[cell.ravel() == k], axis=0) for k in np.flatnonzero(stars >= 30)]
    assert len(medians) > 12
    assert np.sqrt(np.mean(np.square(medians))) == pytest.approx(ps1.systematic_floor_mas, rel=0.25)


def test_ps1_and_gaia_agree_to_some_milliarcseconds(catalogs: Path) -> None:
    epoch = 56930.0
    ps1 = load_reference_catalog(catalogs / PS1, CENTRE.ra.deg, CENTRE.dec.deg, 0.3, epoch)
    gaia = load_reference_catalog(catalogs / GAIA, CENTRE.ra.deg, CENTRE.dec.deg, 0.3, epoch)
    good = gaia.ra_error_mas < 5
    ours = np.column_stack(tan_project(ps1.ra_deg, ps1.dec_deg, CENTRE.ra.deg, CENTRE.dec.deg)) * 3.6e6
    theirs = np.column_stack(tan_project(gaia.ra_deg, gaia.dec_deg, CENTRE.ra.deg, CENTRE.dec.deg))[good] * 3.6e6
    distance, nearest = cKDTree(ours).query(theirs, distance_upper_bound=200)
    matched = np.isfinite(distance)
    assert matched.mean() > 0.9
    difference = ours[nearest[matched]] - theirs[matched]
    scatter = 1.4826 * np.median(np.abs(difference - np.median(difference, axis=0)), axis=0)
    assert (scatter < 10).all()
    assert (np.abs(np.median(difference, axis=0)) < 3).all()


@pytest.mark.parametrize("version", [0, 1, 2])
def test_fluxes_are_njy_whatever_the_format_version(tmp_path: Path, version: int) -> None:
    table = Table({"id": [1], "coord_ra": [0.1], "coord_dec": [0.2], "g_flux": [3631.0], "g_fluxErr": [36.31]})
    root = write_shards(table, tmp_path, "c", format_version=version).root
    stored = fits.getdata(next(p for p in root.glob("*.fits") if p.stem.isdigit()))
    assert stored["g_flux"][0] == pytest.approx(3631.0 if version else 3631e-9)
    catalog = load_reference_catalog(root, np.degrees(0.1), np.degrees(0.2), 0.01)
    assert catalog.flux_njy["g"][0] == pytest.approx(3631.0)
    assert catalog.flux_error_njy["g"][0] == pytest.approx(36.31)
    assert catalog.magnitude("g")[0] == pytest.approx(22.5, abs=1e-3)


def _old_style(root: Path, *, version: int | None, config: str | None, unit: str | None) -> Path:
    """A catalogue as other programs write it, with one star of 1 (of whatever unit)."""
    root.mkdir()
    column = fits.Column("i_flux", "D", unit=unit, array=[1.0])
    error = fits.Column("i_fluxSigma", "D", array=[0.1])
    place = [fits.Column(n, "D", array=[v]) for n, v in (("coord_ra", 0.1), ("coord_dec", 0.2))]
    hdu = fits.BinTableHDU.from_columns([fits.Column("id", "K", array=[7]), *place, column, error])
    if version is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hdu.header["HIERARCH REFCAT_FORMAT_VERSION"] = version
    from safelight.refcats import shard_of

    hdu.writeto(root / f"{shard_of([np.degrees(0.1)], [np.degrees(0.2)])[0]}.fits")
    if config is not None:
        (root / "config.py").write_text(config)
    return root


@pytest.mark.parametrize(
    ("version", "config", "unit", "njy"),
    [
        (None, None, None, 1e9),
        (None, "config.format_version=0\n", None, 1e9),
        (None, "config.format_version=1\n", None, 1.0),
        (1, "config.format_version=0\n", None, 1.0),
        (2, None, None, 1.0),
        (None, None, "nJy", 1.0),
        (1, None, "Jy", 1e9),
    ],
)
def test_the_unit_is_told_by_column_then_header_then_config(
    tmp_path: Path, version: int | None, config: str | None, unit: str | None, njy: float
) -> None:
    root = _old_style(tmp_path / "old", version=version, config=config, unit=unit)
    catalog = load_reference_catalog(root, np.degrees(0.1), np.degrees(0.2), 0.01)
    assert catalog.flux_njy["i"][0] == njy
    assert catalog.name == "old"


def test_missing_fluxes_and_errors_are_nan(tmp_path: Path) -> None:
    catalog = load_reference_catalog(_small(tmp_path), 0.0, 0.0, 0.5)
    by_id = dict(zip(catalog.id.tolist(), catalog.flux_error_njy["r"].tolist(), strict=True))
    assert by_id[1] == 1e3
    assert np.isnan(by_id[3])
    magnitudes = catalog.magnitude("r")
    assert np.isnan(magnitudes).sum() == 1


def test_a_circle_across_ra_0_is_whole_and_its_rim_is_exact(tmp_path: Path) -> None:
    root = _small(tmp_path)
    assert sorted(load_reference_catalog(root, 0.0, 0.0, 0.2).id) == [1, 2, 3, 4]
    assert sorted(load_reference_catalog(root, 359.95, 0.1, 0.16).id) == [1, 3]
    assert sorted(load_reference_catalog(root, 360.0, 0.1, 0.1001).id) == [1, 3]
    assert len(load_reference_catalog(root, 0.0, 0.0, 0.1)) == 0


def test_missing_shards_are_named_and_only_their_total_absence_is_an_error(tmp_path: Path) -> None:
    root = _small(tmp_path)
    shards = catalog_summary(root).shards
    assert len(shards) == 4
    (root / f"{shards[0]}.fits").unlink()
    catalog = load_reference_catalog(root, 0.0, 0.0, 0.15)
    assert shards[0] in catalog.missing_shards
    there, missing = catalog_shards(root, 0.0, 0.0, 0.15)
    assert (tuple(there), missing) == (shards[1:], catalog.missing_shards)
    assert len(catalog) == 3
    with pytest.raises(
        DatasetNotFound, match=r"has no shard within 0\.100 degrees of RA 50\.0000 Dec \+20\.0000"
    ) as caught:
        load_reference_catalog(root, 50.0, 20.0, 0.1)
    assert caught.value.code == "MISSING_SHARDS"
    with pytest.raises(DatasetNotFound) as caught:
        load_reference_catalog(tmp_path / "none", 0, 0, 1)
    assert caught.value.code == "NO_REFERENCE_CATALOG"


def test_depth_and_version_are_read_from_the_config_without_running_it(tmp_path: Path) -> None:
    table = Table({"id": [1], "coord_ra": [0.1], "coord_dec": [0.2]})
    root = write_shards(table, tmp_path, "deep", depth=10).root
    number = catalog_summary(root).shards[0]
    assert 8 * 4**10 <= number < 16 * 4**10
    assert len(load_reference_catalog(root, np.degrees(0.1), np.degrees(0.2), 0.01)) == 1
    (root / "config.py").write_text("import os\nos.remove('config.py')\nconfig.format_version=1\n")
    with pytest.raises(ConfigurationError, match=r"line 2.*os\.remove"):
        load_reference_catalog(root, np.degrees(0.1), np.degrees(0.2), 0.01)
    (root / "config.py").write_text("config.indexer.name='HEALPIX'\n")
    with pytest.raises(ConfigurationError, match="HEALPIX"):
        load_reference_catalog(root, np.degrees(0.1), np.degrees(0.2), 0.01)


@pytest.mark.parametrize("damage", ["truncated", "text", "no table"])
def test_a_damaged_shard_is_named(tmp_path: Path, damage: str) -> None:
    root = _small(tmp_path)
    path = root / f"{catalog_summary(root).shards[0]}.fits"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:5770])
    elif damage == "text":
        path.write_text("no catalogue " * 500)
    else:
        fits.PrimaryHDU(np.zeros((3, 3))).writeto(path, overwrite=True)
    with pytest.raises(RepositoryError, match=path.name) as caught:
        load_reference_catalog(root, 0.0, 0.0, 0.5)
    assert caught.value.code == "BAD_SHARD"


def test_a_replaced_shard_is_read_anew(tmp_path: Path) -> None:
    root = _small(tmp_path)
    assert len(load_reference_catalog(root, 0.0, 0.0, 0.5)) == 4
    shutil.rmtree(root)
    _small(tmp_path, id=[11, 12, 13, 14])
    assert sorted(load_reference_catalog(root, 0.0, 0.0, 0.5).id) == [11, 12, 13, 14]


def test_motions_are_believed_only_with_units_errors_and_dates(tmp_path: Path) -> None:
    moving = {
        "epoch": np.full(4, 57205.875), "pm_ra": np.full(4, 1e-6), "pm_dec": np.zeros(4),
        "pm_raErr": np.full(4, 1e-9, np.float32), "pm_decErr": np.full(4, 1e-9, np.float32),
        "pm_flag": [False, False, True, False],
    }  # fmt: skip

    def shifts(**changes: object) -> np.ndarray:
        root = _small(tmp_path, **(moving | changes))
        still, moved = (load_reference_catalog(root, 0.0, 0.0, 0.5, epoch) for epoch in (np.nan, EPOCH))
        shutil.rmtree(root)
        order = np.argsort(moved.id)
        return ((moved.ra_deg - still.ra_deg + 180) % 360 - 180)[order]

    expected = np.degrees(1e-6) * (EPOCH - 57205.875) / 365.25 / np.cos(np.radians(0.1))
    np.testing.assert_allclose(shifts(), [expected, expected, 0, expected], atol=1e-12)
    assert not shifts(epoch=np.full(4, 1361152384.0)).any()  # Unix seconds
    assert not shifts(pm_raErr=np.zeros(4, np.float32)).any()  # no errors
    assert not shifts(pm_ra=np.full(4, 1.0)).any()  # 57 degrees a year
