"""A visit of six small CCDs, from raw pixels to its judgement, with some CCDs spoiled on purpose."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from safelight.butler import Butler
from safelight.commands.main import main as safelight
from safelight.exposure import VisitInfo
from safelight.exposure.tansip import TanSipWcs
from safelight.exposure.wcs import angular_separation
from safelight.instruments import Instrument, initial_wcs
from safelight.instruments.loader import load_instrument
from safelight.processccd import events
from safelight.processccd.journal import JournalReader, journals
from safelight.processccd.ledger import OutcomeLedger, RecordedCcd
from safelight.processccd.visitstage import visit_file

Floats = NDArray[np.float64]

SIZE = 500  # pixels, each side
SCALE = 0.5  # arcsec/pixel
SECONDS = 30.0
ZEROPOINT = 25.0  # magnitude of 1 ADU/s
SKY_ADU = 400.0
SIGMA = 1.2  # of the PSF, pixels
AT = (150.0, 2.0)  # where the header says that the telescope looked: degrees of 10h, +2 degrees
ERROR = (0.004, -0.003)  # how far that is wrong, degrees on the sky
TURN = 0.3  # and by which angle, degrees

CAMERA = """\
extends: generic
name: sixpack
title: six small CCDs
pixel_scale_arcsec: 0.5
pixel_size_mm: 0.01
pointing_uncertainty_arcsec: 60
rotation_uncertainty_deg: 1
scale_uncertainty: 0.005
parity_known: true
header_wcs: null
detector_defaults: {width: 500, height: 500, raw_width: 500, raw_height: 500, reference_x: 249.5, reference_y: 249.5}
detectors: |
  id, name, offset_x_mm, offset_y_mm
  0,  A,    -5.5,        -2.8
  1,  B,    0.0,         -2.8
  2,  C,    5.5,         -2.8
  3,  D,    -5.5,        2.8
  4,  E,    0.0,         2.8
  5,  F,    5.5,         2.8
amplifiers: |
  name, gain, read_noise_adu, saturation_adu, box,       raw_box,   raw_data_box
  A,    1.0,  5,              60000,          0 0 500 500, 0 0 500 500, 0 0 500 500
exposure_id_stride: 10
reference_catalogs:
  astrometry: [stars]
  photometry: [stars]
  filter_map: {r: r}
