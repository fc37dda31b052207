"""Twelve frames of HSC on the real sky of PS1 and Gaia, through the real runner, against the simulator's truth.

Four CCDs (two at the centre of the field, two at its edge, one of which is turned by 90 degrees) are seen in three
seeings each, in two filters, under six pointings whose header is wrong. What the pipeline is given are the catalogues
as they are; where the stars truly stood and how bright they truly were, only the simulator knows.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from safelight.calibrate.config import PhotoCalConfig
from safelight.commands.main import main as safelight
from safelight.commands.processccd import main as process_ccd
from safelight.exposure import Exposure
from safelight.exposure.fits import read_exposure
from safelight.exposure.wcs import angular_separation
from safelight.simulate import MasterSpec, NightSpec, VisitSpec, simulate_night
from safelight.simulate.truth import StoredTruth, cosmic_ray_mask, read_truth, true_wcs, truth_file

pytestmark = pytest.mark.real_data

Floats = NDArray[np.float64]
CENTRE, EDGE = (49, 50), (23, 100)
DATES = {"HSC-R": ("2013-06-17", "13:00:00"), "HSC-I": ("2013-11-02", "05:50:00")}
#: visit: filter, CCDs, seeing in arcsec, claimed RA and Dec, INST-PA in degrees
VISITS = {
    905100: ("HSC-R", CENTRE, 0.5, 320.83, -0.18, 0.0),
    905102: ("HSC-I", CENTRE, 0.7, 321.02, -0.37, 90.0),
    905104: ("HSC-R", CENTRE, 1.0, 320.91, -0.46, 30.0),
    905106: ("HSC-I", EDGE, 0.5, 320.27, 0.04, 0.0),
    905108: ("HSC-R", EDGE, 0.7, 321.45, -0.89, 180.0),
    905110: ("HSC-I", EDGE, 1.0, 320.51, -0.81, 90.0),
}
FRAMES = [(visit, ccd) for visit, (_, ccds, *_) in VISITS.items() for ccd in ccds]
PS1 = "ps1_pv3_3pi_20170110"


def _night(sky: Path) -> NightSpec:
    visits = tuple(
        VisitSpec(visit, name, ccds, *DATES[name], ra, dec, pa, seeing_arcsec=seeing)
        for visit, (name, ccds, seeing, ra, dec, pa) in VISITS.items()
    )
    ccds = (*EDGE, *CENTRE)
    masters = (
        MasterSpec("bias", "NONE", "2013-11-03", ccds),
        MasterSpec("dark", "NONE", "2013-11-03", ccds),
        MasterSpec("flat", "HSC-R", "2013-06-17", ccds),
        MasterSpec("flat", "HSC-I", "2013-11-03", ccds),
    )
    return NightSpec("twelve on the real sky", visits, masters, sky=str(sky))


def _robust(values: Floats) -> float:
    """Standard deviation about the median, from the median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


