"""Transposed convolution: the adjoint of convolution, with the output's extents as in PyTorch."""

from dataclasses import replace

import conv_oracle
import numpy as np
import pytest
from conv_support import (
    ALGORITHMS,
    FLOATS,
    LAYOUTS,
    assert_within,
    bound_of,
    convolutions,
    every_algorithm,
    from_layout,
    may_be_slow,
    odd_memory,
    odd_out,
    to_layout,
    values,
    wide,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fastconv

pytestmark = may_be_slow
seeds = st.integers(0, 2**32 - 1)


@st.composite
def transposed(draw):
    """Draw (conv, output_padding): a transposed convolution from conv.y_shape to conv.x_shape.

    It is the adjoint of the convolution `conv`, whose x is as long as the output says.
    """
    conv = draw(convolutions(names=False))
    extra = tuple(
        draw(st.integers(0, max(s, d) - 1)) for s, d in zip(conv.stride, conv.dilation, strict=True)
    )
    inputs = tuple(draw(st.integers(1, (12, 6, 4)[conv.ndim - 1])) for _ in range(conv.ndim))
    outputs = tuple(
        (n - 1) * s + (k - 1) * d + 1 + e - a - b
        for n, s, k, d, e, (a, b) in zip(
            inputs,
            conv.stride,
            conv.weight_shape[2:],
            conv.dilation,
            extra,
            conv.pads,
            strict=True,
        )
    )
    assume(min(outputs) >= 1)
    return replace(conv, x_shape=(*conv.x_shape[:2], *outputs)), extra, inputs


def _oracle(conv, inputs, weight, x):
    """The adjoint in SciPy; where output_padding reaches past another window, that reads zeros."""
    zeros = [(0, more - n) for more, n in zip(conv.y_shape[2:], inputs, strict=True)]
    return conv_oracle.input_grad(conv, weight, np.pad(wide(x), ((0, 0), (0, 0), *zeros)))


@pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
@settings(max_examples=100)
@given(transposed(), st.sampled_from(FLOATS), seeds, st.booleans(), st.booleans())
def test_it_agrees_with_scipy(algorithm, case, dtype, seed, channels_last, into):
    (conv, extra, inputs), rng = case, np.random.default_rng(seed)
    if algorithm == "implicit_gemm" and dtype not in (np.float32, np.float64):
        dtype = np.dtype("float32")
    shape = (conv.x_shape[0], conv.weight_shape[0], *inputs)
    x = odd_memory(rng, to_layout(values(rng, shape, dtype), channels_last))
    weight = odd_memory(rng, values(rng, conv.weight_shape, dtype))
    bias = odd_memory(rng, values(rng, conv.x_shape[1:2], dtype))
    call = (
        conv.function(stem="conv_transpose"), x, weight, bias, conv.stride, conv.padding, extra,
        conv.groups, conv.dilation,
    )  # fmt: skip
    options = {"layout": LAYOUTS[conv.ndim][channels_last], "algorithm": algorithm}
    y_shape = to_layout(np.empty(conv.x_shape, "bool"), channels_last).shape
    y = call[0](*call[1:], **options, out=odd_out(rng, y_shape, dtype) if into else None)
    assert y.dtype == dtype
    x = wide(from_layout(x, channels_last))
    column = wide(bias).reshape(-1, *(1,) * conv.ndim)
    exact = _oracle(conv, inputs, weight, x) + column
    magnitudes = _oracle(conv, inputs, np.abs(wide(weight)), np.abs(x)) + np.abs(column)
    bound = bound_of(*call, **options)
    assert_within(from_layout(y, channels_last), exact, magnitudes, bound, 1)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@settings(max_examples=60)
@given(transposed(), seeds, st.booleans())
def test_its_gradients_are_adjoint_to_it(dtype, case, seed, unbatched):
    (conv, extra, inputs), rng = case, np.random.default_rng(seed)
    x = values(rng, (conv.x_shape[0], conv.weight_shape[0], *inputs), dtype)
    grad, weight = values(rng, conv.x_shape, dtype), values(rng, conv.weight_shape, dtype)
    bias = values(rng, conv.x_shape[1:2], dtype)
    if unbatched:
        x, grad = x[0], grad[0]
    rest = (conv.stride, conv.padding, extra, conv.groups, conv.dilation)
    y = conv.function(stem="conv_transpose")(x, weight, None, *rest)
    dx, dw, db = conv.function("_backward", "conv_transpose")(grad, x, weight, *rest)
    assert dx.shape == x.shape
    scale = np.abs(grad).sum() * max(np.abs(y).max(), 1)
    assert abs(np.vdot(grad, y) - np.vdot(dx, x)) <= 1e-11 * scale
    assert abs(np.vdot(grad, y) - np.vdot(dw, weight)) <= 1e-11 * scale
    with_bias = conv.function(stem="conv_transpose")(x, weight, bias, *rest)
    assert abs(np.vdot(grad, with_bias - y) - np.vdot(db, bias)) <= 1e-11 * scale


@pytest.mark.parametrize("channels_last", [False, True])
@settings(max_examples=40)
@given(transposed(), seeds)
def test_layouts_give_the_same(channels_last, case, seed):
    (conv, extra, inputs), rng = case, np.random.default_rng(seed)
    x = values(rng, (conv.x_shape[0], conv.weight_shape[0], *inputs), "float64")
    grad, weight = values(rng, conv.x_shape, "float64"), values(rng, conv.weight_shape, "float64")
    rest = (conv.stride, conv.padding, extra, conv.groups, conv.dilation)
    backward = conv.function("_backward", "conv_transpose")
    expected = backward(grad, x, weight, *rest)
    layout = LAYOUTS[conv.ndim][channels_last]
    found = backward(
        to_layout(grad, channels_last), to_layout(x, channels_last), weight, *rest, layout=layout
    )
    np.testing.assert_allclose(from_layout(found.x, channels_last), expected.x, 0, 1e-11)
    np.testing.assert_allclose(found.weight, expected.weight, 0, 1e-11)
    np.testing.assert_allclose(found.bias, expected.bias, 0, 1e-11)


@every_algorithm
def test_it_undoes_the_extents_of_a_strided_convolution(algorithm):
    x, weight = np.ones((1, 2, 11, 9)), np.ones((3, 2, 4, 3))
    y = fastconv.conv2d(x, weight, stride=(3, 2), padding=1)
    back = fastconv.conv_transpose2d(
        y, weight, stride=(3, 2), padding=1, output_padding=(0, 0), algorithm=algorithm
    )
    assert back.shape[2:] == ((y.shape[2] - 1) * 3 + 4 - 2, (y.shape[3] - 1) * 2 + 3 - 2)


@every_algorithm
def test_a_stride_past_the_kernel_leaves_gaps_that_hold_the_bias(algorithm):
    y = fastconv.conv_transpose1d(
        [[1.0, 2.0]], [[[1.0, 1.0]]], [10.0], stride=4, output_padding=1, algorithm=algorithm
    )
    np.testing.assert_array_equal(y, [[11, 11, 10, 10, 12, 12, 10]])


@every_algorithm
@pytest.mark.parametrize("name", ["relu", "sigmoid", "gelu"])
def test_an_activation_follows_the_bias_in_the_gaps_too(algorithm, name):
    rng = np.random.default_rng(0)
    x, weight = values(rng, (2, 3, 4, 4), "float32"), values(rng, (3, 2, 2, 2), "float32")
    bias = values(rng, (2,), "float32")
    plain = fastconv.conv_transpose2d(x, weight, bias, stride=3, algorithm=algorithm)
    got = fastconv.conv_transpose2d(x, weight, bias, stride=3, activation=name, algorithm=algorithm)
    identity = np.eye(2, dtype="float32")[..., None, None]
    expected = fastconv.conv2d(plain, identity, activation=name, algorithm="reference")
    np.testing.assert_allclose(got, expected, 1e-5, 1e-6)


def test_no_conjugate_is_taken():
    y = fastconv.conv_transpose1d([[1j]], [[[1j, 2.0]]])
    np.testing.assert_array_equal(y, [[-1, 2j]])


@pytest.mark.parametrize("stride", [7, 1000, 10**6])
def test_huge_strides_are_no_trap(stride):
    y = fastconv.conv_transpose1d([[1.0, 2.0]], [[[3.0, 4.0]]], stride=stride)
    assert y.shape == (1, stride + 2)
    np.testing.assert_array_equal(y[0, [0, 1, stride, stride + 1]], [3, 4, 6, 8])
    assert np.count_nonzero(y) == 4