"""


@dataclass
class SmallVisit:
    """What is to be drawn; change it before `write`."""

    seed: int = 1
    ccds: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    stars_per_ccd: int = 60
    only: dict[int, int] = field(default_factory=dict)  # CCD -> stars that it shows, of all that the catalogue has
    dimmed: dict[int, float] = field(default_factory=dict)  # CCD -> magnitudes by which its stars are fainter
    shifted: dict[int, tuple[float, float]] = field(default_factory=dict)  # CCD -> pixels by which its stars are moved
    doubled: dict[int, tuple[float, float]] = field(default_factory=dict)  # CCD -> pixels to a brighter ghost of each
    flats_apart: tuple[int, ...] = ()  # CCDs whose flats are not of the set of the others

    def write(self, folder: Path) -> list[Path]:
        """Camera file, catalogue, flats and raw frames in `folder`; the raw frames."""
        from astropy.io import fits

        (folder / "sixpack.yaml").write_text(CAMERA)
        camera = load_instrument(folder / "sixpack.yaml")
        rng = np.random.default_rng(self.seed)
        ra, dec, magnitude = self._sky(rng)
        rows = [f"{a:.8f},{d:.8f},{m:.4f}" for a, d, m in zip(ra, dec, magnitude, strict=True)]
        (folder / "stars.csv").write_text("\n".join(["ra,dec,r", *rows]) + "\n")
        frames = []
        for ccd in self.ccds:
            image = self._frame(ccd, camera, ra, dec, magnitude, np.random.default_rng([self.seed, ccd]))
            cards: dict[str, Any] = {
                "VISIT": 101, "CCDNUM": ccd, "OBJECT": "FIELD", "FILTER": "r", "EXPTIME": SECONDS, "IMAGETYP": "LIGHT",
                "DATE-OBS": "2024-03-01T02:00:00", "OBJCTRA": "10:00:00", "OBJCTDEC": "+02:00:00",
            }  # fmt: skip
            frames.append(folder / f"raw-{ccd}.fits")
            fits.writeto(frames[-1], image, fits.Header(list(cards.items())), overwrite=True)
            cards = {
                "OBSTYPE": "flat", "CALIB_ID": f"filter=r calibDate=2024-03-01 calibVersion=test ccd={ccd}",
                "FLATSET": f"alone {ccd}" if ccd in self.flats_apart else "together",
            }  # fmt: skip
            ones = np.ones((SIZE, SIZE), np.float32)
            fits.writeto(folder / f"flat-{ccd}.fits", ones, fits.Header(list(cards.items())), overwrite=True)
        return frames

    def _sky(self, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        n = int(self.stars_per_ccd * 12)
        dec = AT[1] + ERROR[1] + rng.uniform(-0.1, 0.1, n)
        ra = AT[0] + (ERROR[0] + rng.uniform(-0.16, 0.16, n)) / math.cos(math.radians(AT[1]))
        return ra, dec, rng.uniform(15.0, 19.0, n)

    def _frame(
        self, ccd: int, camera: Instrument, ra: Floats, dec: Floats, magnitude: Floats, rng: np.random.Generator
    ) -> NDArray[np.uint16]:
        x, y = true_wcs(camera, ccd).sky_to_pixel(ra, dec)
        inside = np.flatnonzero((x > -10) & (x < SIZE + 10) & (y > -10) & (y < SIZE + 10))
        if ccd in self.only:
            clear = inside[(x[inside] > 30) & (x[inside] < SIZE - 30) & (y[inside] > 30) & (y[inside] < SIZE - 30)]
            inside = clear[np.argsort(magnitude[clear])][1 : 1 + self.only[ccd]]
        dx, dy = self.shifted.get(ccd, (0.0, 0.0))
        image = np.full((SIZE, SIZE), SKY_ADU)
        flux = SECONDS * 10 ** (0.4 * (ZEROPOINT - self.dimmed.get(ccd, 0.0) - magnitude))
        for k in inside:
            draw_star(image, x[k] + dx, y[k] + dy, flux[k])
            if ccd in self.doubled:
                to_x, to_y = self.doubled[ccd]
                draw_star(image, x[k] + to_x, y[k] + to_y, 1.5 * flux[k])
        noisy = rng.poisson(image) + rng.normal(0, 5.0, image.shape)
        return np.clip(np.round(noisy), 0, 65535).astype(np.uint16)


def draw_star(image: Floats, x: float, y: float, flux: float) -> None:
    """Add a Gaussian star."""
    column, row = round(x), round(y)
    left, right, low, high = (
        max(column - 12, 0), min(column + 13, SIZE), max(row - 12, 0), min(row + 13, SIZE),
    )  # fmt: skip
    if left >= right or low >= high:
        return
    grid_y, grid_x = np.mgrid[low:high, left:right]
    profile = np.exp(-((grid_x - x) ** 2 + (grid_y - y) ** 2) / (2 * SIGMA**2)) / (2 * math.pi * SIGMA**2)
    image[low:high, left:right] += flux * profile


def true_wcs(camera: Instrument, ccd: int) -> TanSipWcs:
    """Where a CCD truly looked: the header's pointing, wrong by `ERROR` and `TURN`, as one rigid camera."""
    info = VisitInfo(SECONDS, SECONDS, boresight_ra_deg=AT[0], boresight_dec_deg=AT[1])
    detector = camera.detector(ccd)
    c, s = math.cos(math.radians(TURN)), math.sin(math.radians(TURN))
    turn = np.array([[c, -s], [s, c]])
    at_origin, _ = initial_wcs(camera, detector.model_copy(update={"offset_x_mm": 0.0, "offset_y_mm": 0.0}), info)
    assert isinstance(at_origin, TanSipWcs)
    offset = np.array([detector.offset_x_mm, detector.offset_y_mm]) / 0.01  # pixels from the axis
    crval = np.array([AT[0] + ERROR[0] / math.cos(math.radians(AT[1])), AT[1] + ERROR[1]])
    return TanSipWcs(at_origin.crpix - offset, crval, turn @ at_origin.cd)


