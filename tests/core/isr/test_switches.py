"""Every switch of the configuration does what its description says, and nothing else, on frames of known truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from safelight import isr
from safelight.errors import ProcessingError
from safelight.exposure import MasterFrame
from safelight.instruments import Box, Instrument, RawFrame
from safelight.instruments.model import StrayLight, Vignetting
from safelight.isr.config import FringeConfig

SHAPE = HEIGHT, WIDTH = 64, 80
LEVEL = 1000.0  # of the overscan
GAINS, READ_NOISES = (2.0, 4.0), (3.0, 1.5)
AMPS = (slice(0, 40), slice(40, 80))
LINEARITY = (1e-7, -2e-7)

RawMaker = Callable[..., RawFrame]
Run = Callable[..., isr.IsrResult]

#: Nothing is done to the pixels but to assemble them.
NOTHING = {name: False for name, field in isr.IsrConfig.model_fields.items() if field.annotation is bool}


@pytest.fixture
def sky() -> np.ndarray:
    return np.random.default_rng(5).uniform(900.0, 1100.0, SHAPE).astype(np.float32)


def master(seed: int, low: float, high: float, variance: float) -> MasterFrame:
    image = np.random.default_rng(seed).uniform(low, high, SHAPE).astype(np.float32)
    return MasterFrame(image, variance=np.full(SHAPE, variance, np.float32))


@pytest.fixture
def masters() -> isr.Masters:
    return isr.Masters(
        bias=master(1, -3, 3, 0.2),
        dark=master(2, 0, 0.2, 1e-4),
        flat=master(3, 0.8, 1.6, 1e-6),
        defects=[Box(x0=30, y0=10, width=3, height=7)],
    )


@pytest.fixture
def run(raw_of: RawMaker, camera: Instrument, masters: isr.Masters) -> Run:
    """ISR with the named switches on, and nothing else; `pixels` are ADU above the overscan."""

    def made(pixels: np.ndarray, *on: str, camera: Instrument = camera, **fields: Any) -> isr.IsrResult:
        raw = raw_of(pixels, np.full((2, HEIGHT), LEVEL), dtype="f4")
        config = isr.IsrConfig(**(NOTHING | dict.fromkeys(on, True) | {"overscanFitType": "MEDIAN"} | fields))
        return isr.run(raw, masters, config, camera)

    return made


def test_with_all_switches_off_the_raw_pixels_stand_in_their_places(run: Run, sky: np.ndarray) -> None:
    result = run(sky)
    np.testing.assert_allclose(result.exposure.image, sky + LEVEL, rtol=1e-6)
    assert np.all(result.exposure.variance == 1.0)
    assert not result.exposure.mask.any()


@pytest.mark.parametrize("switch", ["doSaturation", "doSuspect"])
def test_levels_are_of_the_raw_frame_and_inclusive(run: Run, sky: np.ndarray, switch: str) -> None:
    level, plane = {"doSaturation": (30_000.0, "SAT"), "doSuspect": (44_000.0, "SUSPECT")}[switch]
    sky[7, 8], sky[7, 9] = level - LEVEL, level - LEVEL - 1.0
    exposure = run(sky, switch, saturation=30_000.0).exposure
    assert np.argwhere(exposure.masked(plane)).tolist() == [[7, 8]]


def test_the_overscan_is_subtracted(run: Run, sky: np.ndarray) -> None:
    np.testing.assert_allclose(run(sky, "doOverscan").exposure.image, sky, rtol=1e-5)


def spoiled_overscan(raw_of: RawMaker, sky: np.ndarray, columns: slice, rows: slice, value: float) -> RawFrame:
    """A frame whose left amplifier's overscan, in columns 40 to 47 of the raw frame, is wrong in parts."""
    raw = raw_of(sky, np.full((2, HEIGHT), LEVEL), dtype="f4")
    raw.pixels[3:67, 40:48][rows, columns] = value
    return raw


