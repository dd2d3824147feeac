"""Pools against loops as in a textbook, over all their parameters."""

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core

ALGORITHMS = ["reference"] if core is None else ["compiled", "reference"]
if core is None:  # everything is the reference's then, which says that it is slow
    pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


def window_starts(extent, kernel, stride, pads, dilation, ceil_mode):
    """Return where each window starts, counted from the first element."""
    starts = []
    start = -pads[0]
    reach = (kernel - 1) * dilation + 1
    while True:
        sticks_out = start + reach > extent + pads[1]
        if sticks_out and not ceil_mode:
            return starts
        if sticks_out and starts and starts[-1] + reach >= extent + pads[1]:
            return starts
        if start >= extent:  # in the padding behind
            return starts
        starts.append(start)
        start += stride


def textbook_windows(x, kernel, stride, pads, dilation, ceil_mode):
    """Yield each window of a plane: its place, its elements' places, its taps in the padding.

    Taps past the padding, where ceil_mode may put some, are left out.
    """
    axes = [
        window_starts(extent, *geometry, ceil_mode)
        for extent, *geometry in zip(x.shape, kernel, stride, pads, dilation, strict=True)
    ]
    for place in product(*(range(len(starts)) for starts in axes)):
        first = [starts[o] for starts, o in zip(axes, place, strict=True)]
        elements, padded = [], 0
        for tap in product(*map(range, kernel)):
            at = tuple(f + k * d for f, k, d in zip(first, tap, dilation, strict=True))
            if all(0 <= i < n for i, n in zip(at, x.shape, strict=True)):
                elements.append(at)
            elif all(i < n + p[1] for i, n, p in zip(at, x.shape, pads, strict=True)):
                padded += 1
        yield place, elements, padded


@st.composite
def pools(draw):
    """Draw an array's shape and the keywords of a pool that fits it."""
    ndim = draw(st.integers(1, 3))
    most = {1: 12, 2: 7, 3: 5}[ndim]

    def each(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * ndim))

    kernel, stride, dilation = each(1, 3), each(1, 3), each(1, 2)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    pads = tuple((draw(st.integers(0, r - 1)), draw(st.integers(0, r - 1))) for r in reach)
    extents = tuple(draw(st.integers(r, max(r, most))) for r in reach)
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 5)), *extents)
    geometry = {
        "kernel_size": kernel,
        "stride": stride,
        "padding": pads,
        "dilation": dilation,
        "ceil_mode": draw(st.booleans()),
    }
    return shape, geometry


def textbook(x, geometry, reduce):
    """Return reduce(plane, elements, padded taps) of every window of every plane."""
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    parameters = [geometry[name] for name in names]
    found = [
        [
            (place, reduce(x[n, c], elements, padded))
            for place, elements, padded in textbook_windows(x[n, c], *parameters)
        ]
        for n in range(x.shape[0])
        for c in range(x.shape[1])
    ]
    counts = [1 + max(place[axis] for place, _ in found[0]) for axis in range(x.ndim - 2)]
    return np.array([[value for _, value in plane] for plane in found]).reshape(
        *x.shape[:2], *counts, *np.shape(found[0][0][1])
    )


def called(stem, x, *args, **kwargs):
    """Call the pool of that name and x's number of spatial axes."""
    return getattr(fastconv, f"{stem}{x.ndim - 2}d")(x, *args, **kwargs)


def first_maximum(plane, elements, _):
    best = elements[0]
    for at in elements[1:]:
        if plane[at] > plane[best] or np.isnan(plane[at]):
            best = at
    return plane[best], np.ravel_multi_index(best, plane.shape)