def prepare(visit: SmallVisit, folder: Path) -> Path:
    """A repository with the visit, by the program's own commands."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = visit.write(folder)
    root = folder / "DATA"
    columns = ("ra_name=ra", "dec_name=dec", "mag_column_list=['r']")
    frames_line = ("ingest", "images", root, *frames, "--instrument", folder / "sixpack.yaml")
    stars_line = ("ingest", "refcat", root, folder / "stars.csv", "--name", "stars", "-c", *columns)
    flats_line = ("ingest", "calibs", root, *sorted(folder.glob("flat-*.fits")), "--validity", 30)
    for line in (frames_line, stars_line, flats_line):
        assert safelight([str(word) for word in line]) == 0
    return root


#: There are no masters but flats of ones, which say that they were built together.
PLAIN = ("-c", "isr.doDark=False", "isr.doBias=False")


# ---- spoiled CCDs: 2 shows three stars, 4 is dimmed by 50 mmag, 5 looks 2 arcsec beside its place -----------------


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the rerun "first". Not to be changed."""
    visit = SmallVisit(only={2: 3}, dimmed={4: 0.05}, shifted={5: (0.0, 4.0)})
    root = prepare(visit, tmp_path_factory.mktemp("spoiled"))
    assert run(root, "first") == 0
    return root


def run(root: Path, rerun: str, *more: object) -> int:
    return safelight([str(word) for word in ("run", root, "--rerun", rerun, *PLAIN, "-j", "1", *more)])


def recorded(root: Path, rerun: str) -> dict[int, RecordedCcd]:
    with OutcomeLedger(root / "rerun" / rerun) as ledger:
        return {ccd.data_id["ccd"]: ccd for ccd in ledger.ccds()}


def codes(ccd: RecordedCcd) -> set[str]:
    return {caveat.code for caveat in ccd.caveats} - {"NO_COLOR_TERM", "FEW_PSF_STARS"}


def error_mas(root: Path, rerun: str, ccd: int) -> float:
    """Rms distance of the WCS in a calexp from the truth, over the CCD."""
    butler = Butler(root, rerun=rerun)
    wcs = butler.get("calexp", visit=101, ccd=ccd).wcs
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, SIZE - 1, 9), np.linspace(0, SIZE - 1, 9)))
    truth = true_wcs(butler.instrument, ccd)
    return float(np.sqrt(np.mean(angular_separation(*wcs.pixel_to_sky(x, y), *truth.pixel_to_sky(x, y)) ** 2))) * 3.6e6


def test_each_spoiled_ccd_is_flagged_for_what_is_wrong_with_it_and_no_other_is(spoiled: Path) -> None:
    found = {ccd: codes(one) for ccd, one in recorded(spoiled, "first").items()}
    assert found == {
        0: set(),
        1: set(),
        2: {"WCS_FROM_VISIT", "ZEROPOINT_FROM_VISIT"},
        3: set(),
        4: {"VISIT_ZEROPOINT_JUMP"},
        5: {"VISIT_WCS_OFF"},
    }


def test_the_flags_say_by_how_much(spoiled: Path) -> None:
    ccds = recorded(spoiled, "first")
    assert ccds[5].metrics["visit_wcs_distance_mas"] == pytest.approx(2000.0, rel=0.05)
    assert ccds[4].metrics["visit_zeropoint_difference_mag"] == pytest.approx(-0.05, abs=0.01)
    message = next(caveat.message for caveat in ccds[4].caveats if caveat.code == "VISIT_ZEROPOINT_JUMP")
    assert "mmag" in message
    assert "sigma" in message