@pytest.mark.parametrize(
    ("skip", "columns"),
    [("overscanNumLeadingColumnsToSkip", slice(0, 5)), ("overscanNumTrailingColumnsToSkip", slice(3, 8))],
)
def test_columns_of_the_overscan_can_be_skipped(
    raw_of: RawMaker, camera: Instrument, sky: np.ndarray, skip: str, columns: slice
) -> None:
    raw = spoiled_overscan(raw_of, sky, columns, slice(None), LEVEL + 50.0)
    config = isr.IsrConfig(**NOTHING | {"doOverscan": True, "overscanFitType": "MEDIAN"})
    left = np.s_[:, :40]
    for n, too_low in ((0, 50.0), (5, 0.0)):
        found = isr.run(raw, isr.Masters(), config.model_copy(update={skip: n}), camera).exposure.image
        np.testing.assert_allclose(found[left], sky[left] - too_low, rtol=1e-5)


def test_rows_beyond_the_last_good_row_of_the_overscan_are_suspect(
    raw_of: RawMaker, camera: Instrument, sky: np.ndarray
) -> None:
    raw = spoiled_overscan(raw_of, sky, slice(None), slice(0, 6), 60_000.0)
    config = isr.IsrConfig(**NOTHING | {"doOverscan": True, "overscanOrder": 8})
    suspect = isr.run(raw, isr.Masters(), config, camera).exposure.masked("SUSPECT")
    expected = np.zeros(SHAPE, np.bool_)
    expected[:6, :40] = True
    np.testing.assert_array_equal(suspect, expected)


def test_the_bias_is_subtracted_and_its_noise_added(run: Run, sky: np.ndarray, masters: isr.Masters) -> None:
    exposure = run(sky, "doOverscan", "doBias").exposure
    assert masters.bias is not None
    np.testing.assert_allclose(exposure.image, sky - masters.bias.image, rtol=1e-5)
    np.testing.assert_allclose(exposure.variance, 1.2, rtol=1e-6)


def test_the_variance_is_that_of_photons_and_read_out(run: Run, sky: np.ndarray) -> None:
    exposure = run(sky, "doOverscan", "doVariance").exposure
    for columns, gain, noise in zip(AMPS, GAINS, READ_NOISES, strict=True):
        np.testing.assert_allclose(exposure.variance[:, columns], sky[:, columns] / gain + noise**2, rtol=1e-5)


@pytest.mark.parametrize("curve", ["MEDIAN", "AKIMA_SPLINE"])
def test_the_read_noise_can_be_that_of_the_overscan(
    raw_of: RawMaker, camera: Instrument, sky: np.ndarray, curve: str
) -> None:
    raw = raw_of(sky, np.full((2, HEIGHT), LEVEL), dtype="f4")
    random = np.random.default_rng(8)
    for columns, noise in ((slice(40, 48), 7.0), (slice(48, 56), 2.0)):
        raw.pixels[3:67, columns] += random.normal(0, noise, (HEIGHT, 8))
        raw.pixels[20, columns.start] = 60_000.0  # a saturated pixel is no noise
    fields = {"doOverscan": True, "doVariance": True, "doEmpiricalReadNoise": True, "overscanFitType": curve}
    result = isr.run(raw, isr.Masters(), isr.IsrConfig(**NOTHING | fields | {"overscanOrder": 4}), camera)
    for name, columns, gain, noise in (("0", AMPS[0], GAINS[0], 7.0), ("1", AMPS[1], GAINS[1], 2.0)):
        assert result.metadata[f"readNoise{name}"] == pytest.approx(noise, rel=0.1)
        rest = result.exposure.variance[:, columns] - result.exposure.image[:, columns] / gain
        np.testing.assert_allclose(rest, result.metadata[f"readNoise{name}"] ** 2, rtol=1e-3)


def test_linearity_is_lsst_s_squared(run: Run, sky: np.ndarray) -> None:
    image = run(sky * 20, "doOverscan", "doLinearize").exposure.image
    for columns, c in zip(AMPS, LINEARITY, strict=True):
        value = 20.0 * sky[:, columns].astype(float)
        np.testing.assert_allclose(image[:, columns], value + c * value**2, rtol=1e-5)


