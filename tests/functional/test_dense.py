"""The linear layer against plain products in double precision."""

import numpy as np
import pytest
from conv_support import (
    FLOATS,
    INTEGERS,
    assert_within,
    bound_of,
    may_be_slow,
    odd_memory,
    values,
    wide,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core

pytestmark = may_be_slow
seeds = st.integers(0, 2**32 - 1)
ALGORITHMS = ("blas", "reference") if core else ("reference",)
leading = st.lists(st.integers(1, 5), max_size=3)


def _columns(array, features):
    """Bring (..., features) to (rows, features)."""
    return array.reshape(-1, features)


@pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
@settings(max_examples=100)
@given(
    leading, st.integers(1, 40), st.integers(0, 12), st.sampled_from(FLOATS + INTEGERS), seeds,
    st.booleans(),
)  # fmt: skip
def test_forward(algorithm, leading, features, outputs, dtype, seed, with_bias):
    """A weight of one axis, here for 0 outputs, drops the output's last axis."""
    rng = np.random.default_rng(seed)
    shape = (outputs, features) if outputs else (features,)
    x = odd_memory(rng, values(rng, (*leading, features), dtype))
    weight = odd_memory(rng, values(rng, shape, dtype))
    bias = odd_memory(rng, values(rng, shape[:-1], dtype)) if with_bias else None
    y = fastconv.linear(x, weight, bias, algorithm=algorithm)
    assert y.shape == (*leading, *shape[:-1])
    assert y.dtype == (np.float64 if dtype.kind in "biu" else dtype)
    rows, matrix = _columns(wide(x), features), wide(weight).reshape(-1, features)
    exact, magnitudes = rows @ matrix.T, np.abs(rows) @ np.abs(matrix).T
    if bias is not None:
        exact, magnitudes = exact + wide(bias), magnitudes + np.abs(wide(bias))
    bound = bound_of(fastconv.linear, x, weight, bias, algorithm=algorithm)
    assert_within(_columns(y, len(matrix)), exact, magnitudes, bound, 1)


@settings(max_examples=120)
@given(
    leading, st.integers(1, 30), st.integers(0, 12), st.sampled_from(FLOATS), seeds,
    st.sampled_from((None, 2**12, 2**15)),
)  # fmt: skip
def test_backward(leading, features, outputs, dtype, seed, limit):
    rng = np.random.default_rng(seed)
    shape = (outputs, features) if outputs else (features,)
    x = odd_memory(rng, values(rng, (*leading, features), dtype))
    weight = odd_memory(rng, values(rng, shape, dtype))
    grad = odd_memory(rng, values(rng, (*leading, *shape[:-1]), dtype))
    call = (fastconv.linear_backward, grad, x, weight)
    try:
        with fastconv.trace() as ran:
            found = call[0](*call[1:], workspace_limit=limit)
    except fastconv.WorkspaceLimitError:
        assert limit is not None
        return
    assert all(limit is None or r.workspace_bytes <= limit for r in ran)
    bounds = [
        problem.chosen.error_bound
        for problem in fastconv.explain(*call, workspace_limit=limit).problems
    ]
    rows, matrix = _columns(wide(x), features), wide(weight).reshape(-1, features)
    grads = _columns(wide(grad), len(matrix))
    exact = {
        "x": (grads @ matrix.conj(), np.abs(grads) @ np.abs(matrix)),
        "weight": (grads.T @ rows.conj(), np.abs(grads).T @ np.abs(rows)),
        "bias": (grads.sum(0)[None], np.abs(grads).sum(0)[None]),
    }
    for (name, (value, magnitude)), bound in zip(exact.items(), bounds, strict=True):
        got = getattr(found, name)
        assert got.dtype == dtype
        assert got.shape == {"x": x.shape, "weight": shape, "bias": shape[:-1]}[name]
        assert_within(got.reshape(value.shape), value, magnitude, bound, 1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(max_examples=120)
@given(
    st.integers(1, 60), st.integers(1, 300), st.integers(1, 60), st.sampled_from(FLOATS), seeds,
    st.integers(64, 2**15),
)  # fmt: skip
def test_every_limit_is_kept_or_refused(algorithm, rows, features, outputs, dtype, seed, limit):
    rng = np.random.default_rng(seed)
    x = odd_memory(rng, values(rng, (rows, features), dtype))
    weight = odd_memory(rng, values(rng, (outputs, features), dtype))
    try:
        with fastconv.trace() as ran:
            y = fastconv.linear(x, weight, algorithm=algorithm, workspace_limit=limit)
    except fastconv.WorkspaceLimitError:
        return
    assert ran[0].workspace_bytes <= limit
    exact, magnitudes = wide(x) @ wide(weight).T, np.abs(wide(x)) @ np.abs(wide(weight)).T
    bound = bound_of(fastconv.linear, x, weight, algorithm=algorithm, workspace_limit=limit)
    assert_within(y, exact, magnitudes, bound, 1)


def test_an_activation_follows_the_bias():
    y = fastconv.linear([[1.0, 2.0]], [[3.0, 4.0], [-1.0, 0.0]], [-20.0, 3.0], activation="relu")
    np.testing.assert_array_equal(y, [[0, 2]])


def test_no_array_is_written_to_or_shared():
    x, weight, grad = np.ones((3, 4)), np.ones((2, 4)), np.ones((3, 2))
    for gradient in fastconv.linear_backward(grad, x, weight):
        assert gradient.flags.owndata
        gradient[...] = 9
    assert (x == 1).all()
    assert (weight == 1).all()
    assert (grad == 1).all()


def test_only_wanted_gradients_are_made():
    found = fastconv.linear_backward([[1.0]], [[2.0]], [[3.0]], wrt=("weight",))
    assert found.x is None
    assert found.bias is None
    np.testing.assert_array_equal(found.weight, [[2]])