@every_algorithm
@settings(max_examples=60, deadline=None)
@given(pools(), st.randoms(use_true_random=False))
def test_max_pool(algorithm, pool, random):
    shape, geometry = pool
    values = [-2.0, -1.0, 0.0, 1.0, 2.0, np.nan, -np.inf]
    x = np.array(random.choices(values, k=prod(shape))).reshape(shape)

    reference = textbook(
        x, geometry, lambda p, e, _: first_maximum(p, e, _) if e else (-np.inf, -1)
    )
    y = called("max_pool", x, **geometry, algorithm=algorithm)
    np.testing.assert_array_equal(y, reference[..., 0])
    if (reference[..., 1] < 0).any():
        with pytest.raises(ValueError, match=r"dilation: got .* outside"):
            called("max_pool", x, **geometry, return_indices=True, algorithm=algorithm)
        return
    y, indices = called("max_pool", x, **geometry, return_indices=True, algorithm=algorithm)
    np.testing.assert_array_equal(y, reference[..., 0])
    np.testing.assert_array_equal(indices, reference[..., 1])
    assert indices.dtype == np.int64


@every_algorithm
@settings(max_examples=60, deadline=None)
@given(pools(), st.booleans(), st.sampled_from([None, None, 3, -2]), st.integers(0, 2**32 - 1))
def test_avg_pool(algorithm, pool, count_include_pad, divisor, seed):
    shape, geometry = pool
    x = np.random.default_rng(seed).standard_normal(shape)

    def average(plane, elements, padded):
        if not elements:
            return 0.0
        counted = len(elements) + padded * count_include_pad
        return sum(plane[at] for at in elements) / (divisor or counted)

    y = called(
        "avg_pool", x, **geometry, count_include_pad=count_include_pad,
        divisor_override=divisor, algorithm=algorithm,
    )  # fmt: skip
    np.testing.assert_allclose(y, textbook(x, geometry, average), rtol=1e-12, atol=1e-14)


@every_algorithm
@settings(max_examples=100, deadline=None)
@given(pools(), st.sampled_from([1, 2, 2.5, 3, 4, -1, np.inf]), st.integers(0, 2**32 - 1))
def test_lp_pool(algorithm, pool, norm, seed):
    shape, geometry = pool
    x = np.random.default_rng(seed).uniform(0.5, 2, shape)
    volume = prod(geometry["kernel_size"])
    sizes = textbook(x, geometry, lambda plane, elements, padded: len(elements))
    if norm == np.inf and not sizes.all():
        with pytest.raises(ValueError, match=r"dilation: got .* outside"):
            called("lp_pool", x, norm, **geometry, algorithm=algorithm)
        return

    def power_average(plane, elements, padded):
        if not elements:
            return 0.0
        if norm == np.inf:
            return max(plane[at] for at in elements)
        mean = sum(plane[at] ** norm for at in elements) / (len(elements) + padded)
        return (mean * volume) ** (1 / norm)

    y = called("lp_pool", x, norm, **geometry, algorithm=algorithm)
    np.testing.assert_allclose(y, textbook(x, geometry, power_average), rtol=1e-12)


@every_algorithm
@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_adaptive_pools(algorithm, data, ndim, seed):
    extents = data.draw(st.tuples(*[st.integers(1, 7)] * ndim))
    counts = data.draw(st.tuples(*[st.integers(1, 9)] * ndim))
    x = np.random.default_rng(seed).integers(-4, 5, (2, 3, *extents)).astype(float)
    average = called("adaptive_avg_pool", x, counts, algorithm=algorithm)
    largest, indices = called(
        "adaptive_max_pool", x, counts, return_indices=True, algorithm=algorithm
    )
    for place in np.ndindex(counts):
        some = tuple(
            slice(o * n // s, -(-(o + 1) * n // s))
            for o, n, s in zip(place, extents, counts, strict=True)
        )
        window = x[(..., *some)].reshape(2, 3, -1)
        np.testing.assert_allclose(average[(..., *place)], window.mean(-1), atol=1e-14)
        np.testing.assert_array_equal(largest[(..., *place)], window.max(-1))
        numbers = np.arange(prod(extents)).reshape(extents)[some].reshape(-1)
        np.testing.assert_array_equal(indices[(..., *place)], numbers[window.argmax(-1)])


@every_algorithm
@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.integers(1, 3),
    st.sampled_from(["float64", "int8", "bool", "complex64", "float16"]),
    st.integers(0, 2**32 - 1),
)
def test_max_unpool(algorithm, data, ndim, dtype, seed):
    extents, kernel = (data.draw(st.tuples(*[st.integers(1, 4)] * ndim)) for _ in range(2))
    size = tuple(
        n * k + data.draw(st.integers(1 - k, k - 1)) for n, k in zip(extents, kernel, strict=True)
    )
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2 if dtype == "bool" else 9, (2, 3, *extents)).astype(dtype)
    indices = rng.integers(0, prod(size), x.shape)
    expected = np.zeros((2, 3, prod(size)), dtype)
    for n, c, *place in np.ndindex(x.shape):
        expected[n, c, indices[(n, c, *place)]] = x[(n, c, *place)]
    y = called("max_unpool", x, indices, kernel, output_size=size, algorithm=algorithm)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, expected.reshape(2, 3, *size))
    back = getattr(fastconv, f"max_unpool{ndim}d_backward")(
        y, x, indices, kernel, output_size=size, algorithm=algorithm
    )
    flat = expected.reshape(6, -1)
    gathered = np.take_along_axis(flat, indices.reshape(6, -1), axis=1)
    np.testing.assert_array_equal(back, gathered.reshape(x.shape))