def test_crosstalk_is_subtracted_and_marked_at_the_mirrored_place(run: Run, sky: np.ndarray) -> None:
    sky[:] = 500.0
    sky[12, 3] = 46_000.0
    exposure = run(sky, "doOverscan", "doCrosstalk", minPixelToMask=45_000.0).exposure
    assert exposure.image[12, 79 - 3] == pytest.approx(500.0 - 2e-4 * 45_500.0, rel=1e-5)
    assert np.argwhere(exposure.masked("CROSSTALK")).tolist() == [[12, 76]]


def test_defects_are_bad_and_edges_suspect(run: Run, sky: np.ndarray) -> None:
    exposure = run(sky, "doDefect", numEdgeSuspect=2).exposure
    bad, suspect = np.zeros(SHAPE, np.bool_), np.ones(SHAPE, np.bool_)
    bad[10:17, 30:33], suspect[2:-2, 2:-2] = True, False
    np.testing.assert_array_equal(exposure.masked("BAD"), bad)
    np.testing.assert_array_equal(exposure.masked("SUSPECT"), suspect)


@pytest.mark.parametrize("on", [True, False])
def test_pixels_that_are_not_finite_are_marked(run: Run, sky: np.ndarray, on: bool) -> None:
    sky[3, 4] = np.nan
    result = run(sky, *(["doNanMasking"] if on else []))
    assert np.argwhere(result.exposure.masked("UNMASKEDNAN")).tolist() == ([[3, 4]] if on else [])
    assert result.metadata.get("NUMNANS") == (1 if on else None)


def test_trails_of_saturation_are_widened(run: Run, sky: np.ndarray) -> None:
    sky[30, 5:17] = 60_000.0
    for on, reach in (((), 0), (("doWidenSaturationTrails",), 4)):
        saturated = run(sky, "doSaturation", *on).exposure.masked("SAT")
        assert np.flatnonzero(saturated[30]).tolist() == list(range(5 - reach, 17 + reach))


def test_the_dark_is_subtracted_for_the_dark_time(run: Run, sky: np.ndarray, masters: isr.Masters) -> None:
    exposure = run(sky, "doOverscan", "doDark").exposure
    assert masters.dark is not None
    np.testing.assert_allclose(exposure.image, sky - 30.0 * masters.dark.image, rtol=1e-5)
    np.testing.assert_allclose(exposure.variance, 1.0 + 900.0 * 1e-4, rtol=1e-6)


@pytest.mark.parametrize(("kind", "stated"), [("USER", 1.0), ("USER", 1.3), ("MEAN", 1.0), ("MEDIAN", 1.0)])
def test_the_flat_divides_after_its_level_is_taken_out(
    run: Run, sky: np.ndarray, masters: isr.Masters, kind: str, stated: float
) -> None:
    assert masters.flat is not None
    masters.flat.image[4, 5] = np.nan
    exposure = run(sky, "doOverscan", "doFlat", flatScalingType=kind, flatUserScale=stated).exposure
    own = {"MEAN": np.nanmean, "MEDIAN": np.nanmedian}.get(kind)
    flat = masters.flat.image.astype(float) / (stated if own is None else own(masters.flat.image.astype(float)))
    noise = 1e-6 * (flat / masters.flat.image) ** 2
    np.testing.assert_allclose(exposure.image, sky / flat, rtol=1e-5)
    np.testing.assert_allclose(exposure.variance, 1.0 / flat**2 + sky**2 * noise / flat**4, rtol=1e-5)


@pytest.mark.parametrize("after", [True, False])
def test_fringes_are_subtracted_before_or_after_the_flat(
    run: Run, camera: Instrument, sky: np.ndarray, masters: isr.Masters, after: bool
) -> None:
    """Fringe frames that were flat-fielded lie in the frame times the flat, others as they are."""
    assert masters.flat is not None
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    flat = (1.0 + 0.2 * x / WIDTH).astype(np.float32)  # smooth, so that it makes no contrast of its own
    masters.flat.image[:] = flat
    pattern = np.sin(0.5 * x + 0.3 * y).astype(np.float32)
    masters.fringes = [MasterFrame(pattern)]
    seen = 500.0 * flat + 8.0 * pattern * (flat if after else 1.0)
    fringe = FringeConfig(small=1, large=12, num=2000, filters=("HSC-R",))
    found = run(seen, "doOverscan", "doFlat", "doFringe", *(["fringeAfterFlat"] if after else []), fringe=fringe)
    assert found.metadata["fringeAmplitude1"] == pytest.approx(8.0, rel=0.03)
    np.testing.assert_allclose(found.exposure.image, 500.0, atol=0.5)


