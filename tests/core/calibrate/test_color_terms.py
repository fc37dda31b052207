"""Colour terms: which one, and what it does to magnitudes and errors."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.calibrate.color_terms import apply_color_term, find_color_term
from safelight.errors import ConfigurationError
from safelight.instruments import Instrument
from safelight.instruments.model import ColorTerm
from safelight.refcats import ReferenceCatalog


def catalog(n: int = 4000, seed: int = 0) -> ReferenceCatalog:
    """r and i magnitudes 18 ± 0.02 and 17.2 ± 0.03 as drawn many times."""
    rng = np.random.default_rng(seed)
    magnitudes = {"r": rng.normal(18.0, 0.02, n), "i": rng.normal(17.2, 0.03, n)}
    flux = {band: 10 ** (-0.4 * (m - 31.4)) for band, m in magnitudes.items()}
    error = {"r": flux["r"] * 0.02 / 1.0857362, "i": flux["i"] * 0.03 / 1.0857362}
    zero = np.zeros(n)
    return ReferenceCatalog("ps1_test", np.arange(n), zero, zero, zero, zero, flux, error)


TERM = ColorTerm(catalog="ps1*", filter="r", primary="r", secondary="i", c0=0.01, c1=-0.3, c2=0.2)


def test_the_camera_magnitude_is_the_quadratic_in_the_colour() -> None:
    stars = catalog()
    magnitude, _ = apply_color_term(stars, TERM)
    color = stars.magnitude("r") - stars.magnitude("i")
    assert np.allclose(magnitude, stars.magnitude("r") + 0.01 - 0.3 * color + 0.2 * color**2)


def test_the_error_is_the_scatter_of_repeated_draws() -> None:
    magnitude, error = apply_color_term(catalog(), TERM)
    assert np.median(error) == pytest.approx(magnitude.std(), rel=0.05)


def test_hsc_terms_are_found_by_physical_filter_and_by_band(hsc: Instrument) -> None:
    by_filter = find_color_term(hsc.color_terms, "ps1_pv3_3pi_20170110", "HSC-I", "i")
    by_band = find_color_term(hsc.color_terms, "ps1_pv3_3pi_20170110", "", "i")
    assert by_filter is not None
    assert by_band is not None
    assert (by_filter.c0, by_filter.c1, by_filter.c2) == (0.000979, -0.154608, -0.010429)
    assert by_band.c1 == by_filter.c1
    assert find_color_term(hsc.color_terms, "ps1_pv3_3pi_20170110", "NB0926", "N926") is None
    assert find_color_term(hsc.color_terms, "gaia_dr2_20200414", "HSC-I", "i") is None


def test_a_catalogue_that_fits_two_patterns_is_refused() -> None:
    terms = [TERM, TERM.model_copy(update={"catalog": "*"})]
    with pytest.raises(ConfigurationError) as caught:
        find_color_term(terms, "ps1_test", "", "r")
    assert caught.value.code == "AMBIGUOUS_COLOR_TERMS"


def test_a_missing_flux_gives_no_magnitude_and_no_error() -> None:
    stars = catalog(3)
    stars.flux_njy["i"][1] = np.nan
    magnitude, error = apply_color_term(stars, TERM)
    assert np.isnan(magnitude[1])
    assert np.isnan(error[1])
    assert np.isfinite(magnitude[[0, 2]]).all()