def test_a_ccd_that_is_truly_elsewhere_keeps_its_wcs_and_the_log_says_that_no_better_was_found(spoiled: Path) -> None:
    (journal,) = journals(spoiled / "rerun" / "first")
    heard = [event for event in JournalReader(journal).read() if getattr(event, "ccd", "") == "visit=101 ccd=5"]
    assert [event.kind for event in heard].count("ccd-started") == 2
    assert [event.kind for event in heard].count("ccd-finished") == 1
    assert isinstance(heard[-1], events.CcdJudged), "no screen may go on showing it at work"
    said = [event.message for event in heard if isinstance(event, events.LogRecorded)]
    assert any(one.startswith("Its first result stays. No better WCS was found at that place: ") for one in said)
    (caveat,) = [one for one in recorded(spoiled, "first")[5].caveats if one.code == "VISIT_WCS_OFF"]
    assert "moved in the camera? No better WCS was found at that place: " in caveat.message
    butler = Butler(spoiled, rerun="first")
    wcs = butler.get("calexp", visit=101, ccd=5).wcs
    true_x, true_y = wcs.sky_to_pixel(*true_wcs(butler.instrument, 5).pixel_to_sky(250.0, 250.0))
    assert (float(true_x), float(true_y)) == pytest.approx((250.0, 254.0), abs=0.05)


def test_a_ccd_with_three_stars_is_solved_from_its_neighbours_within_the_error_it_claims(spoiled: Path) -> None:
    ccd = recorded(spoiled, "first")[2]
    assert ccd.status == "done-with-caveats"
    assert ccd.metrics["wcs_matches"] == 3
    assert error_mas(spoiled, "first", 2) < 2.0 * ccd.metrics["wcs_error_mas"]
    assert ccd.metrics["wcs_error_mas"] < 100.0
    assert ccd.metrics["zeropoint_mag"] == pytest.approx(ZEROPOINT, abs=3.0 * ccd.metrics["zeropoint_error_mag"])


def test_caveats_of_the_visit_stand_wherever_others_do(spoiled: Path, call: Callable[..., Any]) -> None:
    import yaml

    rows = json.loads(call(safelight, "report", spoiled, "--rerun", "first", "--format", "json").out)
    by_ccd = {row["ccd"]: row for row in rows}
    assert "VISIT_WCS_OFF" in by_ccd[5]["caveats"]
    assert by_ccd[5]["status"] == "done-with-caveats"
    butler = Butler(spoiled, rerun="first")
    metadata = yaml.safe_load(
        butler.path_for("processCcd_metadata", {"visit": 101, "ccd": 5, **ids(butler, 5)}).read_text()
    )
    assert "VISIT_WCS_OFF" in {caveat["code"] for caveat in metadata["processCcd"]["caveats"]}
    assert call(safelight, "check", spoiled).code == 0, "sizes and checksums are those that were recorded"
    (journal,) = journals(spoiled / "rerun" / "first")
    judged = {e.data_id["ccd"]: e.caveats for e in JournalReader(journal).read() if isinstance(e, events.CcdJudged)}
    assert {"VISIT_WCS_OFF"} <= {caveat["code"] for caveat in judged[5]}


def ids(butler: Butler, ccd: int) -> dict[str, Any]:
    return dict(next(row for row in butler.query("").rows if row["ccd"] == ccd))


def test_the_journal_ends_each_ccd_once_and_shows_the_second_attempt(spoiled: Path) -> None:
    (journal,) = journals(spoiled / "rerun" / "first")
    heard = list(JournalReader(journal).read())
    ended = [event.data_id["ccd"] for event in heard if isinstance(event, events.CcdFinished)]
    assert sorted(ended) == [0, 1, 2, 3, 4, 5]
    begun = [event.data_id["ccd"] for event in heard if isinstance(event, events.CcdStarted)]
    assert begun.count(2) == 2
    stages = [event.stage for event in heard if isinstance(event, events.StageStarted) and event.ccd.endswith("ccd=2")]
    assert "visit" in stages
    assert stages.index("visit") < len(stages) - 1 - stages[::-1].index("write")


def test_the_same_line_again_changes_nothing(spoiled: Path) -> None:
    before = recorded(spoiled, "first")
    kept = visit_file(spoiled / "rerun" / "first", 101)
    content = kept.read_bytes()
    assert run(spoiled, "first") == 0
    assert recorded(spoiled, "first") == before
    assert kept.read_bytes() == content
    kept.unlink()  # judged anew, with the same result
    assert run(spoiled, "first") == 0
    assert recorded(spoiled, "first") == before
    assert kept.read_bytes() == content


