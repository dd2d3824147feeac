"""What products in fewer bits do besides multiplying, against NumPy's arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv

core = pytest.importorskip("fastconv.cpu._core")

seeds = st.integers(0, 2**31)
threads = st.integers(1, 3)
lengths = st.one_of(st.integers(1, 70), st.integers(16300, 40000))


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 5), row=lengths, seed=seeds, threads=threads, nan=st.booleans())
def test_reach(level, rows, row, seed, threads, nan):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, row)).astype(np.float32) * 10.0 ** rng.integers(
        -44, 30, (rows, 1)
    )
    x = x.astype(np.float32)
    if nan:
        x[-1, rng.integers(row)] = np.nan
    most = np.empty((rows, core.reach_parts(1, row)), np.float32)
    core.reach(x, most, rows, threads)
    np.testing.assert_array_equal(most.max(1), np.abs(x).max(1))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 5), row=lengths, seed=seeds, threads=threads, signed=st.booleans(),
    size=st.sampled_from([1e-44, 1.0, 1e5, 1e38]),
)  # fmt: skip
def test_quantize(level, rows, row, seed, threads, signed, size):
    """Halves go to even integers; what is out of range, infinity included, saturates."""
    rng = np.random.default_rng(seed)
    scales = (rng.uniform(0.5, 2, rows) * np.float32(size) / 100).astype(np.float32)
    scales = np.maximum(scales, np.float32(1e-45))
    with np.errstate(all="ignore"):
        x = (rng.standard_normal((rows, row)) * size).astype(np.float32)
        halves = rng.integers(-260, 260, x.shape).astype(np.float32) / 2
        x = np.where(rng.random(x.shape) < 0.3, halves * scales[:, None], x)
    x = np.ascontiguousarray(x, np.float32)
    x[rng.random(x.shape) < 0.05] = np.inf
    x[rng.random(x.shape) < 0.05] = -np.inf
    low, high = (-128, 127) if signed else (0, 255)
    zero = int(rng.integers(low, high + 1))
    found = np.empty(x.shape, np.int8 if signed else np.uint8)
    zeros = np.full(rows, zero, np.int32)
    assert not core.quantize(x, found, scales, zeros, low, high, row, "float32", threads)
    with np.errstate(all="ignore"):
        steps = np.rint(x / scales[:, None]) + np.float32(zero)
    np.testing.assert_array_equal(found, np.clip(steps, low, high).astype(found.dtype))


@settings(max_examples=40, deadline=None)
@given(
    outer=st.integers(1, 4), channels=st.integers(1, 40), inner=st.sampled_from([1, 3, 49, 900]),
    activation=st.integers(0, 3), seed=seeds, threads=threads,
)  # fmt: skip
def test_rescale(level, outer, channels, inner, activation, seed, threads):
    rng = np.random.default_rng(seed)
    sums = rng.integers(-(2**31), 2**31, (outer, channels, inner)).astype(np.int32)
    factors, bias = rng.uniform(1e-6, 1, (2, channels)).astype(np.float32)
    found = np.empty(sums.shape, np.float32)
    core.rescale(sums, factors, bias, found, inner, activation, 0.25, threads)
    exact = sums * factors[:, None].astype(float) + bias[:, None]
    expected = [
        exact, np.maximum(exact, 0), np.clip(exact, 0, 6), np.where(exact > 0, exact, exact / 4)
    ][activation]  # fmt: skip
    bound = 3 * 2.0**-24 * (np.abs(sums) * factors[:, None].astype(float) + bias[:, None])
    assert (np.abs(found - expected) <= bound).all()


@pytest.mark.parametrize("precision", ["tf32", "bfloat16", "float16"])
@pytest.mark.parametrize("in_place", [False, True])
def test_floats_are_rounded_as_numbers_are(level, precision, in_place):
    bits = np.random.default_rng(0).integers(0, 2**32, 70001, dtype=np.uint64).astype(np.uint32)
    bits[:64] = np.arange(64) << 12 | 0x3F800000  # ties among them
    bits[64:128] = np.arange(64) << 18 | 0x33000000  # as small as float16's smallest numbers
    bits[128:130] = 0x7F7FFFFF, 0xFF800000
    values = bits.view(np.float32)
    with np.errstate(invalid="ignore"):  # of NaN that signal
        expected = fastconv.precision.rounded(values, precision).astype(np.float32)
    found = values.copy() if in_place else np.empty_like(values)
    core.round_floats(found if in_place else values, found, precision, 2)
    np.testing.assert_array_equal(found, expected)


BAD = [
    (lambda: core.reach(np.zeros(5, np.float32), np.zeros(1, np.float32), 2, 1), "no 2 lines"),
    (lambda: core.reach(np.zeros(4, np.float32), np.zeros(1, np.float32), 2, 1), "each part"),
    (lambda: _round(precision="float8"), "expected one of tf32, bfloat16, float16"),
    (lambda: _round(target=np.zeros(3, np.float32)), "expected 16 bytes, got 12"),
    (lambda: _quantize(target=np.zeros(3, np.int8)), "as many items"),
    (lambda: _quantize(scales=np.ones(3, np.float32)), "scales, zeros"),
    (lambda: _quantize(zeros=np.zeros(3, np.int32)), "scales, zeros"),
    (lambda: _quantize(inner=3), "no lines"),
    (lambda: _quantize(low=127), "low < high"),
    (lambda: _quantize(dtype="int8"), "dtype"),
    (lambda: _dequantize(size=2), "size"),
    (lambda: _dequantize(size=4, dtype="float16"), "size"),
    (lambda: _dequantize(target=np.zeros(3, np.float32)), "as many items"),
    (lambda: _rescale(inner=3), "no lines"),
    (lambda: _rescale(bias=np.zeros(3, np.float32)), "bias"),
    (lambda: _rescale(activation=99), "activation"),
]


def _quantize(target=None, scales=None, zeros=None, low=-128, inner=4, dtype="float32"):
    target = np.zeros(4, np.int8) if target is None else target
    scales = np.ones(1, np.float32) if scales is None else scales
    zeros = np.zeros(1, np.int32) if zeros is None else zeros
    core.quantize(np.zeros(4, np.float32), target, scales, zeros, low, 127, inner, dtype, 1)


def _dequantize(target=None, size=1, dtype="float32"):
    target = np.zeros(4, np.float32) if target is None else target
    scales, zeros = np.ones(1, np.float32), np.zeros(1, np.int32)
    core.dequantize(np.zeros(4, np.int8), target, scales, zeros, size, -128, 4, dtype, 1)


def _round(target=None, precision="tf32"):
    target = np.zeros(4, np.float32) if target is None else target
    core.round_floats(np.zeros(4, np.float32), target, precision, 1)


def _rescale(inner=2, bias=None, activation=0):
    two = np.zeros(2, np.float32)
    bias = two if bias is None else bias
    core.rescale(
        np.zeros(8, np.int32), two, bias, np.zeros(8, np.float32), inner, activation, 0.0, 1
    )


@pytest.mark.parametrize(("call", "message"), BAD)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("activation", [None, "relu", "gelu"])
def test_products_in_int8_are_the_same_from_any_memory(level, layout, cut, activation):
    """Arrays in one piece are quantised and scaled by the core, others by NumPy."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 5, 9, 8)), rng.standard_normal((7, 5, 3, 3))
    x, w, bias = x.astype(np.float32), w.astype(np.float32), w[:, 0, 0, 0].astype(np.float32)
    options = {"precision": "int8", "activation": activation, "padding": 1}
    expected = fastconv.conv2d(x, w, bias, **options)
    exact = fastconv.conv2d(x, w, bias, activation=activation, padding=1)
    assert np.abs(expected - exact).max() < 0.5
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    if cut:
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), np.float32)
        wide[..., ::2] = x
        x, w = wide[..., ::2], np.asfortranarray(w)
    for threads_ in (1, 3):
        y = fastconv.conv2d(x, w, bias, layout=layout, threads=threads_, **options)
        y = y if layout == "NCHW" else y.transpose(0, 3, 1, 2)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
