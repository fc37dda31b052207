"""Triangles of the HTM mesh: the ids of the real shards, and agreement between circles and positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight.errors import UsageError
from safelight.exposure import tan_deproject
from safelight.refcats import shard_ids, shard_of


def test_the_tutorials_field_lies_in_its_two_shards() -> None:
    assert shard_ids(321.1, -0.45, 0.05) == [189584]
    assert shard_ids(320.7, -0.3, 0.05) == [189648]
    assert shard_ids(320.9, -0.38, 0.25) == [189584, 189648]
    assert shard_of([320.9], [-0.3]).tolist() == [189584]


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0.01, 1.0), st.floats(-1, 1), st.floats(-1, 1))
def test_a_position_within_a_circle_lies_in_one_of_its_triangles(
    ra: float, dec: float, radius: float, x: float, y: float
) -> None:
    if np.hypot(x, y) > 0.999:
        return
    inside = tan_deproject(x * radius, y * radius, ra, dec)
    assert int(shard_of([float(inside[0])], [float(inside[1])])[0]) in shard_ids(ra, dec, radius)


@pytest.mark.parametrize(("depth", "first"), [(0, 8), (3, 512), (7, 131072)])
def test_depth_sets_the_range_of_ids(depth: int, first: int) -> None:
    everywhere = shard_of(np.linspace(0, 359, 300), np.degrees(np.arcsin(np.linspace(-1, 1, 300))), depth)
    assert everywhere.min() >= first
    assert everywhere.max() < 2 * first


@pytest.mark.parametrize(("ra", "dec", "radius"), [(0, 91, 1), (float("nan"), 0, 1), (0, 0, -1), (0, 0, float("inf"))])
def test_what_is_no_circle_is_refused(ra: float, dec: float, radius: float) -> None:
    with pytest.raises(UsageError, match="is not a circle on the sky"):
        shard_ids(ra, dec, radius)