def test_a_run_killed_before_the_judgement_is_judged_by_the_next(spoiled: Path) -> None:
    program = (
        "import os, sys, safelight.processccd.visitstage as stage\n"
        "stage.judge_visit = lambda *arguments: os.kill(os.getpid(), 9)\n"
        "from safelight.commands.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    line = ["run", str(spoiled), "--rerun", "killed", *PLAIN, "-j", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", program, *line], check=False, capture_output=True, env=environment)
    assert killed.returncode == -9
    after = recorded(spoiled, "killed")
    assert {ccd for ccd, one in after.items() if one.status == "failed"} == {2}
    assert not any(codes(one) & {"VISIT_WCS_OFF", "VISIT_ZEROPOINT_JUMP"} for one in after.values())
    assert run(spoiled, "killed", "-j", "2") == 0  # the second attempt in a process of its own, to the same result
    undisturbed, after = recorded(spoiled, "first"), recorded(spoiled, "killed")
    for ccd, one in undisturbed.items():
        assert codes(after[ccd]) == codes(one)
        for name in ("wcs_error_mas", "wcs_matches", "zeropoint_mag", "zeropoint_error_mag"):
            # kernels that were just compiled and such from the cache may differ in the last bit
            assert after[ccd].metrics[name] == pytest.approx(one.metrics[name], rel=1e-6)


