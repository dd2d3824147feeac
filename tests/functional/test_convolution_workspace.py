"""workspace_limit is hard: every algorithm declines, or is right and stays within."""

import tracemalloc

import conv_oracle
import numpy as np
import pytest
from conv_support import (
    ALGORITHMS,
    FLOATS,
    assert_within,
    bound_of,
    convolutions,
    may_be_slow,
    needs_core,
    odd_memory,
    values,
    wide,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv

pytestmark = may_be_slow
seeds = st.integers(0, 2**32 - 1)
# What NumPy takes for the buffers of one operation, whatever the arrays' sizes.
NUMPY_BUFFERS = 2**18


def _calls(conv, rng, dtype):
    """Yield (call, exact, magnitudes, channel axis) of the three passes."""
    x, weight, y = (
        odd_memory(rng, values(rng, shape, dtype))
        for shape in (conv.x_shape, conv.weight_shape, conv.y_shape)
    )
    a, b, c = wide(x), wide(weight), wide(y)
    rest = conv.parameters
    forward, dx, dw = conv_oracle.forward, conv_oracle.input_grad, conv_oracle.weight_grad
    yield (
        (conv.function(), x, weight, None, *rest),
        (forward(conv, a, b), forward(conv, np.abs(a), np.abs(b)), 1),
    )
    yield (
        (conv.function("_input_grad"), x.shape, weight, y, *rest),
        (dx(conv, b.conj(), c), dx(conv, np.abs(b), np.abs(c)), 1),
    )
    yield (
        (conv.function("_weight_grad"), x, weight.shape, y, *rest),
        (dw(conv, a.conj(), c), dw(conv, np.abs(a), np.abs(c)), 0),
    )


@pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
@settings(max_examples=150)
@given(
    convolutions(), st.sampled_from(FLOATS), seeds, st.floats(9, 17), st.sampled_from((None, 1, 3))
)
def test_every_algorithm_is_right_within_a_tiny_limit_or_declines(
    algorithm, conv, dtype, seed, exponent, threads
):
    limit = int(2**exponent)
    policy = {"algorithm": algorithm, "workspace_limit": limit, "threads": threads}
    for call, (exact, magnitudes, channel_axis) in _calls(conv, np.random.default_rng(seed), dtype):
        try:
            with fastconv.trace() as ran:
                got = call[0](*call[1:], **policy)
        except (fastconv.WorkspaceLimitError, fastconv.UnsupportedError):
            continue
        assert ran[0].workspace_bytes <= limit
        bound = bound_of(*call, **policy)
        assert_within(got, exact, magnitudes, bound, channel_axis)


@needs_core
@pytest.mark.parametrize("limit", [2**11, 2**13, 2**14, 2**16])
def test_small_problems_fit_small_limits(limit):
    rng = np.random.default_rng(0)
    x, weight = values(rng, (1, 3, 40, 40), "float32"), values(rng, (8, 3, 3, 3), "float32")
    expected = fastconv.conv2d(x, weight, padding=1)
    with fastconv.trace() as ran:
        y = fastconv.conv2d(x, weight, padding=1, workspace_limit=limit)
        dx, dw, _ = fastconv.conv2d_backward(y, x, weight, padding=1, workspace_limit=limit)
    assert all(r.workspace_bytes <= limit for r in ran)
    assert not {r.algorithm for r in ran} & {"reference"}
    np.testing.assert_allclose(y, expected, 1e-4, 1e-4)
    reference = fastconv.conv2d_backward(y.astype(float), x, weight, padding=1)
    np.testing.assert_allclose(dx, reference.x, 1e-3, 1e-3)
    np.testing.assert_allclose(dw, reference.weight, 1e-3, 1e-3)


def test_nothing_left_is_an_error_that_says_what_each_would_need():
    x, weight = np.ones((1, 64, 9, 9)), np.ones((64, 64, 3, 3))
    with pytest.raises(
        fastconv.WorkspaceLimitError, match=r"(?s)conv2d: workspace_limit=1 .*reference"
    ):
        fastconv.conv2d(x, weight, workspace_limit=1)
    with pytest.raises(fastconv.WorkspaceLimitError, match="linear: workspace_limit=1 "):
        fastconv.linear(x.astype("float16"), np.ones((3, 9), "float16"), workspace_limit=1)


def test_a_conversion_counts():
    x, weight = np.ones((1, 1, 100), "int32"), np.ones((1, 1, 3))
    with pytest.raises(
        fastconv.WorkspaceLimitError, match=r"conv1d: converting .* takes 800 bytes"
    ):
        fastconv.conv1d(x, weight, workspace_limit=799)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "complex64"])
@pytest.mark.parametrize("name", ["", "_input_grad", "_weight_grad", "activation"])
def test_what_is_allocated_stays_within_the_limit(algorithm, dtype, name):
    rng = np.random.default_rng(0)
    x = values(rng, (2, 24, 48, 48), dtype).transpose(0, 1, 3, 2)
    weight, y = values(rng, (32, 24, 3, 3), dtype), values(rng, (2, 32, 48, 48), dtype)
    limit = 2**24 if algorithm == "reference" else 2**21
    policy = {"padding": 1, "workspace_limit": limit, "algorithm": algorithm}
    if name == "_input_grad":
        out, call = np.empty_like(x), (fastconv.conv2d_input_grad, x.shape, weight, y)
    elif name == "_weight_grad":
        out, call = np.empty_like(weight), (fastconv.conv2d_weight_grad, x, weight.shape, y)
    else:
        out, call = np.empty_like(y), (fastconv.conv2d, x, weight, y[0, :, 0, 0])
    if name == "activation" and dtype != "complex64":
        policy["activation"] = "gelu"
    try:
        call[0](*call[1:], **policy, out=out)  # plans are kept, and are no scratch memory
    except (fastconv.WorkspaceLimitError, fastconv.UnsupportedError):
        return
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call[0](*call[1:], **policy, out=out)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak <= limit + NUMPY_BUFFERS


@needs_core
@pytest.mark.slow
def test_a_kernel_of_127_by_127_on_a_photograph():
    rng = np.random.default_rng(0)
    x = values(rng, (1, 4, 512, 512), "float32")
    weight = values(rng, (4, 4, 127, 127), "float32") / 127
    with fastconv.trace() as ran:
        y = fastconv.conv2d(x, weight)
        dx, dw, _ = fastconv.conv2d_backward(y, x, weight, wrt=("x", "weight"))
    assert all(r.workspace_bytes <= 64 * 2**20 for r in ran)
    for o, i, j in ((0, 0, 0), (3, 200, 100), (2, 385, 385)):
        window = x[0, :, i : i + 127, j : j + 127]
        exact = (window.astype(float) * weight[o]).sum()
        assert abs(y[0, o, i, j] - exact) <= 1e-4 * np.abs(window * weight[o]).sum()
    np.testing.assert_allclose(dx[0, 1, 0, 0], (y[0, :, 0, 0] * weight[:, 1, 0, 0]).sum(), 1e-3)
    exact = (y[0, 2].astype(float) * x[0, 3, 5:391, 7:393]).sum()
    magnitude = np.abs(y[0, 2] * x[0, 3, 5:391, 7:393]).sum()
    assert abs(dw[2, 3, 5, 7] - exact) <= 1e-4 * magnitude
