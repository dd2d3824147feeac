"""Weight gradients of groups of few channels that lie side by side."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from grouped_support import (  # noqa: E402
    LAYOUTS,
    arrays,
    bits,
    check,
    every_dtype,
    half,
    layers,
)

import fastconv  # noqa: E402
from fastconv.precision import rounded  # noqa: E402


@settings(max_examples=60, deadline=None)
@given(layer=layers(), seed=st.integers(0, 2**31), threads=st.integers(1, 3), odd=st.booleans())
@every_dtype
def test_weight_gradient_against_float64(level, dtype, layer, seed, threads, odd):
    group, groups, space, kernel, place = layer
    assume(group * np.dtype(dtype).itemsize <= core.vector_bytes())
    rng = np.random.default_rng(seed)
    x, weight, _ = arrays(rng, dtype, group, groups, space, kernel)
    ndim = len(space)
    call = {**place, "groups": groups, "layout": LAYOUTS[ndim]}
    grad = getattr(fastconv, f"conv{ndim}d")(x, weight, algorithm="grouped", **call)
    backward = getattr(fastconv, f"conv{ndim}d_weight_grad")
    exact, sizes = (
        backward(f(x.astype(float)), weight.shape, f(grad.astype(float)), algorithm="reference",
                 **call)
        for f in (np.array, np.abs)
    )  # fmt: skip
    if odd:
        room = np.zeros((2, *(2 * n for n in space), x.shape[-1]), dtype)
        view = room[:, *(slice(None, None, -2),) * ndim]
        view[...] = x
        x = view
    result = backward(x, weight.shape, grad, algorithm="grouped", threads=threads, **call)
    check(result, exact, sizes, dtype, grad[..., 0].size)


@settings(max_examples=40, deadline=None)
@given(layer=layers(), seed=st.integers(0, 2**31))
@pytest.mark.parametrize("narrow", ["float16", "bfloat16", "tf32"])
def test_weight_gradients_of_fewer_bits(level, narrow, layer, seed):
    group, groups, space, kernel, place = layer
    assume(group * 4 <= core.vector_bytes())
    rng = np.random.default_rng(seed)
    x, weight, _ = arrays(rng, "float32", group, groups, space, kernel)
    ndim = len(space)
    call = {**place, "groups": groups, "layout": LAYOUTS[ndim], "algorithm": "grouped"}
    grad = getattr(fastconv, f"conv{ndim}d")(x, weight, **call)
    backward = getattr(fastconv, f"conv{ndim}d_weight_grad")
    if narrow == "tf32":
        result = backward(x, weight.shape, grad, precision=narrow, **call)
        expected = backward(rounded(x, narrow), weight.shape, rounded(grad, narrow), **call)
    else:
        with np.errstate(all="ignore"):
            x, grad = x.astype(half(narrow)), grad.astype(half(narrow))
            result = backward(x, weight.shape, grad, **call)
            expected = backward(
                x.astype(np.float32), weight.shape, grad.astype(np.float32), **call
            ).astype(half(narrow))
    np.testing.assert_array_equal(bits(result), bits(expected))


@pytest.mark.parametrize(("group", "groups"), [(1, 72), (2, 36), (8, 9)])
def test_threads_change_no_bit(level, group, groups):
    if group * 4 > core.vector_bytes():
        pytest.skip("a group does not fit a vector")
    x, weight, _ = arrays(np.random.default_rng(2), "float32", group, groups, (49, 33), (3, 3))
    call = {"padding": 1, "groups": groups, "layout": "NHWC", "algorithm": "grouped"}
    grads = [fastconv.conv2d_weight_grad(x, weight.shape, x, threads=t, **call) for t in (1, 2, 3)]
    np.testing.assert_array_equal(grads[0], grads[1])
    np.testing.assert_array_equal(grads[0], grads[2])


def test_it_is_taken_where_others_leave_lanes_empty():
    x, weight, _ = arrays(np.random.default_rng(4), "float32", 4, 32, (56, 56), (3, 3))
    call = {"padding": 1, "groups": 32, "layout": "NHWC"}
    found = fastconv.explain(fastconv.conv2d_weight_grad, x, weight.shape, x, **call)
    if core.vector_bytes() < 32:
        pytest.skip("groups of 4 fill such vectors")
    assert found.problems[0].chosen.algorithm == "grouped"


@pytest.mark.parametrize("group", [1, 4])
def test_infinities_meet_their_own_taps_alone(level, group):
    x, weight, _ = arrays(np.random.default_rng(9), "float32", group, 24 // group, (9, 9), (3, 3))
    call = {"padding": 1, "groups": 24 // group, "layout": "NHWC", "algorithm": "grouped"}
    x[0, 0, 8, 9] = np.inf  # the last of a row: no output meets it with its first tap
    grad = fastconv.conv2d_weight_grad(x, weight.shape, np.ones_like(x), **call)
    first = 9 // group * group
    expected = np.zeros(grad.shape, bool)
    expected[first : first + group, 9 % group, :2, 1:] = True
    np.testing.assert_array_equal(np.isinf(grad), expected)
    assert not np.isnan(grad).any()


def _grad_kernel(**change):
    geometry = core.Geometry((5, 5), (3, 3), (1, 1), (1, 1), (1, 1), (5, 5))
    pixels = np.zeros((2, 5, 5, 8), np.float32).transpose(0, 3, 1, 2)
    given = {
        "x": pixels,
        "y": pixels,
        "weight": np.zeros((8, 4, 3, 3), np.float32),
        "sums": np.zeros((2, 9, 4, 16), np.float32),
        "splits": 2,
        "dtype": "float32",
        "threads": 1,
    } | change
    core.grouped_grad(geometry, *given.values())


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("sums: expected 3 times", {"splits": 3}),
        ("sums: expected 0 times", {"splits": 0}),
        ("weight: expected shape", {"weight": np.zeros((8, 4, 3, 2), np.float32)}),
        ("weight: expected items", {"weight": np.zeros((8, 4, 3, 3))}),
        ("group: expected", {"weight": np.zeros((8, 3, 3, 3), np.float32)}),
        ("y: .* side by side", {"y": np.zeros((2, 8, 5, 5), np.float32)}),
    ],
)
def test_the_weight_gradient_refuses_before_it_writes(message, change):
    _grad_kernel()
    with pytest.raises(ValueError, match=message):
        _grad_kernel(**change)