@pytest.mark.parametrize("name", ["same", "same_lower", "valid"])
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
def test_padding_by_name(name, extent, kernel, stride, dilation):
    x = np.arange(1.0, extent + 1)[None]
    reach = (kernel - 1) * dilation + 1
    count = -(-extent // stride)
    total = max((count - 1) * stride + reach - extent, 0)
    pairs = {"same": (total // 2, total - total // 2), "valid": (0, 0)}
    pair = pairs.get(name, pairs["same"][::-1])
    if extent + sum(pair) < reach:
        with pytest.raises(ValueError, match="max_pool1d: x: got extent"):
            fastconv.max_pool1d(x, kernel, stride, name, dilation)
        return
    y = fastconv.max_pool1d(x, kernel, stride, name, dilation)
    np.testing.assert_array_equal(y, fastconv.max_pool1d(x, kernel, stride, (pair,), dilation))
    if name != "valid":
        assert y.shape == (1, count)


def test_default_stride_is_the_kernel():
    x = np.arange(24.0).reshape(1, 1, 4, 6)
    for function in (fastconv.max_pool2d, fastconv.avg_pool2d):
        expected = function(x, (2, 3), (2, 3))
        np.testing.assert_array_equal(function(x, (2, 3)), expected)
        np.testing.assert_array_equal(function(x, (2, 3), ()), expected)
    assert fastconv.lp_pool2d(x, 2, (2, 3)).shape == (1, 1, 2, 2)


def test_adaptive_output_sizes():
    x = np.zeros((2, 3, 4, 6))
    assert fastconv.adaptive_avg_pool2d(x, 5).shape == (2, 3, 5, 5)
    assert fastconv.adaptive_avg_pool2d(x, (None, 2)).shape == (2, 3, 4, 2)
    assert fastconv.adaptive_max_pool2d(x, None).shape == (2, 3, 4, 6)
    assert fastconv.adaptive_avg_pool2d(x, (0, 2)).shape == (2, 3, 0, 2)


def test_unpooling_takes_a_whole_shape():
    y, indices = fastconv.max_pool2d(np.arange(25.0).reshape(1, 1, 5, 5), 2, return_indices=True)
    expected = fastconv.max_unpool2d(y, indices, 2, output_size=(5, 5))
    assert expected.shape == (1, 1, 5, 5)
    whole = fastconv.max_unpool2d(y, indices, 2, output_size=(1, 1, 5, 5))
    np.testing.assert_array_equal(whole, expected)
    last = fastconv.max_unpool2d(
        y.transpose(0, 2, 3, 1), indices.transpose(0, 2, 3, 1), 2,
        output_size=(1, 5, 5, 1), layout="NHWC",
    )  # fmt: skip
    np.testing.assert_array_equal(last.transpose(0, 3, 1, 2), expected)


def test_one_window_with_a_huge_stride_or_kernel():
    x = np.arange(4.0)[None]
    np.testing.assert_array_equal(fastconv.max_pool1d(x, 4, 2**40), [[3]])
    np.testing.assert_array_equal(
        fastconv.avg_pool1d(x, 2**40, 1, 2**39, count_include_pad=False), np.full((1, 5), 1.5)
    )