@dataclass
class Frame:
    """One processed CCD beside the truth about it."""

    root: Path
    rerun: str
    row: dict[str, Any]  # of the report

    @property
    def place(self) -> tuple[int, int]:
        return self.row["visit"], self.row["ccd"]

    def _file(self, kind: str) -> Path:
        name = f"{kind}-{self.place[0]:07d}-{self.place[1]:03d}.fits"
        return next((self.root / "rerun" / self.rerun).glob(f"*/*/*/{name}"))

    @cached_property
    def truth(self) -> StoredTruth:
        return read_truth(self.root, *self.place)

    @property
    def calexp(self) -> Exposure:
        return read_exposure(self._file("CORR"))

    @cached_property
    def spoilt(self) -> NDArray[np.bool_]:
        """Pixels of which nothing can be asked."""
        return self.calexp.masked("BAD", "SAT", "NO_DATA")

    @cached_property
    def src(self) -> Table:
        """Sources (no parents of deblended ones), with flags of what may be judged."""
        table = Table.read(self._file("SRC"))
        table = table[np.asarray(table["deblend_nChild"]) == 0]
        table["has_place"] = np.isfinite(table["base_SdssCentroid_x"]) & np.isfinite(table["base_SdssCentroid_y"])
        table["clean"] = table["has_place"] & ~table["base_PsfFlux_flag"]
        for name in ("saturated", "edge", "interpolated", "bad"):
            table["clean"] &= ~table[f"base_PixelFlags_flag_{name}"]
        return table

    @cached_property
    def wcs_error(self) -> tuple[Floats, Floats]:
        """Fitted minus true position on a grid of 32 x 64 points, mas towards East and North; astropy reads it."""
        with fits.open(self._file("CORR")) as hdus:
            fitted = WCS(hdus["IMAGE"].header)
        x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 2047, 32), np.linspace(0, 4175, 64)))
        ra, dec = fitted.all_pix2world(x, y, 0)
        true_ra, true_dec = true_wcs(self.root, *self.place).pixel_to_sky(x, y)
        return (ra - true_ra) * np.cos(np.radians(true_dec)) * 3.6e6, (dec - true_dec) * 3.6e6

    @property
    def wcs_median_mas(self) -> float:
        return float(np.median(np.hypot(*self.wcs_error)))

    @property
    def zeropoint_error(self) -> float:
        return float(self.row["zeropoint_mag"]) - self.truth.zeropoint_mag

    @property
    def magnitudes(self) -> Floats:
        """PSF magnitudes of src through the fitted zeropoint; NaN without a positive flux."""
        flux = np.asarray(self.src["base_PsfFlux_instFlux"], dtype=np.float64) / self.truth.exposure_time_s
        return self.row["zeropoint_mag"] - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))

    @property
    def signal_to_noise(self) -> Floats:
        return np.asarray(self.src["base_PsfFlux_instFlux"] / self.src["base_PsfFlux_instFluxErr"], dtype=np.float64)

    def true_stars(self, brightest: float, faintest: float) -> Table:
        """Stars 30 pixels inside the frame, not on bad or saturated pixels, in a range of magnitudes."""
        stars = self.truth.sources
        x, y = np.asarray(stars["x"]), np.asarray(stars["y"])
        chosen = np.asarray(stars["is_star"]) & (stars["mag"] > brightest) & (stars["mag"] < faintest)
        chosen &= (x > 30) & (x < 2017) & (y > 30) & (y < 4145)
        stars = stars[chosen]
        return stars[~self.spoilt[np.rint(stars["y"]).astype(int), np.rint(stars["x"]).astype(int)]]

    def matched(self, stars: Table) -> tuple[Table, Floats, Floats]:
        """The true stars that have a clean source within a pixel, that source's row, and its magnitude."""
        rows = np.flatnonzero(self.src["clean"])
        distance, nearest = _tree(self.src["base_SdssCentroid_x"][rows], self.src["base_SdssCentroid_y"][rows]).query(
            np.column_stack([stars["x"], stars["y"]])
        )
        found = distance < 1.0
        return stars[found], rows[nearest[found]], self.magnitudes[rows[nearest[found]]]


def _tree(x: Any, y: Any) -> cKDTree:
    return cKDTree(np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)]))


def _run(root: Path, rerun: str, *overrides: str) -> dict[tuple[int, int], Frame]:
    """Process all frames with two workers; what `safelight report` says of each."""
    configuration = ["-c", *overrides] if overrides else []
    assert process_ccd([str(root), "--rerun", rerun, "--id", "-j", "2", *configuration]) == 0
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert safelight(["report", str(root), "--rerun", rerun, "--format", "json"]) == 0
    frames = (Frame(root, rerun, row) for row in json.loads(out.getvalue()))
    return {frame.place: frame for frame in frames}


