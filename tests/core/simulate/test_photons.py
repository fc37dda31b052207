"""Light and noise come out as stated: sky, Poisson noise, gains, stars, galaxies, colours."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.simulate.frame import FrameSimulator
from safelight.simulate.galaxies import shoot_galaxies
from safelight.simulate.photometry import camera_magnitudes
from safelight.simulate.psf import PsfField, draw_stars, moffat_alpha, visit_psf
from safelight.simulate.streams import Stream, generator, kernel_state, photon_noise

from .conftest import NO_SOURCES, FixedSky, make_sources


def _signal(instrument, pixels):
    """Bias-subtracted ADU of the data boxes, one array an amplifier, of a frame on disk."""
    detector = instrument.detectors[0]
    frame = pixels[:, ::-1] if detector.raw_flip == "LR" else pixels[::-1]
    return [
        frame[a.raw_data_box.slices].astype(float) - np.median(frame[a.serial_overscan.slices], axis=1, keepdims=True)
        for a in detector.amplifiers
    ]


def test_an_empty_sky_has_its_electrons_and_their_poisson_variance(small, night):
    simulator = FrameSimulator(small, night, FixedSky(NO_SOURCES))
    visit = night.visits[0]
    frames = [_signal(small, simulator.frame(v, 50).pixels) for v in (visit, _same_but(visit, 904026))]
    truth = simulator.frame(visit, 50).truth
    response = simulator.character(50, visit.filter, visit.date_obs).response
    for k, amplifier in enumerate(small.detectors[0].amplifiers):
        expected = truth.sky_electrons * float(response[amplifier.box.slices].mean())
        electrons = frames[0][k] * amplifier.gain
        assert np.median(electrons) == pytest.approx(expected, rel=0.02)
        # Two exposures differ by their noise alone: fixed patterns go out. Their sky levels differ by some percent.
        ratio = np.median(frames[0][k]) / np.median(frames[1][k])
        difference = frames[0][k] - ratio * frames[1][k]
        spread = 0.7413 * np.subtract(*np.percentile(difference, [75, 25]))
        photon = np.median(frames[0][k]) / amplifier.gain * (1 + ratio)
        read = (amplifier.read_noise_adu**2 * (1 + 1 / 16) + 1 / 12) * (1 + ratio**2)
        assert spread**2 == pytest.approx(photon + read, rel=0.05)


def _same_but(visit, number):
    from dataclasses import replace

    return replace(visit, visit=number)


def test_a_30_s_r_frame_has_620_electrons_of_sky(whole_frame):
    _, frame = whole_frame(16)
    assert frame.truth.sky_electrons == pytest.approx(620, rel=0.05)
    assert frame.truth.photometry.sky_adu_per_s == pytest.approx(6.26, rel=0.05)
    assert frame.truth.photometry.zeropoint_mag == pytest.approx(27.1, abs=0.031)


def test_photon_noise_has_the_mean_variance_and_skewness_of_poisson():
    rng = np.random.default_rng(5)
    for mean in (0.3, 8.0, 60.0, 620.0, 5e4):
        image = np.full((600, 600), mean, dtype=np.float32)
        photon_noise(image, rng.standard_normal(image.shape, dtype=np.float32), kernel_state(rng))
        counts = image.astype(float)
        np.testing.assert_array_equal(counts, np.floor(counts))
        assert counts.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / counts.size))
        assert counts.var() == pytest.approx(mean, rel=0.015)
        skewness = ((counts - mean) ** 3).mean() / mean**1.5
        assert skewness == pytest.approx(mean**-0.5, abs=0.03)


@pytest.mark.parametrize(("fwhm", "beta"), [(3.0, 2.8), (4.2, 3.4), (6.0, 3.0)])
def test_a_drawn_star_has_its_total_flux_width_and_place(fwhm, beta):
    image = np.zeros((401, 401), dtype=np.float32)
    x, y = 200.3, 199.6
    alpha = moffat_alpha(fwhm, beta)
    one = np.ones(1)
    draw_stars(image, one * x, one * y, one * 1e6, one * alpha, 0 * one, 0 * one, beta)
    rows, columns = np.mgrid[:401, :401]
    total = float(image.sum(dtype=float))
    # A Moffat keeps (1 + r²/alpha²)^(1 - beta) of its flux outside r.
    outside = (1 + (200.0 / alpha) ** 2) ** (1 - beta)
    assert total == pytest.approx(1e6 * (1 - outside), rel=3e-4)
    near = np.hypot(columns - x, rows - y) < 40
    weights = image * near
    assert (weights * columns).sum() / weights.sum() == pytest.approx(x, abs=0.01)
    assert (weights * rows).sum() / weights.sum() == pytest.approx(y, abs=0.01)
    core = np.hypot(columns - x, rows - y) < fwhm / 2
    inside = 1 - (1 + (fwhm / 2 / alpha) ** 2) ** (1 - beta)
    assert image[core].sum() / 1e6 == pytest.approx(inside, abs=0.06)


def test_pixels_hold_the_profile_integrated_over_them():
    from scipy.integrate import dblquad

    image = np.zeros((41, 41), dtype=np.float32)
    fwhm, beta, x, y = 3.0, 3.0, 20.27, 19.61
    alpha = float(moffat_alpha(fwhm, beta))
    one = np.ones(1)
    draw_stars(image, one * x, one * y, one * 1e5, one * alpha, one * 0.1, one * -0.06, beta)
    e = np.hypot(0.1, -0.06)
    q, angle = (1 - e) / (1 + e), 0.5 * np.arctan2(-0.06, 0.1)

    def profile(v, u):
        long, short = np.cos(angle) * u + np.sin(angle) * v, -np.sin(angle) * u + np.cos(angle) * v
        return (beta - 1) / (np.pi * alpha**2) * (1 + (q * long**2 + short**2 / q) / alpha**2) ** -beta

    for column, row in ((20, 20), (21, 19), (24, 22), (33, 20), (20, 37)):
        u, v = column - x, row - y
        exact, _ = dblquad(profile, u - 0.5, u + 0.5, v - 0.5, v + 0.5)
        assert image[row, column] == pytest.approx(1e5 * exact, rel=2e-3)


def test_the_long_axis_of_a_drawn_star_is_the_ellipticitys():
    image = np.zeros((101, 101), dtype=np.float32)
    one = np.ones(1)
    draw_stars(image, one * 50, one * 50, one * 1e5, one * 4.0, 0 * one, one * 0.2, 3.0)
    rows, columns = np.mgrid[-50:51, -50:51]
    near = image * (np.hypot(rows, columns) < 12)
    assert (near * rows * columns).sum() > 0.05 * (near * (rows**2 + columns**2)).sum()


def test_galaxies_have_their_flux_and_half_of_it_within_the_half_light_radius():
    response = np.full((801, 801), 0.8, dtype=np.float32)
    rows, columns = np.mgrid[:801, :801]
    for index, kept in ((1, 1.0), (4, 0.994)):
        image = np.zeros((801, 801), dtype=np.float32)
        one = np.ones(1)
        shoot_galaxies(
            image,
            response,
            np.random.default_rng(index),
            x=one * 400,
            y=one * 400,
            flux_e=one * 1e6,
            half_light_pixels=one * 20.0,
            axis_ratio=one,
            angle_rad=0 * one,
            sersic_index=np.array([index]),
            alpha=one * 0.01,
            psf_ellipticity_1=0 * one,
            psf_ellipticity_2=0 * one,
            beta=3.0,
        )
        assert image.sum() == pytest.approx(8e5 * kept, rel=0.006)
        assert image[np.hypot(rows - 400, columns - 400) <= 20].sum() == pytest.approx(4e5, rel=0.02)


def test_the_flux_of_a_star_in_the_frame_follows_from_zeropoint_gain_and_response(small, night):
    from safelight.simulate.optics import TrueWcs, true_pointing

    visit = night.visits[0]
    wcs = TrueWcs.of(small, 50, true_pointing(night, visit))
    ra, dec = wcs.pixel_to_sky([48.0, 240.0], [100.0, 300.0])  # amplifiers 0 and 2
    sky = FixedSky(make_sources(ra, dec, np.array([18.0, 18.0])))
    simulator = FrameSimulator(small, night, sky)
    with_stars, truth = (lambda f: (f.pixels, f.truth))(simulator.frame(visit, 50))
    without = FrameSimulator(small, night, FixedSky(NO_SOURCES)).frame(visit, 50).pixels
    response = simulator.character(50, visit.filter, visit.date_obs).response
    for number, amplifier in ((0, 0), (1, 2)):
        added = _signal(small, with_stars)[amplifier] - _signal(small, without)[amplifier]
        detector = small.detectors[0]
        electrons = added.sum() * detector.amplifiers[amplifier].gain
        local = float(response[detector.amplifiers[amplifier].box.slices].mean())
        zeropoint = truth.photometry.zeropoint_mag
        # ADU/s at magnitude 18 - the colour term of a colourless source is its constant, 0.000979 mag
        expected = 30 * 3.3 * 10 ** (0.4 * (zeropoint - 18.000979)) * local
        assert truth.sources.electrons[number] == pytest.approx(expected / local, rel=1e-6)
        assert electrons == pytest.approx(expected, rel=0.02)


def test_camera_magnitudes_follow_the_published_colour_terms(hsc):
    ps1 = {band: np.array([value]) for band, value in zip("grizy", (19.0, 18.2, 17.8, 17.5, 17.4), strict=True)}
    i_z, r_i = 0.3, 0.4
    assert camera_magnitudes(hsc, "HSC-I", ps1)[0] == pytest.approx(
        17.8 + 0.000979 - 0.154608 * i_z - 0.010429 * i_z**2
    )
    assert camera_magnitudes(hsc, "HSC-R", ps1)[0] == pytest.approx(
        18.2 - 0.000294 - 0.005458 * r_i - 0.009451 * r_i**2
    )


def test_the_psf_varies_over_the_focal_plane(night):
    psf = visit_psf(night, night.visits[0])
    centre, edge = psf.at(0.0, 0.0), psf.at([270.0, -270.0, 0.0], [0.0, 0.0, 270.0])
    assert centre[0] == pytest.approx(night.visits[0].seeing_arcsec)
    assert np.ptp(edge[1]) > 0.03
    assert np.all(edge[0] != centre[0])
    assert isinstance(psf, PsfField)


def test_streams_are_the_same_for_the_same_keys_and_differ_otherwise():
    assert generator(1, Stream.PHOTONS, 2, 3).integers(2**60) == generator(1, Stream.PHOTONS, 2, 3).integers(2**60)
    draws = {
        generator(1, Stream.PHOTONS, 2, 3).integers(2**60),
        generator(1, Stream.PHOTONS, 3, 2).integers(2**60),
        generator(2, Stream.PHOTONS, 2, 3).integers(2**60),
        generator(1, Stream.READOUT, 2, 3).integers(2**60),
    }
    assert len(draws) == 4
