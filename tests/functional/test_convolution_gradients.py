"""Gradients of convolution: against SciPy, finite differences, the adjoint identity and PyTorch."""

import conv_oracle
import numpy as np
import pytest
from conv_support import (
    FLOATS,
    INTEGERS,
    LAYOUTS,
    assert_within,
    bound_of,
    convolutions,
    every_algorithm,
    from_layout,
    may_be_slow,
    needs_core,
    odd_memory,
    odd_out,
    to_layout,
    values,
    wide,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv

pytestmark = may_be_slow
seeds = st.integers(0, 2**32 - 1)


def _served(algorithm, dtype):
    plain = dtype in (np.float32, np.float64)
    return np.dtype("float64") if algorithm == "implicit_gemm" and not plain else dtype


def check_input_grad(conv, dtype, seed, *, channels_last=False, into=False, **policy):
    rng = np.random.default_rng(seed)
    grad = odd_memory(rng, to_layout(values(rng, conv.y_shape, dtype), channels_last))
    weight = odd_memory(rng, values(rng, conv.weight_shape, dtype))
    x_shape = to_layout(np.empty(conv.x_shape, "bool"), channels_last).shape
    layout = LAYOUTS[conv.ndim][channels_last]
    call = (conv.function("_input_grad"), x_shape, weight, grad, *conv.parameters)
    options = {"layout": layout, **policy}
    got = call[0](*call[1:], **options, out=odd_out(rng, x_shape, dtype) if into else None)
    assert got.dtype == (np.float64 if np.dtype(dtype).kind in "biu" else dtype)
    grad = from_layout(grad, channels_last)
    exact = conv_oracle.input_grad(conv, wide(weight).conj(), grad)
    magnitudes = conv_oracle.input_grad(conv, np.abs(wide(weight)), np.abs(wide(grad)))
    got = from_layout(got, channels_last)
    assert_within(got, exact, magnitudes, bound_of(*call, **options), 1)


def check_weight_grad(conv, dtype, seed, *, channels_last=False, into=False, **policy):
    rng = np.random.default_rng(seed)
    x = odd_memory(rng, to_layout(values(rng, conv.x_shape, dtype), channels_last))
    grad = odd_memory(rng, to_layout(values(rng, conv.y_shape, dtype), channels_last))
    layout = LAYOUTS[conv.ndim][channels_last]
    call = (conv.function("_weight_grad"), x, conv.weight_shape, grad, *conv.parameters)
    options = {"layout": layout, **policy}
    out = odd_out(rng, conv.weight_shape, dtype) if into else None
    got = call[0](*call[1:], **options, out=out)
    x, grad = (from_layout(array, channels_last) for array in (x, grad))
    exact = conv_oracle.weight_grad(conv, wide(x).conj(), grad)
    magnitudes = conv_oracle.weight_grad(conv, np.abs(wide(x)), np.abs(wide(grad)))
    assert_within(got, exact, magnitudes, bound_of(*call, **options), 0)


@every_algorithm
@settings(max_examples=100)
@given(convolutions(), st.sampled_from(FLOATS), seeds, st.booleans(), st.booleans())
def test_input_grad_agrees_with_scipy(algorithm, conv, dtype, seed, channels_last, into):
    dtype = _served(algorithm, dtype)
    check_input_grad(conv, dtype, seed, channels_last=channels_last, into=into, algorithm=algorithm)


@every_algorithm
@settings(max_examples=100)
@given(convolutions(), st.sampled_from(FLOATS), seeds, st.booleans(), st.booleans())
def test_weight_grad_agrees_with_scipy(algorithm, conv, dtype, seed, channels_last, into):
    dtype = _served(algorithm, dtype)
    check_weight_grad(
        conv, dtype, seed, channels_last=channels_last, into=into, algorithm=algorithm
    )


def test_every_level_agrees_with_scipy(level):
    @settings(max_examples=30)
    @given(convolutions(), st.sampled_from(FLOATS), seeds)
    def check(conv, dtype, seed):
        check_input_grad(conv, dtype, seed)
        check_weight_grad(conv, dtype, seed)

    check()


@needs_core
def test_many_threads_fit_where_one_does():
    x, weight = np.ones((1, 2, 4, 4)), np.ones((8, 1, 4, 4))
    options = {"padding": ((0, 0), (0, 1)), "groups": 2}
    grad = fastconv.conv2d(x, weight, **options)
    options |= {"algorithm": "implicit_gemm", "workspace_limit": 8192}
    one, many = (
        fastconv.conv2d_input_grad(x.shape, weight, grad, threads=threads, **options)
        for threads in (1, 64)
    )
    np.testing.assert_array_equal(many, one)


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(max_examples=60)
@given(convolutions(), seeds, st.integers(2**13, 2**18))
def test_threads_do_not_change_a_bit(dtype, conv, seed, workspace_limit):
    rng = np.random.default_rng(seed)
    x, grad = values(rng, conv.x_shape, dtype), values(rng, conv.y_shape, dtype)
    weight = values(rng, conv.weight_shape, dtype)
    limits = {"workspace_limit": workspace_limit, "algorithm": "implicit_gemm"}

    def gradients(threads):
        policy = limits | {"threads": threads}
        found = []
        for name, operands in (
            ("_input_grad", (x.shape, weight, grad)),
            ("_weight_grad", (x, weight.shape, grad)),
        ):
            try:
                found.append(conv.function(name)(*operands, *conv.parameters, **policy).tobytes())
            except fastconv.WorkspaceLimitError:
                found.append("over the limit")
        return found

    assert gradients(1) == gradients(2) == gradients(3) == gradients(64)


@pytest.mark.parametrize("channels_last", [False, True])
@settings(max_examples=60)
@given(convolutions(), st.sampled_from(FLOATS + INTEGERS), seeds, st.booleans())
def test_backward_is_its_three_gradients(channels_last, conv, dtype, seed, unbatched):
    rng = np.random.default_rng(seed)
    if unbatched:
        conv = type(conv)(**{**vars(conv), "x_shape": (1, *conv.x_shape[1:])})
    x, grad = values(rng, conv.x_shape, dtype), values(rng, conv.y_shape, dtype)
    x, grad = to_layout(x, channels_last), to_layout(grad, channels_last)
    if unbatched:
        x, grad = x[0], grad[0]
    weight = values(rng, conv.weight_shape, dtype)
    rest = conv.parameters
    layout = {"layout": LAYOUTS[conv.ndim][channels_last]}
    together = conv.function("_backward")(grad, x, weight, *rest, **layout)
    dx = conv.function("_input_grad")(x.shape, weight, grad, *rest, **layout)
    dw = conv.function("_weight_grad")(x, weight.shape, grad, *rest, **layout)
    np.testing.assert_array_equal(together.x, dx)
    np.testing.assert_array_equal(together.weight, dw)
    assert together.x.shape == x.shape
    channel = grad.ndim - 1 if channels_last else grad.ndim - 1 - conv.ndim
    other = tuple(axis for axis in range(grad.ndim) if axis != channel)
    magnitude = np.abs(wide(grad)).sum(axis=other)
    # Sums of at most some thousand terms in at least float32, rounded once.
    unit = 2.0**-8 if together.bias.dtype.itemsize == 2 else 2.0**-11
    assert (np.abs(wide(together.bias) - wide(grad).sum(axis=other)) <= unit * magnitude).all()
    for wanted in (("x",), ("weight", "bias"), (), "bias"):
        some = conv.function("_backward")(grad, x, weight, *rest, wrt=wanted, **layout)
        for name, value in some._asdict().items():
            if name in wanted:
                np.testing.assert_array_equal(value, getattr(together, name))
            else:
                assert value is None


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@settings(max_examples=60)
@given(convolutions(), seeds)
def test_the_gradients_are_adjoint_to_the_convolution(dtype, conv, seed):
    rng = np.random.default_rng(seed)
    x, grad = values(rng, conv.x_shape, dtype), values(rng, conv.y_shape, dtype)
    weight = values(rng, conv.weight_shape, dtype)
    y = conv.function()(x, weight, None, *conv.parameters)
    dx, dw, _ = conv.function("_backward")(grad, x, weight, *conv.parameters)
    # <grad, conv(x, weight)> = <dx, x> = <dw, weight>, with <a, b> = sum of conj(a) b.
    scale = np.abs(grad).sum() * max(np.abs(y).max(), 1)
    assert abs(np.vdot(grad, y) - np.vdot(dx, x)) <= 1e-11 * scale
    assert abs(np.vdot(grad, y) - np.vdot(dw, weight)) <= 1e-11 * scale


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_gradients_are_what_finite_differences_say(ndim, dtype):
    rng = np.random.default_rng(ndim)
    x = values(rng, (2, 4, 5, 4, 3)[: ndim + 2], dtype)
    weight = values(rng, (2, 2, 2, 3, 2)[: ndim + 2], dtype)
    bias = values(rng, (2,), dtype)
    rest = (2, 1, (2, 1, 1)[:ndim], 2)
    function = getattr(fastconv, f"conv{ndim}d")

    def loss(x, weight, bias):
        return (np.abs(function(x, weight, bias, *rest)) ** 2).sum() / 2

    # The gradient of |y|^2 / 2 in y is y itself, complex numbers included.
    y = function(x, weight, bias, *rest)
    found = getattr(fastconv, f"conv{ndim}d_backward")(y, x, weight, *rest)
    step = 1e-5
    operands = {"x": x, "weight": weight, "bias": bias}
    for name, array in operands.items():
        for place in rng.permutation(array.size)[:12]:
            slope = 0
            for unit in (1, 1j) if dtype == "complex128" else (1,):
                move = np.zeros_like(array)
                move.flat[place] = step * unit
                above = loss(**operands | {name: array + move})
                below = loss(**operands | {name: array - move})
                slope += unit * (above - below) / (2 * step)
            assert abs(getattr(found, name).flat[place] - slope) <= 1e-6 * max(1, abs(slope))


def test_returned_gradients_are_fresh_and_writable():
    x, weight = np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2))
    grad = np.ones((1, 1, 3, 3))
    for gradient in fastconv.conv2d_backward(grad, x, weight):
        assert gradient.flags.writeable
        assert gradient.flags.owndata
        gradient[...] = 7
    assert (x == 1).all()
    assert (weight == 1).all()
    assert (grad == 1).all()


def test_mixed_precisions_promote_each_gradient_by_its_operands():
    x, weight = np.ones((1, 1, 4), "float64"), np.ones((1, 1, 2), "float32")
    grad = np.ones((1, 1, 3), "float32")
    found = fastconv.conv1d_backward(grad, x, weight)
    assert [g.dtype.name for g in found] == ["float32", "float64", "float32"]
