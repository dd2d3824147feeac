"""Pools of float16 and bfloat16 by kernels that widen them: as float32's, rounded once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core

pytestmark = pytest.mark.skipif(core is None, reason="the compiled core isn't built")
bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
HALVES = {"float16": np.dtype("float16"), "bfloat16": np.dtype(bfloat16)}
every_half = pytest.mark.parametrize("dtype", [*HALVES])


@st.composite
def windows(draw):
    """Draw (shape, kernel, stride, padding, dilation), some lines longer than kernels hold."""
    ndim = draw(st.integers(1, 3))
    longest = draw(st.sampled_from(({1: 2600, 2: 40, 3: 12}[ndim], {1: 60, 2: 9, 3: 5}[ndim])))
    kernel, stride, dilation = draw(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))
    )
    least = (kernel - 1) * dilation + 1
    extents = draw(st.tuples(*[st.integers(least, least + longest)] * ndim))
    padding = draw(st.integers(0, kernel // 2))
    return (
        (draw(st.integers(1, 3)), draw(st.integers(1, 40)), *extents),
        kernel,
        stride,
        padding,
        dilation,
    )


def bits(array):
    """Return what shows zeros' signs; of NaN, that it is one."""
    wide = array.astype(np.float32)
    return np.where(np.isnan(wide), np.float32(7.5), wide).view(np.uint32)


def check(result, wide, dtype, spacings=0.0):
    """Float32's result, rounded; sums in another order may fall onto a neighbour."""
    with np.errstate(all="ignore"):
        expected = wide.astype(HALVES[dtype])
    if not spacings:
        np.testing.assert_array_equal(bits(result), bits(expected))
        return
    spacing = spacings * 2.0 ** (-10 if dtype == "float16" else -7)
    np.testing.assert_allclose(
        result.astype(float), wide.astype(float), rtol=spacing, atol=1e-5 + spacing * 1e-3
    )


@settings(max_examples=40, deadline=None)
@given(
    drawn=windows(), last=st.booleans(), odd=st.booleans(), special=st.booleans(),
    seed=st.integers(0, 2**31), threads=st.integers(1, 3),
)  # fmt: skip
@every_half
def test_as_float32_rounded(level, layouts, dtype, drawn, last, odd, special, seed, threads):
    rng = np.random.default_rng(seed)
    shape, kernel, stride, padding, dilation = drawn
    ndim = len(shape) - 2
    values = np.round(rng.standard_normal(shape) * 3).astype(np.float32)
    values *= rng.choice([-1, 1], shape).astype(np.float32)  # zeros of both signs
    if special:
        values.reshape(-1)[rng.integers(0, values.size, 3)] = np.nan, np.inf, -np.inf
    values = np.moveaxis(values, 1, -1) if last else values
    x = values.astype(HALVES[dtype])
    x = layouts.strided(rng, x) if odd else np.ascontiguousarray(x)
    wide = np.ascontiguousarray(x.astype(np.float32))
    options = {"layout": LAYOUTS[ndim][last], "threads": threads, "algorithm": "compiled"}

    def call(name, *args, **keywords):
        return getattr(fastconv, name.format(f"pool{ndim}d"))(*args, **keywords, **options)

    window = kernel, stride, padding, dilation
    y, indices = call("max_{}", x, *window, return_indices=True)
    largest, places = call("max_{}", wide, *window, return_indices=True)
    np.testing.assert_array_equal(indices, places)
    check(y, largest, dtype)
    check(call("max_{}", x, *window), largest, dtype)
    grad = rng.standard_normal(y.shape).astype(HALVES[dtype])
    wide_grad = grad.astype(np.float32)
    back = call("max_{}_backward", grad, x, indices, *window)
    check(back, call("max_{}_backward", wide_grad, wide, indices, *window), dtype)
    if special:
        return  # infinities of both signs in one sum
    average = call("avg_{}", wide, kernel, stride, padding)
    check(call("avg_{}", x, kernel, stride, padding), average, dtype, 0.501)
    grad = rng.standard_normal(average.shape).astype(HALVES[dtype])
    back = call("avg_{}_backward", grad, x, kernel, stride, padding)
    wide_grad = grad.astype(np.float32)
    check(back, call("avg_{}_backward", wide_grad, wide, kernel, stride, padding), dtype, 0.501)
    for size in (1, 2):
        average = call("adaptive_avg_{}", wide, size)
        check(call("adaptive_avg_{}", x, size), average, dtype, 0.501)
        grad = np.ones(average.shape, HALVES[dtype])
        back = call("adaptive_avg_{}_backward", grad, x)
        check(back, call("adaptive_avg_{}_backward", grad.astype(np.float32), wide), dtype, 0.501)
    norms = call("lp_{}", wide, 2, kernel, stride)
    check(call("lp_{}", x, 2, kernel, stride), norms, dtype, 0.501)


