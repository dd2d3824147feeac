"""Depthwise convolution of bytes: exact sums, whatever the signs, zero points and layouts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core
from fastconv.dispatch.cache import PLANS

pytestmark = pytest.mark.skipif(core is None, reason="the compiled core isn't built")


@pytest.fixture(autouse=True)
def _plans_of_this_level(narrow_level):
    """Plans are kept, and what they need of memory is another level's."""
    PLANS.clear()


SIGNS = [("int8", "int8"), ("uint8", "int8"), ("int8", "uint8"), ("uint8", "uint8")]
every_sign = pytest.mark.parametrize("signs", SIGNS, ids="-".join)


def exact(x, weight, x_zero, w_zero, stride, padding):
    """Return sums in int64, product by product."""
    wide = np.pad(
        x.astype(np.int64) - x_zero, ((0, 0), (0, 0), (padding, padding), (padding, padding))
    )
    taps = weight[:, 0].astype(np.int64) - np.reshape(w_zero, (-1, 1, 1))
    size = taps.shape[-1]
    high, wide_out = ((extent - size) // stride + 1 for extent in wide.shape[2:])
    sums = np.zeros((*x.shape[:2], high, wide_out), np.int64)
    for i in range(size):
        for j in range(size):
            seen = wide[:, :, i : i + stride * high : stride, j : j + stride * wide_out : stride]
            sums += seen[..., :high, :wide_out] * taps[:, i, j][:, None, None]
    return sums


def drawn(rng, dtype, shape, extreme):
    ends = np.iinfo(dtype)
    if extreme:
        return rng.choice([ends.min, ends.max], shape).astype(dtype)
    return rng.integers(ends.min, ends.max + 1, shape).astype(dtype)


@every_sign
@settings(max_examples=60, deadline=None)
@given(
    extents=st.tuples(st.integers(1, 90), st.integers(1, 150)), channels=st.integers(1, 5),
    size=st.sampled_from([1, 2, 3, 3, 5, 5, 7]), stride=st.integers(1, 3), last=st.booleans(),
    zeros=st.sampled_from(["none", "one", "each"]), extreme=st.booleans(), odd=st.booleans(),
    seed=st.integers(0, 2**31), threads=st.integers(1, 3),
)  # fmt: skip
def test_sums_and_requantised_ones(
    narrow_level, layouts, signs, extents, channels, size, stride, last, zeros, extreme, odd, seed,
    threads,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    padding = int(rng.integers(0, size))
    extents = tuple(max(extent, size - 2 * padding, 1) for extent in extents)
    x = drawn(rng, signs[0], (2, channels, *extents), extreme)
    weight = drawn(rng, signs[1], (channels, 1, size, size), extreme)
    x_zero = int(drawn(rng, signs[0], (), extreme))
    middle = 128 if signs[1] == "uint8" else 0
    w_zero = {
        "none": middle,
        "one": int(drawn(rng, signs[1], (), extreme)),
        "each": drawn(rng, signs[1], (channels,), extreme),
    }[zeros]
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if odd:
        x, weight = layouts.strided(rng, x), layouts.strided(rng, weight)
    sums = exact(x, weight, x_zero, w_zero, stride, padding)
    options = {
        "stride": stride, "padding": padding, "groups": channels, "threads": threads,
        "algorithm": "depthwise",
    }  # fmt: skip
    y = fastconv.conv2d_integer(x, weight, x_zero, w_zero, **options)
    np.testing.assert_array_equal(y, sums)
    bias = rng.integers(-(2**20), 2**20, channels).astype(np.int32)
    scales = rng.uniform(1e-4, 2e-2, channels).astype(np.float32)
    y_zero = int(drawn(rng, signs[0], (), False))
    y = fastconv.qconv2d(x, 1, x_zero, weight, scales, w_zero, 1, y_zero, bias, **options)
    scaled = (sums + bias[:, None, None]).astype(np.float32) * scales[:, None, None]
    ends = np.iinfo(signs[0])
    expected = np.clip(np.rint(scaled) + y_zero, ends.min, ends.max)
    np.testing.assert_array_equal(y, expected)


@every_sign
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_lines_of_any_length_and_nothing_beside_them(narrow_level, signs, size, stride):
    rng = np.random.default_rng(0)
    for extent in (*range(1, 36), 63, 64, 65, 127, 130):
        x = drawn(rng, signs[0], (1, 2, 5, extent), False)
        weight = drawn(rng, signs[1], (2, 1, size, size), False)
        middle = 128 if signs[1] == "uint8" else 0
        expected = exact(x, weight, 3, middle, stride, size // 2)
        held = np.full((*expected.shape[:3], expected.shape[3] + 2), 7, np.int32)
        out = held[..., 1:-1]
        fastconv.conv2d_integer(
            x, weight, 3, middle, stride, size // 2, groups=2, algorithm="depthwise", out=out
        )
        np.testing.assert_array_equal(out, expected)
        assert (held[..., [0, -1]] == 7).all()
