"""Pooling kernels against loops over windows, fixed, adaptive and arbitrary ones."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core")

INTEGERS = [f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")]
seeds = st.integers(0, 2**32 - 1)
threads = st.integers(1, 3)
floats = st.sampled_from(["float32", "float64"])


def fixed_axis(size, kernel, stride, before, step, outputs):
    """Return the tables of a fixed window, cut where it leaves the input; shares count all."""
    begin, taps = [], []
    for o in range(outputs):
        inside = [i for k in range(kernel) if 0 <= (i := o * stride - before + k * step) < size]
        begin.append(inside[0] if inside else 0)
        taps.append(len(inside))
    return begin, taps, [kernel] * outputs, step


def adaptive_axis(size, outputs):
    begin = [o * size // outputs for o in range(outputs)]
    end = [-((-(o + 1) * size) // outputs) for o in range(outputs)]
    taps = [e - b for b, e in zip(begin, end, strict=True)]
    return begin, taps, taps, 1


@st.composite
def axis_tables(draw, longest):
    size = draw(st.integers(1, longest))
    kind = draw(st.sampled_from(["fixed", "adaptive", "any"]))
    if kind == "adaptive":
        return size, adaptive_axis(size, draw(st.integers(0, longest)))
    if kind == "fixed":
        kernel, stride, step = draw(st.tuples(*[st.integers(1, 3)] * 3))
        before = draw(st.integers(0, kernel))
        outputs = max(0, size + 2 * before - (kernel - 1) * step - 1) // stride + 1
        return size, fixed_axis(size, kernel, stride, before, step, outputs)
    step = draw(st.integers(1, 3))
    row = st.tuples(st.integers(0, size - 1), st.integers(0, size))
    rows = draw(st.lists(row, max_size=longest))
    begin = [b for b, _ in rows]
    taps = [min(t, (size - 1 - b) // step + 1) for b, t in rows]
    return size, (begin, taps, [t + 1 for t in taps], step)


@st.composite
def pools(draw):
    """Draw (spatial extents, tables per axis); the last axis is long enough for whole sweeps."""
    count = draw(st.integers(1, 3))
    drawn = [draw(axis_tables(5)) for _ in range(count - 1)]
    drawn.append(draw(axis_tables(150 if count == 1 else 20)))
    return tuple(size for size, _ in drawn), [tables for _, tables in drawn]


def windows_of(spatial, axes):
    """Yield each output's place, its inputs in order and its share of the divisor."""
    for place in np.ndindex(*[len(begin) for begin, *_ in axes]):
        lines = [
            [begin[o] + k * step for k in range(taps[o])]
            for o, (begin, taps, _, step) in zip(place, axes, strict=True)
        ]
        share = math.prod(size[o] for o, (_, _, size, _) in zip(place, axes, strict=True))
        yield place, list(itertools.product(*lines)), share


def outputs_of(axes):
    return tuple(len(begin) for begin, *_ in axes)


@settings(max_examples=60, deadline=None)
@given(pools(), st.sampled_from(["float32", "float64", *INTEGERS]), st.booleans(), threads, seeds)
def test_max_forward(level, layouts, pool, dtype, with_indices, count, seed):
    rng = np.random.default_rng(seed)
    spatial, axes = pool
    x = rng.integers(0, 4, (1, 2, *spatial))  # many equal maxima
    x = (x - 2 if not dtype.startswith("u") else x).astype(dtype)
    if dtype.startswith("f"):
        x[rng.random(x.shape) < 0.1] = np.nan
        x[rng.random(x.shape) < 0.3] = -np.inf
    x = layouts.strided(rng, x)
    y = layouts.Target(rng, (1, 2, *outputs_of(axes)), dtype)
    indices = layouts.Target(rng, y.array.shape, np.int64)
    wanted = indices.array if with_indices else None
    core.max_forward(core.Windows(axes, spatial), x, y.array, wanted, False, dtype, count)
    y, indices = y.result(), indices.result()
    for place, inputs, _ in windows_of(spatial, axes):
        for c in range(2):
            if not inputs:
                lowest = -np.inf if dtype.startswith("f") else np.iinfo(dtype).min
                assert y[(0, c, *place)] == lowest
                continue
            best, where = -np.inf, inputs[0]
            for at in inputs:
                v = x[(0, c, *at)]
                if v > best or v != v:
                    best, where = v, at
            np.testing.assert_array_equal(y[(0, c, *place)], np.asarray(best, dtype))
            if with_indices:
                assert indices[(0, c, *place)] == np.ravel_multi_index(where, spatial)


