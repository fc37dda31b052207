"""Who judges: reserved stars and folds."""

from __future__ import annotations

import numpy as np

from safelight.calibrate.reserve import assign_folds, hash_fraction, reserved


def test_a_fifth_is_reserved_whatever_the_ids_look_like() -> None:
    for ids in (np.arange(20_000), np.arange(20_000) * 4096 + 7, -np.arange(20_000) * 10**12):
        assert abs(reserved(ids.astype(np.int64), 0.2).mean() - 0.2) < 0.012


def test_the_same_star_is_reserved_in_every_list() -> None:
    ids = np.array([2686112679094697856, 107413209735169903, 5, -9], dtype=np.int64)
    whole = hash_fraction(ids)
    assert np.array_equal(whole[::-1], hash_fraction(ids[::-1]))
    # the published first outputs of splitmix64 for the seeds 0 and 1: they must not change from one release to the next
    published = [0xE220A8397B1DCDAF / 2**64, 0x910A2DEC89025CC1 / 2**64]
    assert np.allclose(hash_fraction(np.array([0, 1], dtype=np.int64)), published, atol=1e-12)


def test_folds_are_equal_and_leave_one_out_when_stars_are_few() -> None:
    folds = assign_folds(np.arange(103, dtype=np.int64), 10)
    assert set(np.bincount(folds)) == {10, 11}
    assert sorted(assign_folds(np.arange(7, dtype=np.int64), 10)) == list(range(7))