@pytest.fixture(scope="module")
def repository(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    sky = shared_data / "hsc_refcats"
    if not sky.is_dir():
        pytest.skip("the real catalogues are absent: there is no folder ../shared/data/hsc_refcats beside the checkout")
    root = tmp_path_factory.mktemp("real_sky") / "DATA"
    simulate_night(root, _night(sky), processes=2)
    return root


@pytest.fixture(scope="module")
def frames(repository: Path) -> dict[tuple[int, int], Frame]:
    return _run(repository, "gaia")


@pytest.fixture(scope="module")
def frames_by_ps1(repository: Path) -> dict[tuple[int, int], Frame]:
    """The same with PS1 for the positions too."""
    return _run(repository, "ps1", f"calibrate.astromRefObjLoader.ref_dataset_name={PS1}")


@pytest.fixture(params=FRAMES, ids=lambda place: f"{place[0]}-{place[1]}")
def frame(request: pytest.FixtureRequest, frames: dict[tuple[int, int], Frame]) -> Frame:
    return frames[request.param]


@pytest.fixture(params=FRAMES, ids=lambda place: f"{place[0]}-{place[1]}")
def frame_by_ps1(request: pytest.FixtureRequest, frames_by_ps1: dict[tuple[int, int], Frame]) -> Frame:
    return frames_by_ps1[request.param]


def _rms_ratio(frames: dict[tuple[int, int], Frame], error: Callable[[Frame], float], claim: Any) -> float:
    """Root mean square over the CCDs of true error over claimed error."""
    return float(np.sqrt(np.mean([(error(frame) / claim(frame)) ** 2 for frame in frames.values()])))


# ---- every CCD --------------------------------------------------------------------------------------------------


def test_every_ccd_is_done_without_reservations(frames: dict[tuple[int, int], Frame]) -> None:
    assert sorted(frames) == sorted(FRAMES)
    assert {frame.row["status"] for frame in frames.values()} == {"done"}
    assert {round(frame.truth.fwhm_arcsec, 1) for frame in frames.values()} >= {0.5, 0.7, 1.0}
    assert {frame.truth.filter_name for frame in frames.values()} == {"HSC-R", "HSC-I"}


def test_the_header_was_wrong_and_the_fit_says_by_how_much(frame: Frame) -> None:
    middle = (np.array([1023.5]), np.array([2087.5]))
    true = true_wcs(frame.root, *frame.place)
    claimed = replace(true, pointing=frame.truth.claimed)
    offset = float(angular_separation(*claimed.pixel_to_sky(*middle), *true.pixel_to_sky(*middle))[0]) * 3600.0
    assert offset > 3.0
    assert frame.row["wcs_offset_arcsec"] == pytest.approx(offset, abs=0.01)


def test_the_wcs_is_true_to_ten_mas(frame: Frame) -> None:
    assert frame.wcs_median_mas <= 10.0
    assert np.hypot(*frame.wcs_error).max() <= 10.0  # Gaia: nowhere on the CCD


def test_the_wcs_is_not_worse_than_three_times_what_it_claims(frame: Frame) -> None:
    assert frame.wcs_median_mas < 3.0 * frame.row["wcs_error_mas"]


def test_the_zeropoint_is_true_to_ten_millimagnitudes(frame: Frame) -> None:
    assert abs(frame.zeropoint_error) <= 0.010
    assert abs(frame.zeropoint_error) < 3.0 * frame.row["zeropoint_error_mag"]


def test_the_fwhm_is_that_of_the_true_psf_seen_through_pixels(frame: Frame) -> None:
    scale = true_wcs(frame.root, *frame.place).pixel_scale_arcsec
    beta = fits.getheader(truth_file(frame.root, *frame.place))["BETA"]
    expected = _fwhm_in_pixels(frame.truth.fwhm_arcsec / scale, beta) * scale
    assert frame.row["fwhm_arcsec"] == pytest.approx(expected, rel=0.03)


def test_stars_are_found(frame: Frame) -> None:
    limit = frame.row["depth_5sigma_mag"]
    every = _tree(*(frame.src[f"base_SdssCentroid_{axis}"][frame.src["has_place"]] for axis in "xy"))
    for brightest, faintest, least in ((18.0, limit - 1.0, 0.98), (limit - 1.0, limit - 0.5, 0.9)):
        stars = frame.true_stars(brightest, faintest)
        distance, _ = every.query(np.column_stack([stars["x"], stars["y"]]))
        assert np.mean(distance < 3.0) >= least, f"{len(stars)} stars of {brightest:.1f} to {faintest:.1f} mag"


def test_what_is_found_is_there(frame: Frame) -> None:
    truth = frame.truth.sources
    clean = np.flatnonzero(frame.src["clean"])
    places = np.column_stack([frame.src[f"base_SdssCentroid_{axis}"][clean] for axis in "xy"])
    distance, nearest = _tree(truth["x"], truth["y"]).query(places, k=4)
    magnitude = np.asarray(truth["mag"])[nearest]
    real = ((distance < 4.0) & (magnitude < frame.magnitudes[clean, None] + 1.0)).any(axis=1)
    sn = frame.signal_to_noise[clean]
    assert real[sn > 10].mean() >= 0.99
    assert real[(sn > 5) & (sn < 10)].mean() >= 0.93


def test_bright_stars_scatter_by_a_few_millimagnitudes_and_as_their_errors_say(frame: Frame) -> None:
    stars, rows, magnitude = frame.matched(frame.true_stars(17.0, 20.0))
    assert len(stars) > 50
    difference = magnitude - np.asarray(stars["mag"]) - frame.zeropoint_error
    assert abs(np.median(difference)) < 0.003
    assert _robust(difference) < 0.010
    assert 0.6 < _robust(difference * frame.signal_to_noise[rows] / 1.0857) < 1.6


def test_centroids_of_bright_stars_scatter_as_their_errors_say(frame: Frame) -> None:
    stars, rows, _ = frame.matched(frame.true_stars(17.0, 20.0))
    for axis in "xy":
        off = np.asarray(frame.src[f"base_SdssCentroid_{axis}"][rows] - stars[axis])
        pulls = off / np.asarray(frame.src[f"base_SdssCentroid_{axis}Err"][rows])
        assert 0.7 < _robust(pulls) < 1.4
        # 4 standard errors of a median: with 70 to 130 stars a few thousandths of a pixel, and no fixed offset
        assert abs(np.median(pulls)) < 4.0 * 1.2533 * _robust(pulls) / np.sqrt(len(pulls))


def test_cosmic_rays_are_found_and_stars_are_not(frame: Frame) -> None:
    exposure = frame.calexp
    seen = ~frame.spoilt
    found = exposure.masked("CR") & seen
    # five times the noise of a pixel of sky, in electrons
    noticeable = 5.0 * float(np.sqrt(np.median(exposure.variance))) * float(np.mean(exposure.gains))
    hit = cosmic_ray_mask(frame.root, *frame.place, noticeable) & seen
    touched = cosmic_ray_mask(frame.root, *frame.place, 1.0)
    assert hit.sum() > 100
    assert (found & hit).sum() / hit.sum() >= 0.9
    assert (found & touched).sum() / found.sum() >= 0.9


def _fwhm_in_pixels(fwhm: float, beta: float) -> float:
    """FWHM of a round Moffat profile of `fwhm` pixels averaged over square pixels, from a finely drawn one."""
    fine = 20
    reach = int(3 * fwhm) + 2
    at = (np.arange(2 * reach * fine + 1) - reach * fine) / fine
    alpha = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
    light = (1.0 + (at[:, None] ** 2 + at[None, :] ** 2) / alpha**2) ** -beta
    light = uniform_filter(light, fine)
    return float(2.0 * np.sqrt((light > light.max() / 2.0).sum() / fine**2 / np.pi))


# ---- all twelve together ----------------------------------------------------------------------------------------


def test_claimed_wcs_errors_are_neither_boasts_nor_excuses(frames: dict[tuple[int, int], Frame]) -> None:
    ratio = _rms_ratio(frames, lambda frame: frame.wcs_median_mas, lambda frame: frame.row["wcs_error_mas"])
    assert 0.3 < ratio < 2.0


def test_claimed_zeropoint_errors_are_neither_boasts_nor_excuses(frames: dict[tuple[int, int], Frame]) -> None:
    # the floor stands for what the simulated sky does not have: errors of PS1's magnitudes and of the colour terms
    floor = PhotoCalConfig().systematicFloor

    def statistical(frame: Frame) -> float:
        return float(np.sqrt(frame.row["zeropoint_error_mag"] ** 2 - floor**2))

    assert 0.3 < _rms_ratio(frames, lambda frame: frame.zeropoint_error, statistical) < 2.0


def test_centroids_have_no_bias_towards_either_side_of_the_sky(frames: dict[tuple[int, int], Frame]) -> None:
    pulls = []
    for frame in frames.values():
        stars, rows, _ = frame.matched(frame.true_stars(17.0, 20.0))
        for axis in "xy":
            off = np.asarray(frame.src[f"base_SdssCentroid_{axis}"][rows] - stars[axis])
            pulls.append(off / np.asarray(frame.src[f"base_SdssCentroid_{axis}Err"][rows]))
    together = np.concatenate(pulls)
    assert 0.9 < _robust(together) < 1.2
    assert abs(np.median(together)) < 0.1


# ---- PS1 for positions ------------------------------------------------------------------------------------------


def test_the_wcs_by_ps1_is_true_to_ten_mas_and_to_what_it_claims(frame_by_ps1: Frame) -> None:
    assert frame_by_ps1.row["status"] == "done"
    assert frame_by_ps1.wcs_median_mas <= 10.0
    assert frame_by_ps1.wcs_median_mas < 3.0 * frame_by_ps1.row["wcs_error_mas"]


def test_claimed_wcs_errors_by_ps1_know_of_its_systematic_offset(frames_by_ps1: dict[tuple[int, int], Frame]) -> None:
    ratio = _rms_ratio(frames_by_ps1, lambda frame: frame.wcs_median_mas, lambda frame: frame.row["wcs_error_mas"])
    assert 0.3 < ratio < 2.0
    # the catalogue's own offset, not ours: to the South, on every CCD
    assert all(np.median(frame.wcs_error[1]) < 0 for frame in frames_by_ps1.values())
