"""The keys of imexamine tell the truth of a simulated star, and a sentence where there is none."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from astropy.modeling.models import Moffat2D
from numpy.typing import NDArray

from safelight.errors import ProcessingError
from safelight.exposure.wcs import TanSipWcs
from safelight_tui.imexam import EXAMINATIONS, Examination, Target, examine
from safelight_tui.imexam.cuts import vector_cut
from safelight_tui.imexam.stars import centred
from safelight_tui.imexam.target import sexagesimal

X, Y, SIGMA, FLUX, SKY = 60.3, 41.7, 1.9, 40000.0, 200.0
WCS = TanSipWcs(
    crpix=np.array([60.0, 40.0]),
    crval=np.array([320.9, -0.5]),
    cd=np.array([[-0.2 / 3600, 0.0], [0.0, 0.2 / 3600]]),
)


def scene(noise: float = 4.0) -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    rows, columns = np.indices((90, 120))
    star = FLUX / (2 * math.pi * SIGMA**2) * np.exp(-0.5 * ((columns - X) ** 2 + (rows - Y) ** 2) / SIGMA**2)
    return (star + SKY + rng.normal(0.0, noise, star.shape)).astype(np.float32)


def target(x: float = 58.0, y: float = 43.0, **further: object) -> Target:
    return Target(scene(), x, y, wcs=WCS, gain=3.0, **further)  # type: ignore[arg-type]


def numbers(found: Examination) -> list[float]:
    return [float(text) for line in found.lines for text in re.findall(r"-?\d+\.\d+", line)]


def test_the_centre_is_the_stars_wherever_near_it_the_cursor_stands() -> None:
    for x, y in ((58.0, 43.0), (64.0, 38.0), (60.3, 41.7)):
        assert centred(target(x, y)) == pytest.approx((X, Y), abs=0.03)


def test_a_hot_pixel_is_not_taken_for_the_star() -> None:
    image = scene()
    image[46, 54] = 8000.0
    assert centred(Target(image, 58.0, 43.0)) == pytest.approx((X, Y), abs=0.3)


def test_aperture_photometry_finds_flux_magnitude_and_sky_position() -> None:
    found = examine("aperture", target(zeropoint_mag=30.0))
    text = "\n".join(found.lines)
    flux = float(re.search(r"flux (\S+) ±", text)[1])  # type: ignore[index]
    magnitude = float(re.search(r"(\S+) ± \S+ mag \(AB\)", text)[1])  # type: ignore[index]
    assert flux == pytest.approx(FLUX, rel=0.01)
    assert magnitude == pytest.approx(30.0 - 2.5 * math.log10(FLUX), abs=0.01)
    ra, dec = WCS.pixel_to_sky(np.array([found.x]), np.array([found.y]))
    assert sexagesimal(float(ra[0]), float(dec[0])) in text


def test_without_a_zeropoint_the_magnitude_is_called_instrumental() -> None:
    assert "(instrumental)" in "\n".join(examine("aperture", target()).lines)


def test_the_radial_profile_has_the_stars_width_in_pixels_and_arcsec() -> None:
    text = "\n".join(examine("radial_profile", target()).lines)
    pixels, arcsec = re.search(r"FWHM (\S+) px = (\S+)″", text).groups()  # type: ignore[union-attr]
    gaussian = re.search(r"(\S+) px Gaussian", text)[1]  # type: ignore[index]
    assert float(pixels) == pytest.approx(2.3548 * SIGMA, rel=0.01)
    assert float(gaussian) == pytest.approx(2.3548 * SIGMA, rel=0.04)
    assert float(arcsec) == pytest.approx(0.2 * float(pixels), abs=0.01)


@pytest.mark.parametrize("fwhm", [2.0, 3.0, 4.3])
def test_the_direct_width_of_a_moffat_star_is_its_own_wherever_it_lies_between_pixels(fwhm: float) -> None:
    rng = np.random.default_rng(7)
    core = fwhm / (2.0 * math.sqrt(2.0 ** (1.0 / 3.0) - 1.0))
    for x, y in rng.uniform(39.5, 40.5, (4, 2)):
        star = Moffat2D(5000.0, x, y, core, 3.0)
        rows, columns = np.indices((81, 81))
        image = (star(columns, rows) + rng.normal(100.0, 3.0, (81, 81))).astype(np.float32)
        text = "\n".join(examine("radial_profile", Target(image, 40.0, 40.0, search_radius=3.0)).lines)
        assert float(re.search(r"FWHM (\S+) px", text)[1]) == pytest.approx(fwhm, rel=0.015)  # type: ignore[index]
        assert star.fwhm == pytest.approx(fwhm)


def test_the_curve_of_growth_has_half_the_light_within_1_177_sigma() -> None:
    text = "\n".join(examine("growth_curve", target()).lines)
    assert float(re.search(r"half within (\S+) px", text)[1]) == pytest.approx(1.1774 * SIGMA, abs=0.1)  # type: ignore[index]
    assert float(re.search(r"px: (\S+) ADU", text)[1]) == pytest.approx(FLUX, rel=0.02)  # type: ignore[index]


@pytest.mark.parametrize(("kind", "centre"), [("line_fit", X), ("column_fit", Y)])
def test_gaussians_along_line_and_column_find_centre_and_width(kind: str, centre: float) -> None:
    found = numbers(examine(kind, target()))
    assert found[0] == pytest.approx(centre, abs=0.05)
    assert found[1] == pytest.approx(2.3548 * SIGMA, rel=0.03)


def test_statistics_are_those_of_numpy() -> None:
    image = scene()
    box = image[4:25, 9:30].astype(float)
    found = "\n".join(examine("statistics", Target(image, 19.0, 14.0)).lines)
    assert f"mean {box.mean():.3f}  median {np.median(box):.3f}" in found
    assert f"standard deviation {box.std(ddof=1):.3f}" in found


def test_the_pixel_grid_shows_the_very_values_the_upper_row_first() -> None:
    image = scene()
    lines = examine("pixel_grid", Target(image, 20.0, 30.0)).lines
    assert lines[0].split()[-9:] == [str(x) for x in range(16, 25)]
    assert lines[1].split()[0] == "35"
    middle = next(line for line in lines if line.split()[0] == "30").split()
    assert middle[5] == f"[{image[30, 20]:.1f}]"


def test_a_vector_cut_along_a_line_has_that_lines_values() -> None:
    found = vector_cut(Target(scene(), 30.0, 20.0), (10.0, 20.0))
    assert f"median {np.median(scene()[20, 10:31]):.2f}" in found.lines[0]
    with pytest.raises(ProcessingError, match="same pixel"):
        vector_cut(Target(scene(), 30.0, 20.0), (30.2, 20.0))


@pytest.mark.parametrize("kind", sorted(EXAMINATIONS))
@pytest.mark.parametrize("place", [(0.0, 0.0), (119.0, 89.0), (60.0, 42.0)])
def test_every_key_answers_at_corners_and_draws_what_it_is_asked_for(kind: str, place: tuple[float, float]) -> None:
    try:
        found = examine(kind, target(*place, search_radius=4.0))
    except ProcessingError as error:
        refused = error
    else:
        refused = None
    if refused is not None:  # at the corners there is noise, and no Gaussian in it
        assert refused.code == "NO_FIT"
        assert kind in ("line_fit", "column_fit")
        assert place != (60.0, 42.0)
        return
    assert found.lines
    if found.draw is not None:
        for width, height in ((80, 20), (30, 8)):
            drawn = found.draw(width, height)
            assert len(drawn) == height
            assert {sum(len(text) for text, _ in line) for line in drawn} == {width}


@pytest.mark.parametrize("kind", sorted(set(EXAMINATIONS) - {"pixel_grid"}))
def test_a_place_without_pixels_gives_a_sentence(kind: str) -> None:
    empty = np.full((50, 50), np.nan, np.float32)
    with pytest.raises(ProcessingError):
        examine(kind, Target(empty, 25.0, 25.0))
    with pytest.raises(ProcessingError):
        examine(kind, Target(scene(), 500.0, 500.0))


@pytest.mark.parametrize("kind", ["line_fit", "column_fit"])
def test_no_gaussian_is_made_up_where_there_is_none(kind: str) -> None:
    rows, columns = np.indices((60, 60))
    ramp = (200.0 + 3.0 * (columns + rows)).astype(np.float32)
    with pytest.raises(ProcessingError) as caught:
        examine(kind, Target(ramp, 30.0, 30.0))
    assert caught.value.code in ("NO_FIT", "NO_OBJECT")


@pytest.mark.parametrize(("kind", "values"), [("line_cut", scene()[43]), ("column_cut", scene()[:, 58])])
def test_cuts_have_the_values_of_their_line(kind: str, values: NDArray[np.float32]) -> None:
    (text,) = examine(kind, target()).lines
    low, middle, high = np.percentile(values, (1, 50, 99))
    expected = f"median {middle:.2f}  1 % {low:.2f}  99 % {high:.2f}  greatest {values.max():.1f} ADU"
    assert text == expected


def test_the_histogram_is_of_the_pixels_around_the_cursor() -> None:
    box = scene()[5:26, 5:26]
    (text,) = examine("histogram", target(15.0, 15.0)).lines
    assert text == f"441 pixels, median {np.median(box):.2f}, from {box.min():.2f} to {box.max():.2f} ADU"


def test_contours_are_rings_around_the_star() -> None:
    found = examine("contours", Target(scene(0.0), X, Y))
    assert "7 levels" in found.lines[1]
    assert found.draw is not None
    lines = ["".join(text for text, _ in line) for line in found.draw(60, 30)]
    places = [(column, row) for row, line in enumerate(lines) for column, c in enumerate(line) if c > "\u2800"]
    column, row = np.mean(places, axis=0)
    # The star is 0.3 pixel right of and 0.3 above the middle of the 21 pixels, which are 5.9 dots apart.
    assert column == pytest.approx(29.5 + 0.3 * 5.9 / 2, abs=1.0)
    assert row == pytest.approx(14.5 + 0.3 * 5.9 / 4, abs=0.7)


def test_aperture_and_curve_of_growth_agree_with_photutils_alone() -> None:
    from photutils.aperture import CircularAnnulus, CircularAperture, aperture_photometry

    image = scene().astype(np.float64)
    found = "\n".join(examine("aperture", target()).lines)
    flux, radius = (float(re.search(f"{word} (\\S+) ", found)[1]) for word in ("flux", "within"))  # type: ignore[index]
    ring = CircularAnnulus((X, Y), radius + 5, radius + 15).to_mask(method="center").get_values(image)
    summed = aperture_photometry(image - np.median(ring), CircularAperture((X, Y), radius))["aperture_sum"][0]
    assert flux == pytest.approx(summed, rel=0.003)
    growth = "\n".join(examine("growth_curve", target()).lines)
    half = float(re.search(r"half within (\S+) px", growth)[1])  # type: ignore[index]
    assert half == pytest.approx(SIGMA * math.sqrt(2 * math.log(2)), rel=0.05)


def test_bad_pixels_are_left_out() -> None:
    image = scene()
    bad = np.zeros(image.shape, bool)
    bad[12, 14] = True
    image[12, 14] = 1e6
    assert max(numbers(examine("statistics", Target(image, 15.0, 15.0, bad=bad)))) < 1000.0


def test_sexagesimal_agrees_with_astropy() -> None:
    from astropy.coordinates import SkyCoord

    for ra, dec in ((320.9, -0.5), (359.9999999, 89.99), (0.0, -0.0000001), (12.3456789, -45.6789)):
        expected = SkyCoord(ra, dec, unit="deg")
        text = f"{expected.ra.to_string('h', sep=':', precision=3, pad=True)} " + expected.dec.to_string(
            sep=":", precision=2, pad=True, alwayssign=True
        )
        ours = sexagesimal(ra, dec)
        assert ours == text or (dec > -1e-5 and ours.endswith("+00:00:00.00")) or ra > 359.9
    assert sexagesimal(math.nan, 0.0) == ""
