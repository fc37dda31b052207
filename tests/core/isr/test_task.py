"""The whole chain: against an independent numpy reduction and against known truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from safelight import isr
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, MasterFrame, VisitInfo, Workspace
from safelight.instruments import Box, Instrument, RawFrame, load_instrument

SHAPE = (64, 80)
AMPS = (slice(0, 40), slice(40, 80))
GAINS, READ_NOISES, LINEARITY = (2.0, 4.0), (3.0, 1.5), (1e-7, -2e-7)

RawMaker = Callable[..., RawFrame]


@pytest.fixture
def data() -> np.ndarray:
    image = np.random.default_rng(22).uniform(100, 3000, SHAPE)
    image[20:23, 10:13] = 60000.0  # saturated, 3 pixels wide: not widened
    image[40, 50] = 43000.0  # with its pedestal at or above the suspect level
    return image


@pytest.fixture
def pedestal() -> np.ndarray:
    rows = np.arange(64)
    return np.stack([1000 + 0.05 * rows, 1200 - 0.02 * rows])


def _masters() -> isr.Masters:
    rng = np.random.default_rng(23)
    return isr.Masters(
        bias=MasterFrame(rng.normal(0, 2, SHAPE).astype(np.float32), variance=np.full(SHAPE, 0.3, np.float32)),
        dark=MasterFrame(rng.uniform(0, 0.2, SHAPE).astype(np.float32), variance=np.full(SHAPE, 1e-4, np.float32)),
        flat=MasterFrame(rng.uniform(0.8, 1.2, SHAPE).astype(np.float32), variance=np.full(SHAPE, 1e-6, np.float32)),
    )


def _numpy_reduction(raw: RawFrame, masters: isr.Masters) -> tuple[np.ndarray, np.ndarray]:
    """The same steps with nothing of ours but the geometry."""
    assert masters.bias is not None
    assert masters.dark is not None
    assert masters.flat is not None
    pixels = raw.pixels.astype(float)
    left = pixels[3:67, 0:40] - np.median(pixels[3:67, 40:48])
    right = pixels[3:67, 56:96] - np.median(pixels[3:67, 48:56])
    image = np.hstack([left, right]) - masters.bias.image
    variance = np.hstack(
        [np.maximum(image[:, s], 0) / g + r**2 for s, g, r in zip(AMPS, GAINS, READ_NOISES, strict=True)]
    )
    variance += masters.bias.variance
    for s, c in zip(AMPS, LINEARITY, strict=True):
        image[:, s] += c * image[:, s] ** 2
    level = np.median(image[::4, ::4])
    ghost_left = -1e-4 * (np.fliplr(image[:, AMPS[1]]) - level)
    ghost_right = 2e-4 * (np.fliplr(image[:, AMPS[0]]) - level)
    image -= np.hstack([ghost_left, ghost_right])
    image -= 30.0 * masters.dark.image
    variance += 900.0 * masters.dark.variance
    flat, noise = masters.flat.image.astype(float), masters.flat.variance
    return image / flat, variance / flat**2 + image**2 * noise / flat**4


def test_the_chain_is_that_of_plain_numpy(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    raw, masters = raw_of(data, pedestal), _masters()
    config = isr.IsrConfig(overscanFitType="MEDIAN", doInterpolate=False)
    result = isr.run(raw, masters, config, camera)
    image, variance = _numpy_reduction(raw, masters)
    np.testing.assert_allclose(result.exposure.image, image, rtol=2e-6, atol=2e-3)
    np.testing.assert_allclose(result.exposure.variance, variance, rtol=1e-5)


def test_truth_comes_back_through_all_corrections(raw_of: RawMaker, camera: Instrument, pedestal: np.ndarray) -> None:
    masters = _masters()
    assert masters.bias is not None
    assert masters.dark is not None
    assert masters.flat is not None
    truth = np.random.default_rng(24).uniform(150, 200, SHAPE)
    signal = truth * masters.flat.image + 30.0 * masters.dark.image
    for s, c in zip(AMPS, LINEARITY, strict=True):
        signal[:, s] -= c * signal[:, s] ** 2  # to first order the inverse of the correction
    raw = raw_of(signal + masters.bias.image, pedestal, dtype="f4")
    exposure = isr.run(raw, masters, isr.IsrConfig(overscanOrder=8), camera).exposure
    np.testing.assert_allclose(exposure.image, truth, atol=0.05)


def test_masks_say_what_was_found(raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray) -> None:
    masters = _masters()
    assert masters.flat is not None
    masters.flat.image[5, 6] = 0.0
    masters.defects = [Box(x0=70, y0=0, width=1, height=64)]
    result = isr.run(raw_of(data, pedestal), masters, isr.IsrConfig(), camera)
    exposure = result.exposure
    saturated = np.zeros(SHAPE, np.bool_)
    saturated[20:23, 10:13] = True
    grown = np.zeros(SHAPE, np.bool_)
    for dy, dx in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)):
        grown |= np.roll(saturated, (dy, dx), (0, 1))
    np.testing.assert_array_equal(exposure.masked("SAT"), grown)
    assert exposure.masked("SUSPECT")[40, 50]
    assert exposure.masked("SUSPECT").sum() == 9 + 1
    np.testing.assert_array_equal(np.flatnonzero(exposure.masked("BAD").all(axis=0)), [70])
    assert np.argwhere(exposure.masked("UNMASKEDNAN")).tolist() == [[5, 6]]
    np.testing.assert_array_equal(exposure.masked("INTRP"), exposure.masked("SAT", "BAD", "UNMASKEDNAN"))
    assert exposure.masked("CROSSTALK").sum() == 9
    assert np.isfinite(exposure.image).all()
    assert (exposure.variance > 0).all()
    assert result.metadata["nSaturated"] == 9
    assert result.metadata["nDefectPixels"] == 64
    assert result.metadata["NUMNANS"] == 1


def test_the_header_carries_the_overscan_and_not_the_layout_of_the_raw(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    exposure = isr.run(raw_of(data, pedestal), _masters(), isr.IsrConfig(), camera).exposure
    assert exposure.header["ISR_OSCAN_LEVEL0"] == pytest.approx(1001.6, abs=0.5)
    assert exposure.header["ISR_OSCAN_LEVEL1"] == pytest.approx(1199.4, abs=0.5)
    assert exposure.header["ISR_OSCAN_SIGMA0"] > 0
    assert exposure.header["OBJECT"] == "test"
    assert not {"NAXIS1", "BZERO", "CD1_1"} & set(exposure.header)
    assert exposure.gains == GAINS
    assert (exposure.detector_id, exposure.filter_name, exposure.band) == (7, "HSC-R", "r")


@pytest.mark.parametrize("view", [lambda p: p[:, ::-1], lambda p: p[::-1], lambda p: p[::-1, ::-1]])
def test_mirrored_views_give_what_copies_give(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray, view: Callable[..., np.ndarray]
) -> None:
    raw = raw_of(data, pedestal)
    copied = isr.run(raw, _masters(), isr.IsrConfig(), camera).exposure
    raw.pixels = view(np.ascontiguousarray(view(raw.pixels)))
    assert not raw.pixels.flags.c_contiguous
    before = raw.pixels.copy()
    viewed = isr.run(raw, _masters(), isr.IsrConfig(), camera).exposure
    np.testing.assert_array_equal(viewed.image, copied.image)
    np.testing.assert_array_equal(viewed.mask, copied.mask)
    np.testing.assert_array_equal(raw.pixels, before)


def test_big_endian_and_read_only_pixels_are_taken(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    raw = raw_of(data, pedestal)
    expected = isr.run(raw, _masters(), isr.IsrConfig(), camera).exposure.image
    raw.pixels = raw.pixels.astype(">u2")
    raw.pixels.flags.writeable = False
    np.testing.assert_array_equal(isr.run(raw, _masters(), isr.IsrConfig(), camera).exposure.image, expected)


def test_a_dark_that_contains_the_bias_takes_its_place(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    masters = isr.Masters(dark=MasterFrame(np.full(SHAPE, 50.0, np.float32), exposure_time_s=30.0, contains_bias=True))
    config = isr.IsrConfig(
        doFlat=False, doCrosstalk=False, doLinearize=False, doInterpolate=False, overscanFitType="MEDIAN"
    )
    result = isr.run(raw_of(data + 50.0, pedestal), masters, config, camera)
    assert result.metadata["biasFrom"] == "dark"
    np.testing.assert_allclose(result.exposure.image, data, atol=2.6)
    photons = np.hstack(
        [result.exposure.image[:, s] / g + r**2 for s, g, r in zip(AMPS, GAINS, READ_NOISES, strict=True)]
    )
    np.testing.assert_allclose(result.exposure.variance, photons, rtol=1e-5)


def test_a_dark_with_its_bias_of_another_exposure_time_fails(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    dark = MasterFrame(np.full(SHAPE, 50.0, np.float32), exposure_time_s=60.0, contains_bias=True)
    with pytest.raises(ProcessingError) as caught:
        isr.run(raw_of(data, pedestal), isr.Masters(dark=dark), isr.IsrConfig(doFlat=False), camera)
    assert caught.value.code == "DARK_EXPOSURE_MISMATCH"


@pytest.mark.parametrize("switch", ["doBias", "doDark", "doFlat"])
def test_a_wanted_master_that_is_missing_fails_and_an_unwanted_one_does_not(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray, switch: str
) -> None:
    masters = _masters()
    setattr(masters, switch[2:].lower(), None)
    with pytest.raises(ProcessingError) as caught:
        isr.run(raw_of(data, pedestal), masters, isr.IsrConfig(), camera)
    assert caught.value.code == f"MISSING_{switch[2:].upper()}"
    isr.run(raw_of(data, pedestal), masters, isr.IsrConfig(**{switch: False}), camera)


def test_an_all_saturated_ccd_fails(raw_of: RawMaker, camera: Instrument, pedestal: np.ndarray) -> None:
    with pytest.raises(ProcessingError, match=r"100\.0 %") as caught:
        isr.run(raw_of(np.full(SHAPE, 60000.0), pedestal), _masters(), isr.IsrConfig(), camera)
    assert caught.value.code == "ALL_SATURATED"


def test_one_saturated_amplifier_is_a_caveat(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    data[:, :40] = 60000.0
    result = isr.run(raw_of(data, pedestal), _masters(), isr.IsrConfig(), camera)
    assert [caveat.code for caveat in result.caveats] == ["BAD_AMPLIFIER"]
    assert result.exposure.masked("BAD")[:, :40].all()
    assert not result.exposure.masked("BAD")[:, 46:].any()


def test_a_dead_amplifier_is_not_read(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    data[:, 40:] = 0.0
    masters = _masters()
    masters.defects = [Box(x0=40, y0=0, width=40, height=64)]
    result = isr.run(raw_of(data, pedestal), masters, isr.IsrConfig(), camera)
    assert "ISR_OSCAN_LEVEL1" not in result.metadata
    assert result.exposure.masked("BAD")[:, 40:].all()
    assert result.metadata["badAmplifiers"] == ["1"]


def test_a_raw_of_another_size_is_refused(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    raw = raw_of(data, pedestal)
    raw.pixels = raw.pixels[:-1]
    with pytest.raises(ProcessingError, match="96 x 67") as caught:
        isr.run(raw, _masters(), isr.IsrConfig(), camera)
    assert caught.value.code == "RAW_WRONG_SIZE"


def test_a_workspace_is_used_again_and_holds_nothing_over(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    workspace = Workspace()
    first = isr.run(raw_of(data, pedestal), _masters(), isr.IsrConfig(), camera, workspace).exposure
    kept = (first.image.copy(), first.mask.copy(), first.variance.copy())
    isr.run(raw_of(data[::-1] * 0.5, pedestal), _masters(), isr.IsrConfig(), camera, workspace)
    again = isr.run(raw_of(data, pedestal), _masters(), isr.IsrConfig(), camera, workspace).exposure
    assert again.image is first.image
    for before, after in zip(kept, (again.image, again.mask, again.variance), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_camera_without_a_pixel_scale_is_filled_too(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    unknown = camera.model_copy(update={"pixel_scale_arcsec": 0.0})
    exposure = isr.run(raw_of(data, pedestal), _masters(), isr.IsrConfig(), unknown).exposure
    assert exposure.masked("INTRP").sum() == 21
    assert np.isfinite(exposure.image).all()


def _hsc_raw(ccd: int) -> tuple[RawFrame, np.ndarray]:
    """A mirrored HSC frame whose assembled pixel (x, y) holds 100 + x + 0.01 y above a pedestal of its amplifier."""
    detector = load_instrument("hsc").detector(ccd)
    y, x = np.mgrid[: detector.height, : detector.width]
    truth = (100.0 + x + 0.01 * y).astype(np.float32)
    pixels = np.full((detector.raw_height, detector.raw_width), 5000.0, np.float32)
    for number, amplifier in enumerate(detector.amplifiers):
        assert amplifier.serial_overscan is not None
        pixels[amplifier.raw_data_box.slices] = truth[amplifier.box.slices] + 1000 + 10 * number
        pixels[amplifier.serial_overscan.slices] = 1000 + 10 * number
    axis = 1 if detector.raw_flip == "LR" else 0
    on_disk = np.ascontiguousarray(np.flip(pixels, axis))
    return RawFrame(np.flip(on_disk, axis), {}, detector, VisitInfo(30.0, 30.0), None), truth


@pytest.mark.parametrize("ccd", [16, 100])
def test_hsc_amplifiers_come_to_their_places_after_the_mirroring(ccd: int) -> None:
    raw, truth = _hsc_raw(ccd)
    off = {f"do{name}": False for name in ("Bias", "Dark", "Flat", "Linearize", "Crosstalk", "Interpolate")}
    exposure: Exposure = isr.run(raw, isr.Masters(), isr.IsrConfig(**off), load_instrument("hsc")).exposure
    assert exposure.shape == (4176, 2048)
    np.testing.assert_allclose(exposure.image, truth, atol=2e-3)


def test_a_flat_of_another_filter_is_said(
    raw_of: RawMaker, camera: Instrument, data: np.ndarray, pedestal: np.ndarray
) -> None:
    masters = _masters()
    assert masters.flat is not None
    for filter_, codes in (("HSC-I", ["OTHER_FILTER"]), ("HSC-R", [])):
        masters.flat.header["CALIB_ID"] = f"filter={filter_} calibDate=2013-05-01 ccd=7"
        result = isr.run(raw_of(data, pedestal), masters, isr.IsrConfig(), camera)
        assert [caveat.code for caveat in result.caveats] == codes
