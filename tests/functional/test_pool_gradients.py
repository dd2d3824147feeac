"""Gradients of pools: finite differences, and that linear pools' gradients are adjoints."""

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


@st.composite
def fixed_pools(draw):
    """Draw an array's shape and the keywords of a pool that fits it."""
    ndim = draw(st.integers(1, 3))

    def each(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * ndim))

    kernel, stride, dilation = each(1, 3), each(1, 3), each(1, 2)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    pads = tuple((draw(st.integers(0, r - 1)), draw(st.integers(0, r - 1))) for r in reach)
    extents = tuple(draw(st.integers(r, r + 3)) for r in reach)
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 5)), *extents)
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    values = (kernel, stride, pads, dilation, draw(st.booleans()))
    return shape, dict(zip(names, values, strict=True))


def named(stem, x, suffix=""):
    return getattr(fastconv, f"{stem}{x.ndim - 2}d{suffix}")


def slope(function, x, direction, grad):
    """Return the derivative of sum(grad * function(x)) along a direction, by differences."""
    step = 1e-5
    difference = function(x + step * direction) - function(x - step * direction)
    return float(np.sum(grad * difference)) / (2 * step)


@every_algorithm
@settings(max_examples=50, deadline=None)
@given(fixed_pools(), st.booleans(), st.integers(0, 2**32 - 1))
def test_average_is_adjoint(algorithm, pool, counted, seed):
    shape, geometry = pool
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    options = {**geometry, "count_include_pad": counted, "algorithm": algorithm}
    y = named("avg_pool", x)(x, **options)
    grad = rng.standard_normal(y.shape)
    back = named("avg_pool", x, "_backward")(grad, x, **options)
    assert back.shape == x.shape
    np.testing.assert_allclose(np.vdot(grad, y), np.vdot(back, x), rtol=1e-9, atol=1e-11)


@every_algorithm
@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_adaptive_average_is_adjoint(algorithm, data, ndim, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, *data.draw(st.tuples(*[st.integers(1, 6)] * ndim))))
    size = data.draw(st.tuples(*[st.integers(1, 8)] * ndim))
    y = named("adaptive_avg_pool", x)(x, size, algorithm=algorithm)
    grad = rng.standard_normal(y.shape)
    back = named("adaptive_avg_pool", x, "_backward")(grad, x, size, algorithm=algorithm)
    np.testing.assert_allclose(np.vdot(grad, y), np.vdot(back, x), rtol=1e-9, atol=1e-11)


@every_algorithm
@settings(max_examples=50, deadline=None)
@given(fixed_pools(), st.integers(0, 2**32 - 1))
def test_maximum_and_unpooling(algorithm, pool, seed):
    """A maximum pool's gradient is adjoint to reading at the indices, as unpooling's is."""
    shape, geometry = pool
    geometry["dilation"] = 1
    geometry["padding"] = 0
    rng = np.random.default_rng(seed)
    x = rng.permutation(prod(shape)).reshape(shape).astype(float)
    y, indices = named("max_pool", x)(x, **geometry, return_indices=True, algorithm=algorithm)
    grad = rng.standard_normal(y.shape)
    back = named("max_pool", x, "_backward")(grad, x, indices, **geometry, algorithm=algorithm)
    np.testing.assert_allclose(np.vdot(grad, y), np.vdot(back, x), rtol=1e-9)
    direction = rng.standard_normal(shape) * 1e3  # far less than the distance of values
    expected = slope(lambda v: named("max_pool", v)(v, **geometry), x, direction, grad)
    np.testing.assert_allclose(np.vdot(back, direction), expected, rtol=1e-5, atol=1e-4)


@every_algorithm
@settings(max_examples=50, deadline=None)
@given(
    fixed_pools(),
    st.sampled_from([1, 2, 3, 4, 2.5, -1, np.inf, -np.inf]),
    st.integers(0, 2**32 - 1),
)
def test_norm_against_differences(algorithm, pool, norm, seed):
    shape, geometry = pool
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 2, shape)
    if np.isinf(norm):
        geometry["padding"] = 0  # every window needs an element
    if norm in (2, 4, np.inf):
        x *= rng.choice([-1, 1], shape)
    y = named("lp_pool", x)(x, norm, **geometry, algorithm=algorithm)
    grad = rng.standard_normal(y.shape)
    back = named("lp_pool", x, "_backward")(grad, x, norm, **geometry, algorithm=algorithm)
    direction = rng.standard_normal(shape)
    expected = slope(lambda v: named("lp_pool", v)(v, norm, **geometry), x, direction, grad)
    np.testing.assert_allclose(np.vdot(back, direction), expected, rtol=1e-4, atol=1e-5)


@every_algorithm
@pytest.mark.parametrize("norm", [1, 2, 3, 4, 1.5, 0.5, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_norm_of_zero_gives_no_gradient(algorithm, norm, dtype):
    x = np.zeros((1, 2, 6), dtype)
    x[0, 1, 4] = 2
    back = fastconv.lp_pool1d_backward(np.ones((1, 2, 3), dtype), x, norm, 2, algorithm=algorithm)
    assert back.dtype == x.dtype
    assert np.isfinite(back[0, 0]).all()
    assert (back[0, 0] == 0).all()
    assert (back[0, 1, :4] == 0).all()


@every_algorithm
def test_gradient_of_a_negative_divisor(algorithm):
    grad, x = np.array([[[3.0, 6.0]]]), np.zeros((1, 1, 4))
    back = fastconv.avg_pool1d_backward(grad, x, 2, divisor_override=-3, algorithm=algorithm)
    assert back.tolist() == [[[-1, -1, -2, -2]]]


def test_results_are_fresh_and_writable():
    grad = np.ones((1, 1, 2))
    x = np.zeros((1, 1, 2))
    for back in (
        fastconv.avg_pool1d_backward(grad, x, 1),
        fastconv.max_pool1d_backward(grad, x, np.array([[[0, 1]]]), 1),
        fastconv.adaptive_avg_pool1d_backward(grad, x),
    ):
        assert back.flags.writeable
        assert not np.shares_memory(back, grad)