def test_known_stray_light_is_refused_or_left_in(run: Run, camera: Instrument, sky: np.ndarray) -> None:
    lit = camera.model_copy(
        update={"stray_light": StrayLight(band="r", before="2099-01-01", first_ccd=0, last_ccd=9, source="a lamp")}
    )
    assert run(sky, camera=lit).exposure.image.shape == SHAPE
    with pytest.raises(ProcessingError, match="a lamp") as caught:
        run(sky, "doStrayLight", camera=lit)
    assert (caught.value.code, "isr.doStrayLight=False" in caught.value.hint) == ("STRAY_LIGHT", True)


def test_the_unvignetted_field_is_attached_and_no_pixel_changed(run: Run, camera: Instrument, sky: np.ndarray) -> None:
    round_field = Vignetting(centre_x_mm=0.4, centre_y_mm=0.32, radius_mm=0.3, points=200)
    seeing = camera.model_copy(update={"vignetting": round_field, "pixel_size_mm": 0.01})
    assert run(sky, camera=seeing).exposure.valid_polygon is None
    result = run(sky, "doVignette", camera=seeing)
    assert result.exposure.valid_polygon is not None
    assert result.metadata["unvignettedFraction"] == pytest.approx(np.pi * 30**2 / (HEIGHT * WIDTH), rel=0.02)
    np.testing.assert_allclose(result.exposure.image, sky + LEVEL, rtol=1e-6)
    assert not result.exposure.mask.any()


def test_bad_regions_get_the_median_and_are_filled_from_their_neighbours(run: Run, sky: np.ndarray) -> None:
    bad = np.s_[10:17, 30:33]
    sky[bad] = -500.0
    assert np.all(run(sky, "doOverscan", "doDefect").exposure.image[bad] == pytest.approx(-500.0, abs=1e-3))
    level = run(sky, "doOverscan", "doDefect", "doSetBadRegions").exposure
    good = ~level.masked("BAD")[::4, ::4]
    np.testing.assert_allclose(level.image[bad], np.median(sky[::4, ::4][good]), rtol=1e-5)
    assert not level.masked("INTRP").any()
    filled = run(sky, "doOverscan", "doDefect", "doInterpolate").exposure
    np.testing.assert_array_equal(filled.masked("INTRP"), filled.masked("BAD"))
    around = sky[10:17, [28, 29, 33, 34]]
    assert np.all(np.abs(filled.image[bad].mean(axis=1) - around.mean(axis=1)) < 100.0)


@pytest.mark.parametrize("radius", [0, 2])
def test_saturation_grows_before_the_filling(run: Run, sky: np.ndarray, radius: int) -> None:
    sky[30, 20] = 60_000.0
    saturated = run(sky, "doSaturation", "doInterpolate", growSaturationFootprintSize=radius).exposure.masked("SAT")
    assert saturated.sum() == 2 * radius * (radius + 1) + 1


def test_level_and_flatness_of_the_sky_are_measured(run: Run, sky: np.ndarray) -> None:
    plain, measured = run(sky, "doOverscan").metadata, run(sky, "doOverscan", "doMeasureBackground").metadata
    assert measured["SKYLEVEL"] == plain["SKYLEVEL"] == pytest.approx(np.median(sky[::4, ::4]), rel=1e-6)
    assert {key for key in measured if key not in plain} == {
        "FLATNESS_PP", "FLATNESS_RMS", "FLATNESS_NGRIDS", "FLATNESS_MESHX", "FLATNESS_MESHY",
    }  # fmt: skip
