"""Limits and stretches agree with astropy's."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import visualization
from hypothesis import given
from hypothesis import strategies as st

from safelight_tui.pixels.palette import Colours, colour_table, to_rgb
from safelight_tui.pixels.picture import Picture
from safelight_tui.pixels.scaling import (
    LEVELS,
    OUTSIDE,
    Limits,
    Stretch,
    limits_between,
    limits_of,
    sample_of,
    stretched,
    to_levels,
    zscale,
)


def sky_with_stars(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.normal(620.0, 14.0, (400, 300)).astype(np.float32)
    rows, columns = rng.integers(0, 400, 300), rng.integers(0, 300, 300)
    image[rows, columns] += rng.pareto(1.0, 300) * 200
    return image


@pytest.mark.parametrize("seed", range(5))
def test_zscale_is_astropys(seed: int) -> None:
    sample = sky_with_stars(seed).ravel()[:1000].astype(np.float64)
    assert zscale(sample) == pytest.approx(visualization.ZScaleInterval(n_samples=1000).get_limits(sample), rel=1e-9)


def test_zscale_of_a_regular_sample_shows_the_sky() -> None:
    low, high = zscale(sample_of(sky_with_stars(1)))
    assert 500 < low < 610
    assert 630 < high < 800


@pytest.mark.parametrize("values", [[], [5.0], [1.0, 1.0, 1.0], [0.0, 1e30]])
def test_odd_samples_give_limits_all_the_same(values: list[float]) -> None:
    low, high = zscale(np.array(values))
    assert np.isfinite([low, high]).all()
    assert low <= high
    assert np.isfinite(limits_between(np.array(values), 99.5)).all()


def test_the_middle_of_the_pixels_lies_between_the_limits() -> None:
    sample = sample_of(sky_with_stars(2))
    interval = visualization.PercentileInterval(98)
    assert limits_between(sample, 98) == pytest.approx(interval.get_limits(sample))


def test_a_sample_leaves_out_what_is_not_a_number() -> None:
    image = np.full((100, 100), np.nan, np.float32)
    image[::2] = np.inf
    image[50:60] = 3.0
    assert set(sample_of(image, 10_000)) == {3.0}


@pytest.mark.parametrize(
    ("stretch", "theirs"),
    [
        (Stretch.LINEAR, visualization.LinearStretch()),
        (Stretch.LOG, visualization.LogStretch(1000.0)),
        (Stretch.SQRT, visualization.SqrtStretch()),
        (Stretch.ASINH, visualization.AsinhStretch(0.1)),
    ],
)
def test_stretches_are_astropys(stretch: Stretch, theirs: visualization.BaseStretch) -> None:
    values = np.linspace(-50.0, 1100.0, 500)
    expected = theirs(np.clip((values - 0.0) / 1000.0, 0.0, 1.0))
    assert stretched(values, 0.0, 1000.0, stretch) == pytest.approx(expected, abs=2e-6)


def test_the_histogram_becomes_flat() -> None:
    values = np.random.default_rng(3).exponential(1.0, 20_000)
    levels = to_levels(values, 0.0, values.max(), Stretch.HISTOGRAM)
    counts = np.bincount(levels, minlength=LEVELS)
    assert counts[1:-1].min() > 0.9 * counts[1:-1].max()


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=50),
    st.sampled_from(Stretch),
)
def test_any_pixel_has_a_level_or_is_outside(values: list[float], stretch: Stretch) -> None:
    array = np.array(values, np.float32)
    levels = to_levels(array, 0.0, 100.0, stretch)
    assert ((levels < LEVELS) == ~np.isnan(array)).all()
    assert (levels[np.isnan(array)] == OUTSIDE).all()


def test_stretches_and_palettes_go_round() -> None:
    assert {Stretch.LINEAR.following, Stretch.HISTOGRAM.following} == {Stretch.LOG, Stretch.LINEAR}
    assert Colours.HEAT.following is Colours.GREY


@pytest.mark.parametrize("colours", Colours)
def test_palettes_are_monotonous_and_the_red_one_is_red(colours: Colours) -> None:
    for red_only in (False, True):
        table = colour_table(colours, red_only=red_only).astype(int)
        steps = np.diff(table.sum(axis=1))
        assert (steps < 0).all() if colours is Colours.INVERTED else (steps > 0).all()
        assert not red_only or not table[:, 1:].any()


def test_colours_of_levels_and_of_outside() -> None:
    table = colour_table(Colours.GREY)
    rgb = to_rgb(np.array([[0, LEVELS - 1, OUTSIDE]], np.uint8), table, (1, 2, 3))
    assert rgb.tolist() == [[[8, 8, 8], [238, 238, 238], [1, 2, 3]]]


def test_limits_are_those_of_astropy_and_go_round() -> None:
    rng = np.random.default_rng(11)
    image = rng.normal(100.0, 10.0, (300, 200)).astype(np.float32)
    image[3, 4], image[5, 6] = np.nan, 70_000.0
    finite = image[np.isfinite(image)]
    assert limits_of(Limits.ALL, image) == (finite.min(), 70_000.0)
    for kind, percent in ((Limits.PERCENT_99_5, 99.5), (Limits.PERCENT_99, 99.0), (Limits.PERCENT_95, 95.0)):
        low, high = visualization.PercentileInterval(percent).get_limits(finite)
        np.testing.assert_allclose(limits_of(kind, image), (low, high), atol=1.0)
    assert limits_of(Limits.ZSCALE, image) == zscale(sample_of(image))
    seen, kind = [], Limits.ZSCALE
    for _ in range(5):
        seen.append(kind)
        kind = kind.following
    assert kind is Limits.ZSCALE
    assert set(seen) == set(Limits) - {Limits.MANUAL}
    assert Limits.MANUAL.following is Limits.ZSCALE


def test_limits_of_an_image_without_numbers_are_harmless() -> None:
    nothing = np.full((20, 20), np.nan, np.float32)
    assert {limits_of(kind, nothing) for kind in Limits if kind is not Limits.MANUAL} == {(0.0, 1.0)}
    with pytest.raises(ValueError, match="user's"):
        limits_of(Limits.MANUAL, nothing)


def test_a_picture_keeps_its_limits_until_others_are_chosen() -> None:
    image = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    picture = Picture(image)
    before = picture.limits
    picture.limit(Limits.ZSCALE, None)
    assert picture.limits == before
    picture.limit(Limits.ALL, None)
    assert picture.limits == (0.0, 9999.0)
    picture.limit(Limits.MANUAL, (3.0, 7.0))
    assert picture.limits == (3.0, 7.0)
    picture.limit(Limits.ZSCALE, (3.0, 7.0))
    assert picture.limits == before
