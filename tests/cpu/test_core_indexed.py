"""The kernels whose targets are indices: max pooling's gradient, unpool and its gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core")

SUMMED = ["float32", "float64", "uint8", "int16", "uint32", "int64"]
seeds = st.integers(0, 2**32 - 1)
small = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
threads = st.integers(1, 3)


@st.composite
def cases(draw):
    """Draw (listed shape, plane shape); both have the same axes."""
    plane = draw(small)
    listed = draw(st.lists(st.integers(0, 6), min_size=len(plane), max_size=len(plane)))
    return (2, 3, *listed), (2, 3, *plane)


def indices_for(rng, case):
    listed, plane = case
    return rng.integers(0, math.prod(plane[2:]), listed)


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from(SUMMED), st.booleans(), threads, seeds)
def test_scatter_add(level, layouts, case, dtype, clear, count, seed):
    rng = np.random.default_rng(seed)
    indices = layouts.strided(rng, indices_for(rng, case))
    grad = layouts.strided(rng, rng.integers(0, 9, case[0]).astype(dtype))
    expected = np.full((6, math.prod(case[1][2:])), 0 if clear else 1, dtype)
    planes = np.broadcast_to(np.arange(6).reshape(2, 3, *[1] * (grad.ndim - 2)), grad.shape)
    np.add.at(expected, (planes, indices), grad)
    target = layouts.Target(rng, case[1], dtype, fill=1)
    core.scatter_add(grad, indices, target.array, dtype, clear, count)
    np.testing.assert_array_equal(target.result(), expected.reshape(case[1]))


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from(["u1", "f2", "f4", "f8", "c16", "S5"]), threads, seeds)
def test_unpool_and_gather(level, layouts, case, dtype, count, seed):
    rng = np.random.default_rng(seed)
    indices = layouts.strided(rng, indices_for(rng, case))
    x = layouts.strided(rng, rng.integers(0, 99, case[0]).astype(dtype))
    expected = np.zeros((2, 3, math.prod(case[1][2:])), dtype)
    for place in np.ndindex(x.shape):  # in order: of equal indices the last one wins
        expected[place[:2]][indices[place]] = x[place]
    target = layouts.Target(rng, case[1], dtype)
    core.unpool(x, indices, target.array, count)
    y = target.result()
    np.testing.assert_array_equal(y, expected.reshape(case[1]))

    y = layouts.strided(rng, y)
    back = layouts.Target(rng, case[0], dtype)
    core.gather(y, indices, back.array, count)
    again = np.take_along_axis(y.reshape(2, 3, -1), indices.reshape(2, 3, -1), axis=2)
    np.testing.assert_array_equal(back.result(), again.reshape(case[0]))


@pytest.mark.parametrize("wrong", [-1, 12, 2**62, -(2**63)])
@pytest.mark.parametrize("count", [1, 3])
def test_an_index_outside_its_plane_is_named(wrong, count):
    indices = np.zeros((2, 3, 2, 2), np.int64)
    indices[1, 0, 1, 0] = wrong
    indices[1, 2] = -7  # a later one, in a plane that another thread may reach first
    x, y = np.ones((2, 3, 2, 2), "f4"), np.zeros((2, 3, 3, 4), "f4")
    for call in (
        lambda: core.scatter_add(x, indices, y, "float32", False, count),
        lambda: core.unpool(x, indices, y, count),
        lambda: core.gather(y, indices, x, count),
    ):
        with pytest.raises(ValueError, match=rf"{wrong} in plane \(1, 0\) is not inside \[0, 12\)"):
            call()


@settings(max_examples=100, deadline=None)
@given(
    listed=st.lists(st.integers(0, 4), min_size=2, max_size=6).map(tuple),
    places=st.lists(st.integers(0, 4), min_size=2, max_size=6).map(tuple),
    plane=st.lists(st.integers(0, 4), min_size=2, max_size=6).map(tuple),
    kinds=st.tuples(
        st.sampled_from(["f4", "f8"]), st.sampled_from(["i4", "i8"]), st.sampled_from(["f4", "f8"])
    ),
    value=st.integers(-1, 6),
    same=st.booleans(),
)
def test_wrong_calls_are_refused(listed, places, plane, kinds, value, same):
    if same:
        places = listed
    x, y = np.ones(listed, kinds[0]), np.ones(plane, kinds[2])
    indices = np.full(places, value, kinds[1])
    right = (
        listed == places
        and kinds[1] == "i8"
        and kinds[0] == kinds[2]
        and 3 <= len(listed) <= 5
        and len(listed) == len(plane)
        and listed[:2] == plane[:2]
        and (x.size == 0 or 0 <= value < math.prod(plane[2:]))
    )
    calls = (
        lambda: core.scatter_add(x, indices, y, np.dtype(kinds[2]).name, False, 1),
        lambda: core.unpool(x, indices, y, 1),
        lambda: core.gather(y, indices, x, 1),
    )
    for call in calls:
        if right:
            call()
        else:
            with pytest.raises(ValueError, match=r"."):
                call()