@every_half
@pytest.mark.parametrize("last", [False, True])
def test_gradients_that_meet_are_summed_before_they_are_rounded(level, dtype, last):
    """Of 2^k ones and a large number, float32 keeps all; rounding at each step loses them."""
    large = 2.0 ** (12 if dtype == "float16" else 9)
    grad = np.ones((1, 40, 9, 7), HALVES[dtype])
    grad[..., 0, 0] = large
    indices = np.zeros(grad.shape, np.int64)
    x = np.empty((1, 40, 18, 14), HALVES[dtype])
    layout = "NHWC" if last else "NCHW"
    if last:
        grad, indices, x = (np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (grad, indices, x))
    back = fastconv.max_pool2d_backward(grad, x, indices, 2, layout=layout)
    sums = back.astype(float).sum((1, 2) if last else (2, 3))
    np.testing.assert_array_equal(sums, np.float32(large + 62).astype(HALVES[dtype]).astype(float))


@every_half
@pytest.mark.parametrize("last", [False, True])
def test_an_index_outside_is_named(level, dtype, last):
    indices = np.arange(4).reshape(1, 1, 2, 2).repeat(33, 1)
    indices[0, 17, 1, 0] = 99
    grad, x = np.ones(indices.shape, HALVES[dtype]), np.empty((1, 33, 4, 4), HALVES[dtype])
    if last:
        grad, indices, x = (np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (grad, indices, x))
    layout = "NHWC" if last else "NCHW"
    with pytest.raises(ValueError, match="max_pool2d_backward: indices: got an index of 99"):
        fastconv.max_pool2d_backward(grad, x, indices, 2, layout=layout, threads=2)


@every_half
@pytest.mark.parametrize("plane", [(7, 7), (8, 31), (13, 64), (112, 6)])
def test_threads_change_no_bit(level, dtype, plane):
    x = np.random.default_rng(0).standard_normal((3, 70, *plane)).astype(HALVES[dtype])
    for threads in (2, 5):
        for call in (
            lambda t: fastconv.max_pool2d(x, 3, 2, 1, threads=t),
            lambda t: fastconv.max_pool2d(x, 2, threads=t),
            lambda t: fastconv.avg_pool2d(x, 2, threads=t),
            lambda t: fastconv.avg_pool2d(x, 3, 2, 1, threads=t),
            lambda t: fastconv.adaptive_avg_pool2d(x, 1, threads=t),
            lambda t: (
                fastconv.avg_pool2d_backward(x[:, :, :3, :3], x, 3, 2, threads=t)
                if plane == (7, 7)
                else x
            ),
        ):
            one, some = call(1), call(threads)
            np.testing.assert_array_equal(one.view(np.uint16), some.view(np.uint16))


def test_scratch_memory_is_checked():
    windows_ = core.Windows([([0], [2], [2], 1)], (2,))
    x, y = np.zeros((1, 1, 2), np.float16), np.zeros((1, 1, 1), np.float16)
    few = np.zeros(core.half_pool_scratch(windows_, False) - 1, np.uint8)
    with pytest.raises(ValueError, match="scratch"):
        core.max_forward(windows_, x, y, None, False, "float16", 1, few)
    enough = np.zeros(core.half_indexed_scratch(1, 2, 1), np.uint8)
    with pytest.raises(ValueError, match="clear"):
        core.scatter_add(y, np.zeros((1, 1, 1), np.int64), x, "float16", False, 1, enough)


@every_half
@pytest.mark.parametrize("divisor", [None, 3])
def test_shares_of_windows_side_by_side(level, dtype, divisor):
    """Lines of any length, up to the last item of an array."""
    rng = np.random.default_rng(3)
    for extent in (*range(1, 36), 63, 64, 65):
        grad = rng.standard_normal((2, 3, 4, extent)).astype(HALVES[dtype])
        x = np.zeros((2, 3, 8, 2 * extent), HALVES[dtype])
        options = {"divisor_override": divisor, "algorithm": "compiled"}
        back = fastconv.avg_pool2d_backward(grad, x, 2, **options)
        expected = grad.astype(np.float32) / np.float32(divisor or 4)
        expected = expected.repeat(2, axis=2).repeat(2, axis=3).astype(HALVES[dtype])
        np.testing.assert_array_equal(back.view(np.uint16), expected.view(np.uint16))