def test_ccds_of_earlier_runs_take_part_even_if_those_could_not_be_judged(
    spoiled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("safelight.processccd.visitstage.judge_visit", broken)
        assert run(spoiled, "parts", "--id", "ccd=0^1^3") == 0
    assert "visit=101 could not be judged: OSError: no room" in capsys.readouterr().err
    assert not visit_file(spoiled / "rerun" / "parts", 101).exists()
    assert run(spoiled, "parts", "--id", "ccd=2^5") == 0
    found = recorded(spoiled, "parts")
    assert codes(found[2]) == {"WCS_FROM_VISIT", "ZEROPOINT_FROM_VISIT"}
    assert codes(found[5]) == {"VISIT_WCS_OFF"}


def test_a_ccd_whose_file_is_gone_takes_no_part_and_is_named(spoiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(spoiled, "gone", "--id", "ccd=0^1") == 0
    butler = Butler(spoiled, rerun="gone")
    butler.path_for("calexp", ids(butler, 0)).unlink()
    capsys.readouterr()
    assert run(spoiled, "gone", "--id", "ccd=3") == 0
    assert "visit=101 ccd=0 takes no part in the judgement of its visit: There is no file" in capsys.readouterr().err
    assert set(json.loads(visit_file(spoiled / "rerun" / "gone", 101).read_text())["ccds"]) == {
        "visit=101 ccd=1",
        "visit=101 ccd=3",
    }


def test_it_can_be_switched_off(spoiled: Path) -> None:
    assert run(spoiled, "off", "--id", "ccd=0^1^2^5", "-c", "visit.doJudge=False") == 1
    found = recorded(spoiled, "off")
    assert found[2].failure is not None
    assert found[2].failure.code == "TOO_FEW_STARS"
    assert not codes(found[5])
    assert not visit_file(spoiled / "rerun" / "off", 101).exists()


# ---- other visits ----------------------------------------------------------------------------------------------------


def test_a_ccd_whose_few_stars_contradict_its_neighbours_stays_a_failure(tmp_path: Path) -> None:
    visit = SmallVisit(ccds=(0, 1, 2, 3), only={2: 3}, shifted={2: (5.0, 2.0), 3: (4.0, 0.0)})
    root = prepare(visit, tmp_path)
    post_isr = ("-c", "doWritePostIsr=True")
    assert run(root, "a", "--id", "ccd=3", *post_isr) == 0
    assert run(root, "a", *post_isr) == 1
    assert safelight(["check", str(root)]) == 0, "what second attempts wrote before they failed is known"
    failure = recorded(root, "a")[2].failure
    assert failure is not None
    assert failure.code == "TOO_FEW_STARS"
    assert "Solving it from its visit failed too" in failure.message
    assert not Butler(root, rerun="a").path_for("calexp", ids(Butler(root, rerun="a"), 2)).exists()


def test_of_a_clean_visit_nothing_is_flagged_and_of_a_single_ccd_nothing_is_kept(tmp_path: Path) -> None:
    root = prepare(SmallVisit(seed=5, ccds=(0, 2, 4)), tmp_path)
    assert run(root, "one", "--id", "ccd=0") == 0
    assert not (root / "rerun" / "one" / ".safelight" / "visits").exists()
    (journal,) = journals(root / "rerun" / "one")
    assert not [event for event in JournalReader(journal).read() if isinstance(event, events.CcdJudged)]
    assert run(root, "one") == 0
    assert not any(codes(one) for one in recorded(root, "one").values())
    kept = json.loads(visit_file(root / "rerun" / "one", 101).read_text())
    assert kept["wcs"]["agreeing"] == 3
    assert kept["wcs"]["rotation_deg"] == pytest.approx(TURN, abs=0.002)


def test_a_ccd_that_shows_every_star_twice_is_solved_at_the_place_that_its_visit_gives(tmp_path: Path) -> None:
    root = prepare(SmallVisit(seed=7, ccds=(0, 1, 2), stars_per_ccd=35, doubled={2: (0.0, 9.0)}), tmp_path)
    assert run(root, "first") == 0
    ccd = recorded(root, "first")[2]
    assert error_mas(root, "first", 2) < 2.0 * ccd.metrics["wcs_error_mas"]
    assert {"WCS_FOUND_BY_VISIT", "WCS_FROM_VISIT"} & codes(ccd)
    assert not {"VISIT_WCS_OFF", "VISIT_ZEROPOINT_JUMP"} & codes(ccd)
    assert safelight(["check", str(root)]) == 0


def test_zeropoints_behind_flats_without_a_common_level_are_not_doubted_but_named_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dimmed = {0: 0.3, 2: -0.2}  # as flats of their own would have it
    root = prepare(SmallVisit(seed=5, ccds=(0, 2, 4), dimmed=dimmed, flats_apart=(0, 2, 4)), tmp_path)
    capsys.readouterr()
    assert run(root, "apart") == 0
    assert not any(codes(one) for one in recorded(root, "apart").values())
    said = capsys.readouterr().err
    assert said.count("The zeropoints of the 3 CCDs of a visit were not compared, for flats that are built apart") == 1
    assert run(root, "none", "--id", "ccd=0^2", "-c", "isr.doFlat=False") == 0
    assert not any(codes(one) for one in recorded(root, "none").values())
    assert "were not compared, for without flats each CCD has a level of its own" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_of_visits_spoiled_at_random_every_wrong_ccd_is_named_and_no_right_one(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([seed, 77])
    few, dim, odd, *plain = (int(ccd) for ccd in rng.permutation(6)[: rng.integers(5, 7)])
    move = float(rng.uniform(4, 8)), float(rng.uniform(-8, 8))
    moved = {"doubled" if seed % 2 else "shifted": {odd: move}}
    visit = SmallVisit(
        seed=1000 + seed,
        ccds=tuple(sorted((few, dim, odd, *plain))),
        stars_per_ccd=int(rng.choice([25, 60])),
        only={few: int(rng.integers(2, 8))},
        dimmed={dim: float(rng.choice([-0.06, 0.06]))},
        **moved,
    )
    root = prepare(visit, tmp_path)
    run(root, "a")
    found = recorded(root, "a")
    judged = {ccd: codes(one) & {"VISIT_WCS_OFF", "VISIT_ZEROPOINT_JUMP"} for ccd, one in found.items()}
    assert judged == {ccd: set() for ccd in found} | {dim: {"VISIT_ZEROPOINT_JUMP"}} | (
        {odd: {"VISIT_WCS_OFF"}} if not seed % 2 else {}
    )
    for ccd, one in found.items():
        if one.status.startswith("done") and not judged[ccd] & {"VISIT_WCS_OFF"}:
            assert error_mas(root, "a", ccd) < 4.0 * one.metrics["wcs_error_mas"]
