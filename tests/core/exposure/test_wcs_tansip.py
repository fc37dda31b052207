"""TAN-SIP: forward and inverse against astropy.wcs, headers as cameras and solvers write them, mirroring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import FK4, FK5, SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

from safelight.errors import ProcessingError
from safelight.exposure import TanSipWcs, angular_separation
from safelight.exposure.wcs import header_without_wcs

SIP_A = np.array([[0.0, 0.0, 1.4e-7, 2e-11], [0.0, -6.4e-9, 1e-11, 0.0], [-5.3e-8, 3e-12, 0.0, 0.0], [4e-11, 0, 0, 0]])
SIP_B = np.array([[0.0, 0.0, -1.9e-7, 1e-11], [0.0, -1e-7, 2e-11, 0.0], [-9e-8, 1e-12, 0.0, 0.0], [-2e-11, 0, 0, 0]])


def _wcs(ra: float = 65.2, dec: float = -54.95) -> TanSipWcs:
    cd = np.array([[3.05e-4, 1.71e-4], [-1.71e-4, 3.05e-4]])
    return TanSipWcs(np.array([591.8, 488.6]), np.array([ra, dec]), cd, SIP_A, SIP_B)


def _pixels() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.uniform(-50, 2098, 2000), rng.uniform(-50, 4226, 2000)


@pytest.mark.parametrize(
    ("ra", "dec"), [(65.2, -54.95), (0.0005, 12.0), (359.9995, -3.0), (200.0, 89.95), (7.0, -89.9)]
)
def test_pixels_and_sky_agree_with_astropy_both_ways(ra: float, dec: float) -> None:
    wcs = _wcs(ra, dec)
    x, y = _pixels()
    sky = wcs.pixel_to_sky(x, y)
    expected = wcs.to_astropy().all_pix2world(x, y, 0)
    assert np.max(angular_separation(*sky, *expected)) < 1e-12
    back = wcs.sky_to_pixel(*sky)
    np.testing.assert_allclose(back, [x, y], atol=1e-8, rtol=0)
    np.testing.assert_allclose(back, wcs.to_astropy().all_world2pix(*sky, 0, tolerance=1e-9), atol=1e-6, rtol=0)


def test_a_header_round_trip_gives_back_the_same_wcs() -> None:
    wcs = _wcs()
    again = TanSipWcs.from_header(fits.Header(wcs.to_header()))
    x, y = _pixels()
    np.testing.assert_allclose(again.pixel_to_sky(x, y), wcs.pixel_to_sky(x, y), atol=1e-12, rtol=0)
    assert wcs.to_header()["CTYPE1"] == "RA---TAN-SIP"
    assert wcs.degree == 3


def test_scalars_give_scalars_and_unreachable_sky_gives_nan() -> None:
    wcs = _wcs()
    assert np.ndim(wcs.pixel_to_sky(3, 4)[0]) == 0
    assert np.isnan(wcs.sky_to_pixel(245.2, 54.95)).all()
    x, y = wcs.sky_to_pixel([65.2, 245.2], [-54.95, 54.95])
    np.testing.assert_allclose([x[0], y[0]], wcs.crpix, atol=1e-9)
    assert np.isnan(x[1])
    assert np.isnan(y[1])


@pytest.mark.parametrize("lonpole", [180.0, 175.0, 0.0])
def test_rotated_native_poles_are_understood(lonpole: float) -> None:
    header = fits.Header(
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 40.0, "CRVAL2": 20.0, "CRPIX1": 100.0, "CRPIX2": 50.0,
         "CD1_1": -2e-4, "CD1_2": 1e-5, "CD2_1": 2e-5, "CD2_2": 3e-4, "LONPOLE": lonpole}
    )  # fmt: skip
    x, y = _pixels()
    expected = WCS(header).wcs_pix2world(x, y, 0)
    assert np.max(angular_separation(*TanSipWcs.from_header(header).pixel_to_sky(x, y), *expected)) < 1e-11


@pytest.mark.parametrize(
    "scale",
    [
        {"CDELT1": -2e-4, "CDELT2": 3e-4, "CROTA2": 12.0},
        {"CDELT1": -2e-4, "CDELT2": 3e-4, "PC1_1": 0.9, "PC1_2": 0.1, "PC2_1": -0.1, "PC2_2": 1.0},
        {"CDELT1": -2e-4, "CDELT2": 3e-4},
        {"CD1_1": 0.0, "CD1_2": 4.7e-5, "CD2_1": -4.7e-5},
    ],
)
def test_every_spelling_of_the_matrix_agrees_with_astropy(scale: dict[str, float]) -> None:
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 40.0, "CRVAL2": 20.0, "CRPIX1": 10.0, "CRPIX2": 5.0}
    header = fits.Header(cards | scale)
    x, y = _pixels()
    assert (
        np.max(
            angular_separation(*TanSipWcs.from_header(header).pixel_to_sky(x, y), *WCS(header).wcs_pix2world(x, y, 0))
        )
        < 1e-11
    )


def test_swapped_axes_are_understood() -> None:
    header = fits.Header(
        {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": 20.0, "CRVAL2": 40.0, "CRPIX1": 10.0, "CRPIX2": 5.0,
         "CD1_1": 1e-5, "CD1_2": 2e-4, "CD2_1": -3e-4, "CD2_2": 2e-5}
    )  # fmt: skip
    x, y = _pixels()
    dec, ra = WCS(header).wcs_pix2world(x, y, 0)
    assert np.max(angular_separation(*TanSipWcs.from_header(header).pixel_to_sky(x, y), ra, dec)) < 1e-11


@pytest.mark.parametrize(
    ("cards", "frame"),
    [
        ({"RADESYS": "FK5", "EQUINOX": 1975.0}, FK5(equinox=Time(1975.0, format="jyear"))),
        ({"RADESYS": "FK4", "EQUINOX": 1950.0}, FK4(equinox=Time(1950.0, format="byear"))),
        ({"EQUINOX": 1950.0}, FK4(equinox=Time(1950.0, format="byear"))),
        ({"RADECSYS": "FK5"}, FK5(equinox=Time(2000.0, format="jyear"))),
    ],
)
@pytest.mark.parametrize("dec", [62.0, -35.0])
def test_other_equinoxes_are_precessed_to_icrs(cards: dict[str, Any], frame: Any, dec: float) -> None:
    header = fits.Header(
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.0, "CRVAL2": dec, "CRPIX1": 500.0, "CRPIX2": 500.0,
         "CD1_1": -3e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 3e-4} | cards
    )  # fmt: skip
    x, y = np.array([0.0, 999.0, 500.0]), np.array([0.0, 300.0, 999.0])
    plain = fits.Header({k: v for k, v in header.items() if not k.startswith(("RAD", "EQU"))})
    truth = SkyCoord(*WCS(plain).wcs_pix2world(x, y, 0), unit="deg", frame=frame).icrs
    found = TanSipWcs.from_header(header).pixel_to_sky(x, y)
    # FK5 of 2000 is taken as ICRS, which is 25 mas at most; aberration terms of FK4 bend the field by a few mas.
    assert np.max(angular_separation(*found, truth.ra.deg, truth.dec.deg)) * 3600 < 0.03


def test_the_header_of_an_astrometry_net_solution_rewritten_by_others_is_read_with_its_sip_terms(
    shared_data: Path,
) -> None:
    header = fits.getheader(shared_data / "huntsman" / "science.fits")
    assert header["CTYPE1"] == "RA---TAN"
    wcs = TanSipWcs.from_header(header)
    assert wcs.degree == 2
    repaired = header.copy()
    for key in ("PC1_1", "PC1_2", "PC2_1", "PC2_2", "CDELT1", "CDELT2"):
        del repaired[key]
    repaired["CTYPE1"], repaired["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    x, y = np.array([0.0, 999.0, 500.0]), np.array([0.0, 0.0, 999.0])
    expected = WCS(repaired).all_pix2world(x, y, 0)
    assert np.max(angular_separation(*wcs.pixel_to_sky(x, y), *expected)) < 1e-11


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"CTYPE1": "GLON-CAR"}, "GLON-CAR"),
        ({"CTYPE1": None}, "CTYPE1"),
        ({"CRVAL1": None}, "CRVAL1 is missing"),
        ({"CRVAL2": 91.0}, "declination"),
        ({"CD1_1": 0.0, "CD2_1": 0.0}, "singular"),
        ({"CD1_1": "unknown"}, "'unknown'"),
        ({"CD1_1": None, "CD1_2": None, "CD2_1": None, "CD2_2": None}, "neither CD nor CDELT"),
        ({"RADESYS": "GAPPT"}, "GAPPT"),
    ],
)
def test_a_header_without_a_usable_wcs_says_why(change: dict[str, Any], reason: str) -> None:
    header = {key: value for key, value in (_wcs().to_header() | change).items() if value is not None}
    with pytest.raises(ProcessingError, match=reason) as caught:
        TanSipWcs.from_header(header)
    assert caught.value.code == "NO_HEADER_WCS"


@pytest.mark.parametrize("flip", ["none", "LR", "TB"])
def test_a_mirrored_frame_keeps_its_sky(flip: Any) -> None:
    wcs = _wcs()
    mirrored = wcs.mirrored(flip, 2144, 4241)
    x, y = _pixels()
    there = (2143 - x if flip == "LR" else x, 4240 - y if flip == "TB" else y)
    np.testing.assert_allclose(mirrored.pixel_to_sky(*there), wcs.pixel_to_sky(x, y), atol=1e-12, rtol=0)
    np.testing.assert_allclose(
        wcs.shifted(3, -4).pixel_to_sky(x + 3, y - 4), wcs.pixel_to_sky(x, y), atol=1e-12, rtol=0
    )


def test_wcs_cards_and_only_they_are_taken_out_of_a_header() -> None:
    header = _wcs().to_header() | {"EXPTIME": 30.0, "CRVAL": 1, "A_LABEL": "kept", "EQUINOX": 2000.0}
    assert header_without_wcs(header) == {"EXPTIME": 30.0, "CRVAL": 1, "A_LABEL": "kept"}


def test_sip_terms_beyond_their_order_are_refused() -> None:
    with pytest.raises(ProcessingError, match="beyond its order"):
        TanSipWcs(np.zeros(2), np.zeros(2), np.eye(2), np.ones((3, 3)), np.zeros((3, 3)))
