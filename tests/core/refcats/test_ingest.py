"""Making catalogues from what observers have: every format, every mistake, and nothing half-made."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.time import Time

from safelight.errors import ConfigurationError, RepositoryError, UsageError
from safelight.refcats import (
    catalog_summary,
    ingest_reference_catalog,
    load_ingest_config,
    load_reference_catalog,
    write_shards,
)

COLUMNS = ["ra_name=RA", "dec_name=DE", "id_name=star", "mag_column_list=g,r", "mag_err_column_map=g:e_g,r:e_r",
           "dataset_config.ref_dataset_name=mine"]  # fmt: skip


def _table(n: int = 50) -> Table:
    rng = np.random.default_rng(3)
    g = rng.uniform(14, 20, n)
    g[3] = np.nan
    return Table(
        {
            "star": np.arange(100, 100 + n),
            "RA": 10.0 + rng.uniform(-0.5, 0.5, n),
            "DE": -20.0 + rng.uniform(-0.5, 0.5, n),
            "g": g,
            "r": rng.uniform(14, 20, n),
            "e_g": np.full(n, 0.01),
            "e_r": np.full(n, 0.02),
            "name": [f"star {k}" for k in range(n)],
        }
    )


def _write(table: Table, folder: Path, suffix: str) -> Path:
    path = folder / f"stars{suffix}"
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
        import pyarrow as pa
        import pyarrow.parquet as parquet

        parquet.write_table(pa.table({name: np.asarray(table[name]) for name in table.colnames}), path)
    else:
        kind = {".fits": "fits", ".csv": "ascii.csv", ".tsv": "ascii.tab", ".ecsv": "ascii.ecsv", ".vot": "votable"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table.write(path, format=kind[suffix])
    return path


@pytest.mark.parametrize("suffix", [".fits", ".csv", ".tsv", ".ecsv", ".vot", ".parquet"])
def test_every_format_gives_the_same_catalogue(tmp_path: Path, suffix: str) -> None:
    table = _table()
    path = _write(table, tmp_path, suffix)
    summary = ingest_reference_catalog([path], tmp_path / "ref_cats", load_ingest_config(None, COLUMNS))
    assert (summary.rows, summary.dropped) == (50, 0)
    catalog = load_reference_catalog(tmp_path / "ref_cats" / "mine", 10.0, -20.0, 1.0)
    order = np.argsort(catalog.id)
    np.testing.assert_array_equal(catalog.id[order], table["star"])
    np.testing.assert_allclose(catalog.ra_deg[order], table["RA"], atol=1e-12)
    np.testing.assert_allclose(catalog.magnitude("g")[order], table["g"], atol=1e-9)
    np.testing.assert_allclose(
        catalog.flux_error_njy["r"][order] / catalog.flux_njy["r"][order], 0.02 * np.log(10) / 2.5, rtol=1e-9
    )


def test_what_is_written_is_a_clean_fits_table_for_others(tmp_path: Path) -> None:
    table = _table()
    table["resolved_flag"] = np.arange(50) % 2
    config = load_ingest_config(None, [*COLUMNS, "is_resolved_name=resolved_flag", "extra_col_names=name"])
    root = ingest_reference_catalog([_write(table, tmp_path, ".fits")], tmp_path, config).root
    paths = [path for path in root.glob("*.fits") if path.stem.isdigit()]
    rows = 0
    for path in [*paths, root / "master_schema.fits"]:
        with fits.open(path) as hdus:
            hdus.verify("exception")
            assert hdus[1].header["REFCAT_FORMAT_VERSION"] == 1
            assert hdus[1].header["TFLAG1"] == "resolved"
            data = hdus[1].data
            assert data.columns["r_flux"].unit == "nJy"
            rows += len(data)
            for row in data:
                k = row["id"] - 100
                assert bool(row["flags"][0]) == bool(k % 2)
                assert row["name"] == f"star {k}"
    assert rows == 50
    assert len(fits.getdata(root / "master_schema.fits")) == 0
    catalog = load_reference_catalog(root, 10.0, -20.0, 1.0)
    assert catalog.rows is not None
    np.testing.assert_array_equal(catalog.rows["resolved"], catalog.id % 2 == 1)


def test_motions_errors_epochs_and_parallaxes_arrive_in_radians_and_mjd(tmp_path: Path) -> None:
    table = _table()
    n = len(table)
    table["e_RA"], table["e_DE"] = np.full(n, 0.5), np.full(n, 0.7)
    table["pmRA"], table["pmDE"] = MaskedColumn(np.full(n, 100.0), mask=np.arange(n) == 5), np.full(n, -50.0)
    table["e_pm"], table["ep"], table["plx"], table["e_plx"] = (
        np.full(n, 1.0),
        np.full(n, 2015.5),
        np.full(n, 2.0),
        np.full(n, 0.1),
    )
    config = load_ingest_config(
        None,
        [*COLUMNS, "ra_err_name=e_RA", "dec_err_name=e_DE", "coord_err_unit=mas", "pm_ra_name=pmRA", "pm_dec_name=pmDE",
         "pm_ra_err_name=e_pm", "pm_dec_err_name=e_pm", "epoch_name=ep", "epoch_format=jyear", "epoch_scale=tcb",
         "parallax_name=plx", "parallax_err_name=e_plx"],
    )  # fmt: skip
    root = ingest_reference_catalog([_write(table, tmp_path, ".ecsv")], tmp_path, config).root
    epoch = Time(2015.5, format="jyear", scale="tcb").tai.mjd
    catalog = load_reference_catalog(root, 10.0, -20.0, 1.0, epoch + 3652.5)
    rows = catalog.rows
    assert rows is not None
    np.testing.assert_allclose(rows["epoch"], epoch, atol=1e-9)
    np.testing.assert_allclose(rows["parallax"], np.radians(2.0 / 3.6e6), rtol=1e-12)
    still = load_reference_catalog(root, 10.0, -20.0, 1.0)
    shift = (catalog.dec_deg - still.dec_deg) * 3.6e6
    moving = catalog.id != 105
    np.testing.assert_allclose(shift[moving], -500.0, atol=0.01)
    assert shift[~moving] == pytest.approx([0.0])
    np.testing.assert_allclose(still.dec_error_mas, 0.7, rtol=1e-6)
    np.testing.assert_allclose(catalog.dec_error_mas[moving], np.hypot(0.7, 10.0), rtol=1e-6)


def test_the_real_tycho_and_skymapper_lists_are_ingested(shared_data: Path, tmp_path: Path) -> None:
    tycho = load_ingest_config(
        None, ["ra_name=ra", "dec_name=dec", "mag_column_list=vt", "dataset_config.ref_dataset_name=t"]
    )
    summary = ingest_reference_catalog([shared_data / "tres1" / "tycho2.csv"], tmp_path, tycho)
    plain = Table.read(shared_data / "tres1" / "tycho2.csv", format="ascii.csv")
    catalog = load_reference_catalog(summary.root, 286.04, 36.63, 3.0)
    assert len(catalog) == summary.rows == len(plain)
    np.testing.assert_array_equal(np.sort(catalog.id), np.arange(1, len(plain) + 1))
    np.testing.assert_allclose(np.sort(catalog.magnitude("vt")), np.sort(plain["vt"]), atol=1e-9)

    sky = load_ingest_config(
        None,
        {"ra_name": "raj2000", "dec_name": "dej2000", "id_name": "object_id", "ra_err_name": "e_raj2000",
         "dec_err_name": "e_dej2000", "coord_err_unit": "mas", "mag_column_list": ["g_psf", "r_psf"],
         "mag_err_column_map": {"g_psf": "e_g_psf", "r_psf": "e_r_psf"},
         "dataset_config.ref_dataset_name": "skymapper"},
    )  # fmt: skip
    root = ingest_reference_catalog([shared_data / "huntsman" / "skymapper.csv"], tmp_path, sky).root
    stars = load_reference_catalog(root, 65.2, -54.95, 5.0)
    raw = Table.read(shared_data / "huntsman" / "skymapper.csv", format="ascii.csv")
    assert len(stars) == len(raw) == 676
    missing = np.asarray(np.ma.getmaskarray(np.ma.asarray(raw["g_psf"]))) | ~np.isfinite(
        np.ma.filled(np.ma.asarray(raw["g_psf"]), np.nan)
    )
    assert np.isnan(stars.flux_njy["g_psf"]).sum() == missing.sum()


def test_rows_without_a_position_are_dropped_and_counted(tmp_path: Path) -> None:
    table = _table()
    table["RA"][4] = np.nan
    summary = ingest_reference_catalog([_write(table, tmp_path, ".csv")], tmp_path, load_ingest_config(None, COLUMNS))
    assert (summary.rows, summary.dropped) == (49, 1)


@pytest.mark.parametrize("processes", [1, 2])
def test_several_files_make_one_catalogue(tmp_path: Path, processes: int) -> None:
    table = _table()
    first, second = tmp_path / "one.csv", tmp_path / "two.csv"
    table[:20].write(first, format="ascii.csv")
    table[20:].write(second, format="ascii.csv")
    config = load_ingest_config(None, [*COLUMNS, f"n_processes={processes}"])
    assert ingest_reference_catalog([first, second], tmp_path, config).rows == 50
    with pytest.raises(UsageError, match="50 ids occur more than once") as caught:
        ingest_reference_catalog([first, second, first, second], tmp_path, config, replace=True)
    assert caught.value.code == "DUPLICATE_IDS"


def test_text_without_a_line_of_names_is_read_with_stated_ones(tmp_path: Path) -> None:
    path = tmp_path / "stars.txt"
    path.write_text("a list of stars\n10.0 -20.0 15.5\n10.1 -20.1 16.5\n")
    config = load_ingest_config(
        None,
        {"ra_name": "ra", "dec_name": "dec", "mag_column_list": ["V"], "file_reader.header_lines": 1,
         "file_reader.colnames": ["ra", "dec", "V"], "file_reader.delimiter": " "},
    )  # fmt: skip
    root = ingest_reference_catalog([path], tmp_path, config).root
    catalog = load_reference_catalog(root, 10.0, -20.0, 0.5)
    np.testing.assert_allclose(np.sort(catalog.magnitude("V")), [15.5, 16.5])


def test_a_gen2_configuration_file_is_read_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    path.write_text(
        "# Gaia\n"
        "from lsst.meas.algorithms.readFitsCatalogTask import ReadFitsCatalogTask\n"
        "config.dataset_config.ref_dataset_name = 'gaia'\n"
        "config.dataset_config.indexer['HTM'].depth = 8\n"
        "config.dataset_config.indexer.name = 'HTM'\n"
        "config.file_reader.retarget(ReadFitsCatalogTask)\n"
        "config.ra_name = 'ra'\nconfig.dec_name = 'dec'\n"
        "config.mag_column_list = ['g', 'bp']\n"
        "config.mag_err_column_map = {'g': 'g_err', 'bp': 'bp_err'}\n"
    )
    config = load_ingest_config(path, ["ra_name=RAJ2000"])
    assert config.dataset_config.ref_dataset_name == "gaia"
    assert config.dataset_config.depth == 8
    assert config.file_reader.format == "fits"
    assert config.mag_column_list == ("g", "bp")
    assert (config.ra_name, config.dec_name) == ("RAJ2000", "dec")
    path.write_text(path.read_text() + "import os\nos.system('true')\n")
    with pytest.raises(ConfigurationError, match=r"line 12: \"os\.system"):
        load_ingest_config(path)


def test_a_yaml_configuration_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tycho.yaml"
    path.write_text("ra_name: ra\ndec_name: dec\ndataset_config: {ref_dataset_name: tycho2}\nmag_column_list: [vt]\n")
    config = load_ingest_config(path)
    assert (config.dataset_config.ref_dataset_name, config.mag_column_list) == ("tycho2", ("vt",))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["ra_name=ra"], "dec_name is missing"),
        (["ra_name=ra", "dec_name=dec", "mag_columns=g"], "did you mean mag_column_list"),
        (["ra_name=ra", "dec_name=dec", "dataset_config.format_version=3"], "dataset_config.format_version is '3'"),
        (["ra_name=ra", "dec_name=dec", "mag_column_list=g,r", "mag_err_column_map=g:e"], "for every column"),
        (["ra_name=ra", "dec_name=dec", "ra_err_name=e", "dec_err_name=e"], "coord_err_unit must be given"),
        (["ra_name=ra", "dec_name=dec", "pm_ra_name=p"], "given together"),
        (["ra_name=ra", "dec_name=dec", "dataset_config.ref_dataset_name=a/b"], "ref_dataset_name is 'a/b'"),
        (["ra_name"], "not of the form name=value"),
    ],
)
def test_a_mistaken_configuration_is_answered_in_a_sentence(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words.replace("'", ".")) as caught:
        load_ingest_config(None, overrides)
    assert caught.value.code == "BAD_INGEST_CONFIG"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"ra_name": "RAJ"}, ConfigurationError, "has no column RAJ; it has star, RA, DE"),
        ({"ra_name": "name"}, UsageError, "name does not hold numbers"),
        ({"id_name": "name"}, UsageError, "not one of whole numbers"),
        ({"dec_name": "big"}, UsageError, "must be degrees"),
        (
            {"ra_err_name": "e_g", "dec_err_name": "e_g", "coord_err_unit": "deg"},
            ConfigurationError,
            "no catalogue has",
        ),
        (
            {"ra_err_name": "e_g", "dec_err_name": "e_g", "coord_err_unit": "mag"},
            ConfigurationError,
            "must be an angle",
        ),
    ],
)
def test_columns_that_cannot_be_what_they_are_said_to_be_are_refused(
    tmp_path: Path, changes: dict[str, str], error: Any, words: str
) -> None:
    table = _table()
    table["big"] = np.linspace(0, 1000, 50)
    path = _write(table, tmp_path, ".csv")
    config = load_ingest_config(None, [*COLUMNS, *(f"{key}={value}" for key, value in changes.items())])
    with pytest.raises(error, match=words):
        ingest_reference_catalog([path], tmp_path / "ref_cats", config)
    assert not (tmp_path / "ref_cats").exists()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", None, "CATALOG_NOT_FOUND"),
        ("a.fits", b"text", "CATALOG_UNREADABLE"),
        ("a.vot", b"<a>", "CATALOG_UNREADABLE"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: bytes | None, code: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=name) as caught:
        ingest_reference_catalog([path], tmp_path, load_ingest_config(None, COLUMNS))
    assert caught.value.code == code


def test_an_existing_catalogue_is_replaced_only_when_that_is_said(tmp_path: Path) -> None:
    path = _write(_table(), tmp_path, ".csv")
    config = load_ingest_config(None, COLUMNS)
    root = ingest_reference_catalog([path], tmp_path, config).root
    with pytest.raises(RepositoryError) as caught:
        ingest_reference_catalog([path], tmp_path, config)
    assert caught.value.code == "CATALOG_EXISTS"
    smaller = tmp_path / "few.csv"
    _table()[:5].write(smaller, format="ascii.csv")
    ingest_reference_catalog([smaller], tmp_path, config, replace=True)
    assert catalog_summary(root).rows == 5
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_failure_half_way_leaves_the_old_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_shards(Table({"id": [1], "coord_ra": [0.1], "coord_dec": [0.2]}), tmp_path, "c").root
    from safelight.refcats import ingest

    written: list[Path] = []
    original = ingest.put_file

    def failing(path: Path, content: bytes) -> None:
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        original(path, content)

    monkeypatch.setattr(ingest, "put_file", failing)
    table = Table({"id": [1, 2, 3], "coord_ra": [0.1, 1.1, 2.1], "coord_dec": [0.2, 0.3, 0.4]})
    with pytest.raises(RepositoryError, match="No space left on device"):
        write_shards(table, tmp_path, "c", replace=True)
    assert len(written) == 2
    assert catalog_summary(root).rows == 1
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_summary_says_what_a_catalogue_holds(shared_data: Path) -> None:
    summary = catalog_summary(shared_data / "hsc_refcats" / "gaia_dr2_20200414")
    assert (summary.rows, summary.shards, summary.format_version) == (2762 + 2977, (189584, 189648), 1)
    assert summary.bands == ("phot_g_mean", "phot_bp_mean", "phot_rp_mean")
    assert summary.has_proper_motions
