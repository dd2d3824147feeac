"""Gradients of pools on channels that lie innermost, gathered by item: as those that are added."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core

pytestmark = pytest.mark.skipif(core is None, reason="the compiled core isn't built")
LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC")}


def dtype_of(name):
    if name == "bfloat16":
        return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    return np.dtype(name)


every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])


@st.composite
def pools(draw):
    """Draw (shape with channels last, kernel, stride, padding, dilation)."""
    ndim = draw(st.integers(1, 2))
    kernel, stride, dilation = draw(
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 2))
    )
    least = (kernel - 1) * dilation + 1
    extents = draw(st.tuples(*[st.integers(least, least + 9)] * ndim))
    channels = draw(st.integers(4, 70))
    padding = draw(st.integers(0, kernel // 2))
    return (draw(st.integers(1, 3)), *extents, channels), kernel, stride, padding, dilation


def numbers(rng, shape, dtype):
    """Few values, so that maxima are often equal, with zeros of both signs."""
    return np.round(rng.standard_normal(shape) * 3).astype(dtype) * rng.choice([-1, 1], shape)


def first(array):
    """Return an array of channels last as one of channels first, contiguous."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


def bits(array):
    """Return what shows zeros' signs."""
    return array.astype(np.float64).view(np.uint64)


@settings(max_examples=60, deadline=None)
@given(drawn=pools(), seed=st.integers(0, 2**31), threads=st.integers(1, 3))
@every_dtype
def test_maxima_as_they_are_added(level, dtype, drawn, seed, threads):
    rng = np.random.default_rng(seed)
    dtype = dtype_of(dtype)
    shape, *place = drawn
    ndim = len(shape) - 2
    channels_first, channels_last = LAYOUTS[ndim]
    kernel, stride, padding, dilation = place
    parameters = {"stride": stride, "padding": padding, "dilation": dilation}
    x = numbers(rng, shape, dtype).astype(dtype)
    forward = getattr(fastconv, f"max_pool{ndim}d")
    backward = getattr(fastconv, f"max_pool{ndim}d_backward")
    y, indices = forward(x, kernel, **parameters, return_indices=True, layout=channels_last)
    grad = numbers(rng, y.shape, dtype).astype(dtype)
    gathered = backward(
        grad, x, indices, kernel, **parameters, layout=channels_last, threads=threads
    )
    added = backward(
        first(grad), first(x), first(indices), kernel, **parameters, layout=channels_first
    )
    np.testing.assert_array_equal(bits(first(gathered)), bits(added))


@settings(max_examples=60, deadline=None)
@given(
    drawn=pools(), seed=st.integers(0, 2**31), threads=st.integers(1, 3), counts=st.booleans(),
    divisor=st.sampled_from([None, 7, -4]),
)  # fmt: skip
@every_dtype
def test_shares_against_float64(level, dtype, drawn, seed, threads, counts, divisor):
    rng = np.random.default_rng(seed)
    dtype = dtype_of(dtype)
    shape, kernel, stride, padding, dilation = drawn
    ndim = len(shape) - 2
    forward = getattr(fastconv, f"avg_pool{ndim}d")
    backward = getattr(fastconv, f"avg_pool{ndim}d_backward")
    place = (kernel, stride, padding, False, counts, divisor)
    x = np.zeros(shape, dtype)
    y = forward(x, *place, dilation=dilation, layout=LAYOUTS[ndim][1])
    grad = rng.standard_normal(y.shape).astype(dtype)
    result = backward(grad, x, *place, dilation=dilation, layout=LAYOUTS[ndim][1], threads=threads)
    exact = backward(
        first(grad).astype(float), first(x).astype(float), *place, dilation=dilation,
        algorithm="reference", layout=LAYOUTS[ndim][0],
    )  # fmt: skip
    epsilon = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24}.get(dtype.name, 1e-16)
    windows = kernel**ndim
    np.testing.assert_allclose(
        first(result).astype(float), exact, rtol=2 * epsilon,
        atol=(windows + 2) * 2.0**-24 * 4 if dtype != np.float64 else windows * 4e-16,
    )  # fmt: skip


@every_dtype
@pytest.mark.parametrize("where", ["elsewhere", "the same", "the border's"])
def test_indices_from_elsewhere_are_added(level, dtype, where):
    """What the kernel doesn't find among a window's items may not be lost."""
    rng = np.random.default_rng(1)
    dtype = dtype_of(dtype)
    x = rng.standard_normal((2, 9, 7, 20)).astype(dtype)
    y, indices = fastconv.max_pool2d(x, 3, 2, 1, return_indices=True, layout="NHWC")
    if where == "elsewhere":
        indices[...] = rng.integers(0, 63, indices.shape)
    elif where == "the same":
        indices[...] = 62
    else:
        indices[:, 1, 0] = 2 * 7 - 1  # of the row above's last item, left of the first window
    result = fastconv.max_pool2d_backward(y, x, indices, 3, 2, 1, layout="NHWC")
    expected = np.zeros((2, 63, 20))
    for n, h, w, c in np.ndindex(*y.shape):
        expected[n, indices[n, h, w, c], c] += float(y[n, h, w, c])
    np.testing.assert_allclose(
        result.astype(float), expected.reshape(2, 9, 7, 20), rtol=2.0**-7, atol=1e-5
    )


@every_dtype
@pytest.mark.parametrize("wrong", [-1, 63, 2**32 + 5, -(2**63)])
def test_indices_outside_the_plane_are_refused(level, dtype, wrong):
    """Of 2^32 + 5, an index of 32 bits would be 5."""
    x = np.arange(9 * 7 * 20, dtype=np.float32).reshape(1, 9, 7, 20).astype(dtype_of(dtype))
    y, indices = fastconv.max_pool2d(x, 3, 2, 1, return_indices=True, layout="NHWC")
    indices[0, 1, 0, 5] = wrong
    with pytest.raises(ValueError, match=f"indices: got an index of {wrong}"):
        fastconv.max_pool2d_backward(y, x, indices, 3, 2, 1, layout="NHWC")


def test_strides_that_a_row_does_not_have(level):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 9, 7, 40)).astype(np.float32)
    y, indices = fastconv.max_pool2d(x, 3, 2, 1, return_indices=True, layout="NHWC")
    wide = np.repeat(y, 2, axis=-1)[..., ::2]
    expected = fastconv.max_pool2d_backward(y, x, indices, 3, 2, 1, layout="NHWC")
    result = fastconv.max_pool2d_backward(wide, x, indices, 3, 2, 1, layout="NHWC")
    np.testing.assert_array_equal(result, expected)


@every_dtype
def test_what_a_pool_gives_is_not_added(level, dtype, monkeypatch):
    x = np.random.default_rng(3).standard_normal((2, 9, 7, 20)).astype(dtype_of(dtype))
    y, indices = fastconv.max_pool2d(x, 3, 2, 1, return_indices=True, layout="NHWC")
    monkeypatch.delattr(core, "scatter_add")
    result = fastconv.max_pool2d_backward(y, x, indices, 3, 2, 1, layout="NHWC")
    assert np.count_nonzero(result.astype(float)) > 0