def exact_max(windows, shape):
    """Return the maxima and their places by the rules, one item after the other."""
    values, indices = np.empty(shape), np.empty(shape, np.int64)
    x, spatial, axes = windows
    for place, inputs, _ in windows_of(spatial, axes):
        for c in range(shape[1]):
            best, where = -np.inf, inputs[0]
            for at in inputs:
                v = x[(0, c, *at)]
                if v > best or v != v:
                    best, where = v, at
            values[(0, c, *place)] = best
            indices[(0, c, *place)] = np.ravel_multi_index(where, spatial)
    return values, indices


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(9, 70), (5, 1100), (4, 7), (6, 16), (3, 33)])
@pytest.mark.parametrize(("kernel", "stride", "before"), [(3, 2, 1), (3, 1, 1), (2, 2, 0)])
@pytest.mark.parametrize("fill", ["zeros", "infinities", "nan", "lowest", "numbers"])
def test_max_in_vectors_follows_the_rules(level, dtype, shape, kernel, stride, before, fill):
    """Signs of equal zeros and places are those of the first; windows cut by an edge count too."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((1, 2, *shape)).astype(dtype)
    if fill == "zeros":
        x = np.where(rng.random(x.shape) < 0.5, 0.0, -0.0).astype(dtype)
    elif fill == "infinities":
        x[rng.random(x.shape) < 0.2] = np.inf
        x[rng.random(x.shape) < 0.4] = -np.inf
    elif fill == "nan":
        x[rng.random(x.shape) < 0.1] = np.nan
    elif fill == "lowest":
        x[...] = -np.inf
    axes = [
        fixed_axis(n, kernel, stride, before, 1, (n + 2 * before - kernel) // stride + 1)
        for n in shape
    ]
    y = np.empty((1, 2, *outputs_of(axes)), dtype)
    expected, places = exact_max((x, shape, axes), y.shape)
    windows = core.Windows(axes, shape)
    for indices in (np.empty(y.shape, np.int64), None):
        core.max_forward(windows, x, y, indices, False, dtype, 1)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(np.signbit(y), np.signbit(expected))
        if indices is not None:
            np.testing.assert_array_equal(indices, places)


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("channels", [1, 5, 40])
def test_places_do_not_count_inner_channels(level, dtype, channels):
    rng = np.random.default_rng(8)
    x = rng.integers(0, 5, (2, 1, 6, 7, channels)).astype(dtype)
    places = np.arange(channels)
    axes = [
        fixed_axis(6, 3, 2, 1, 1, 3),
        fixed_axis(7, 2, 1, 0, 1, 6),
        (places, np.ones_like(places), np.ones_like(places), 1),
    ]
    y = np.empty((2, 1, 3, 6, channels), dtype)
    indices = np.empty(y.shape, np.int64)
    core.max_forward(core.Windows(axes, x.shape[2:]), x, y, indices, True, dtype, 1)
    for c in range(channels):
        plane, found = np.empty((2, 1, 3, 6), dtype), np.empty((2, 1, 3, 6), np.int64)
        core.max_forward(core.Windows(axes[:2], (6, 7)), x[..., c], plane, found, False, dtype, 1)
        np.testing.assert_array_equal(y[..., c], plane)
        np.testing.assert_array_equal(indices[..., c], found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [3, 30, 1023, 1500])
@pytest.mark.parametrize("rule", [(3, 1, 1), (3, 2, 1), (2, 2, 0), (9, 4, 2), (4, 3, 0)])
def test_averages_of_short_and_long_lines(level, dtype, width, rule):
    """Lines that fit the kernels' own and lines that don't; what was in dx goes."""
    rng = np.random.default_rng(9)
    kernel, stride, before = rule
    outputs = max(0, width + 2 * before - kernel) // stride + 1
    axes = [fixed_axis(5, 2, 2, 0, 1, 2), fixed_axis(width, kernel, stride, before, 1, outputs)]
    windows, spatial = core.Windows(axes, (5, width)), (5, width)
    x = rng.standard_normal((2, 1, *spatial)).astype(dtype)
    y = np.empty((2, 1, 2, outputs), dtype)
    grad, dx = rng.standard_normal(y.shape).astype(dtype), np.full(x.shape, np.nan, dtype)
    core.avg_forward(windows, x, y, None, dtype, 1)
    core.avg_backward(windows, grad, dx, None, dtype, 1)
    expected, expected_dx = np.zeros(y.shape), np.zeros(x.shape)
    for place, inputs, share in windows_of(spatial, axes):
        for at in inputs:
            expected[(..., *place)] += x[(..., *at)] / share
            expected_dx[(..., *at)] += grad[(..., *place)] / share
    eps = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, expected, rtol=0, atol=eps)
    np.testing.assert_allclose(dx, expected_dx, rtol=0, atol=eps)


def test_max_of_the_least_integers(level):
    x = np.full((1, 1, 6), np.iinfo(np.int64).min)
    y, indices = np.zeros((1, 1, 2), np.int64), np.zeros((1, 1, 2), np.int64)
    axis = fixed_axis(6, 3, 3, 0, 1, 2)
    core.max_forward(core.Windows([axis], (6,)), x, y, indices, False, "int64", 1)
    np.testing.assert_array_equal(y, x[:, :, :2])
    np.testing.assert_array_equal(indices, [[[0, 3]]])


@settings(max_examples=60, deadline=None)
@given(pools(), floats, st.none() | st.sampled_from([1, 7, -3]), threads, seeds)
def test_avg(level, layouts, pool, dtype, divisor, count, seed):
    rng = np.random.default_rng(seed)
    spatial, axes = pool
    x = layouts.strided(rng, rng.standard_normal((2, 2, *spatial)).astype(dtype))
    windows = core.Windows(axes, spatial)
    y = layouts.Target(rng, (2, 2, *outputs_of(axes)), dtype)
    core.avg_forward(windows, x, y.array, divisor, dtype, count)
    grad = layouts.strided(rng, rng.standard_normal(y.array.shape).astype(dtype))
    dx = layouts.Target(rng, x.shape, dtype)
    core.avg_backward(windows, grad, dx.array, divisor, dtype, count)

    # Of the terms, and of their sizes.
    sums, sums_dx = np.zeros((2, *y.array.shape)), np.zeros((2, *x.shape))
    for place, inputs, share in windows_of(spatial, axes):
        for at in inputs:
            term = x[(..., *at)].astype(float) / (divisor or share)
            sums[(..., *place)] += term, np.abs(term)
            term = grad[(..., *place)].astype(float) / (divisor or share)
            sums_dx[(..., *at)] += term, np.abs(term)
    eps = np.finfo(dtype).eps
    for got, (expected, size) in ((y.result(), sums), (dx.result(), sums_dx)):
        # No window, and no input's set of windows, has more terms than this.
        terms = max(math.prod(spatial), math.prod(outputs_of(axes)))
        assert (np.abs(got - expected) <= (terms + 2) * eps * size).all()


def lp_term(x, p, absolute):
    return (np.abs(x) if absolute else x) ** p


@settings(max_examples=60, deadline=None)
@given(
    pools(),
    floats,
    st.sampled_from([1.0, 2.0, 3.0, 4.0, 0.5, 2.5]),
    st.booleans(),
    st.integers(0, 9),
    threads,
    seeds,
)
def test_lp(level, layouts, pool, dtype, p, absolute, volume, count, seed):
    rng = np.random.default_rng(seed)
    spatial, axes = pool
    x = rng.standard_normal((1, 2, *spatial)).astype(dtype)
    if p != int(p) and not absolute:
        x = np.abs(x) + np.asarray(0.1, dtype)  # a power of a negative number is NaN
    x = layouts.strided(rng, x)
    windows = core.Windows(axes, spatial)
    y = layouts.Target(rng, (1, 2, *outputs_of(axes)), dtype)
    core.lp_forward(windows, x, y.array, p, volume, absolute, dtype, count)
    y = y.result()
    grad = layouts.strided(rng, rng.standard_normal(y.shape).astype(dtype))
    dx = layouts.Target(rng, x.shape, dtype)
    core.lp_backward(windows, grad, x, y, dx.array, p, volume, absolute, dtype, count)
    dx = dx.result()

    expected, expected_dx, wide = np.zeros(y.shape), np.zeros(x.shape), x.astype(float)
    for place, inputs, share in windows_of(spatial, axes):
        for c in range(2):
            scale = volume / share if volume else 1
            s = scale * sum(lp_term(wide[(0, c, *at)], p, absolute) for at in inputs)
            here = (0, c, *place)
            if not inputs:
                continue
            expected[here] = s if p == 1 else np.nan if s < 0 else s ** (1 / p)
            if y[here] == 0:
                continue
            for at in inputs:
                v = wide[(0, c, *at)]
                slope = lp_term(v, p - 1, absolute) * (np.sign(v) if absolute else 1)
                root = float(y[here]) if p != 1 else 1.0
                expected_dx[(0, c, *at)] += float(grad[here]) * scale * slope / root ** (p - 1)
    # A sum that cancels has no digits left that its root could keep.
    eps = np.finfo(dtype).eps
    safe = absolute or p in (1, 2, 4) or p != int(p)
    if safe:
        np.testing.assert_allclose(y, expected, rtol=16 * eps, atol=64 * eps)
    clear = np.isfinite(expected_dx)
    if safe:
        assert clear.all()
    size = 1 + np.abs(expected_dx[clear]).max(initial=0)
    np.testing.assert_allclose(dx[clear], expected_dx[clear], rtol=0, atol=2000 * eps * size)


def test_lp_follows_both_rules_for_signs(level):
    x = np.array([[[-1.0, 2.0, -3.0]]])
    windows = core.Windows([([0], [3], [3], 1)], (3,))
    torch, onnx = False, True
    for p, absolute, expected in [
        (1, torch, -2),
        (1, onnx, 6),
        (2, torch, 14**0.5),
        (3, torch, np.nan),
        (3, onnx, 36 ** (1 / 3)),
    ]:
        y = np.zeros((1, 1, 1))
        core.lp_forward(windows, x, y, p, 0, absolute, "float64", 1)
        np.testing.assert_allclose(y, [[[expected]]])


def test_lp_gradient_is_nothing_where_the_sum_is_zero(level):
    x, grad, dx = np.zeros((1, 1, 4)), np.ones((1, 1, 2)), np.zeros((1, 1, 4))
    windows = core.Windows([fixed_axis(4, 2, 2, 0, 1, 2)], (4,))
    core.lp_backward(windows, grad, x, np.zeros((1, 1, 2)), dx, 2, 2, False, "float64", 1)
    assert not dx.any()


WINDOWS_REFUSED = [
    ([([0], [4], [1], 1)], (3,)),
    ([([-1], [1], [1], 1)], (3,)),
    ([([3], [1], [1], 1)], (3,)),
    ([([0], [2], [1], 3)], (3,)),
    ([([0], [2**61], [1], 2**61)], (3,)),
    ([([0], [-1], [1], 1)], (3,)),
    ([([0], [1], [-1], 1)], (3,)),
    ([([0], [1], [1], 0)], (3,)),
    ([([0, 1], [1], [1], 1)], (3,)),
    ([([0], [1], [1], 1)], (-3,)),
    ([([2**64], [1], [1], 1)], (3,)),
    ([([0], [1], [1], 1)], (3, 3)),
    ([], ()),
    ([([0], [1], [1], 1)] * 4, (3,) * 4),
    ([([], [], [], 1)] * 2, (2**40, 2**40)),
]


@pytest.mark.parametrize(("axes", "spatial"), WINDOWS_REFUSED)
def test_windows_refuse(axes, spatial):
    with pytest.raises(ValueError, match=r"."):
        core.Windows(axes, spatial)


def test_windows_are_immutable():
    windows = core.Windows([([0], [1], [1], 1)], (3,))
    with pytest.raises(ValueError, match="immutable"):
        windows.__init__([([0], [1], [1], 1)], (9,))


@settings(max_examples=100, deadline=None)
@given(
    x=st.lists(st.integers(0, 4), min_size=2, max_size=6).map(tuple),
    y=st.lists(st.integers(0, 3), min_size=2, max_size=6).map(tuple),
    kinds=st.tuples(st.sampled_from(["f4", "f8"]), st.sampled_from(["f4", "f8"])),
    count=st.integers(-1, 2),
)
def test_wrong_calls_are_refused(x, y, kinds, count):
    windows = core.Windows([fixed_axis(4, 2, 2, 0, 1, 2)] * 2, (4, 4))
    shapes_fit = x[2:] == (4, 4) and y[2:] == (2, 2) and x[:2] == y[:2]
    right = shapes_fit and kinds[0] == kinds[1] and count > 0
    name = np.dtype(kinds[0]).name
    a, b = np.ones(x, kinds[0]), np.ones(y, kinds[1])
    calls = [
        lambda: core.max_forward(windows, a, b, None, False, name, count),
        lambda: core.avg_forward(windows, a, b, None, name, count),
        lambda: core.avg_backward(windows, b, a, None, name, count),
        lambda: core.lp_forward(windows, a, b, 2, 4, False, name, count),
        lambda: core.lp_backward(windows, b, a, b, a.copy(), 2, 4, False, name, count),
    ]
    for call in calls:
        if right:
            call()
        else:
            with pytest.raises(ValueError, match=r"."):
                call()


def test_wrong_parameters_are_refused():
    windows = core.Windows([fixed_axis(4, 2, 2, 0, 1, 2)], (4,))
    x, y = np.ones((1, 1, 4)), np.ones((1, 1, 2))
    with pytest.raises(ValueError, match="divisor"):
        core.avg_forward(windows, x, y, 0, "float64", 1)
    for p in (0, np.inf, np.nan):
        with pytest.raises(ValueError, match="p:"):
            core.lp_forward(windows, x, y, p, 2, False, "float64", 1)
    with pytest.raises(ValueError, match="dtype"):
        core.avg_forward(windows, x, y, None, "int64", 1)
    with pytest.raises(ValueError, match="indices"):
        core.max_forward(windows, x, y, np.zeros((1, 1, 2), np.int32), False, "float64", 1)
    with pytest.raises(ValueError, match="indices"):
        core.max_forward(windows, x, y, np.zeros((1, 1, 3), np.int64), False, "float64", 1)
