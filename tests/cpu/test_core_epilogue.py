"""Bias and activation against formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erfc, expit

core = pytest.importorskip("fastconv.cpu._core")

SLOPE = 0.25
FORMULAS = [
    lambda v: v,
    lambda v: np.maximum(v, 0),
    lambda v: np.clip(v, 0, 6),
    lambda v: np.where(v > 0, v, SLOPE * v),
    expit,
    np.tanh,
    lambda v: v * expit(v),
    lambda v: v * erfc(-v / np.sqrt(2)) / 2,
]
extents = st.integers(0, 6) | st.sampled_from([40, 2500])


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 3), extents, st.integers(0, 40)),
    dtype=st.sampled_from(["float32", "float64"]),
    activation=st.integers(0, 7),
    biased=st.booleans(),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_epilogue(level, layouts, shape, dtype, activation, biased, threads, seed):
    rng = np.random.default_rng(seed)
    before = rng.normal(scale=4, size=shape).astype(dtype)
    bias = rng.normal(size=shape[1]).astype(dtype)
    total = before + bias[:, None] if biased else before
    target = layouts.Target(rng, shape, dtype, fill=before)
    core.epilogue(target.array, dtype, bias if biased else None, activation, SLOPE, threads)
    # gelu's tail falls as exp(-v^2 / 2): rounding v alone, here or there, costs v^2 units.
    wide = total.astype(np.float64)
    expected = FORMULAS[activation](wide)
    bound = np.finfo(dtype).eps * (8 + 2 * wide**2) * np.abs(expected)
    assert (np.abs(target.result() - expected) <= bound + np.finfo(dtype).smallest_normal).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", range(8))
def test_values_at_the_edges(level, activation, dtype):
    """NaN passes through; nothing overflows into NaN but silu and gelu of -inf, as in PyTorch."""
    far = np.array([np.nan, np.inf, -np.inf, 1e4, -1e4, 0.0], dtype)
    acc = np.tile(far, (1, 2, 3))
    core.epilogue(acc, dtype, None, activation, SLOPE, 1)
    limits = {
        0: far,
        1: [np.nan, np.inf, 0, 1e4, 0, 0],
        2: [np.nan, 6, 0, 6, 0, 0],
        3: [np.nan, np.inf, -np.inf, 1e4, -2500, 0],
        4: [np.nan, 1, 0, 1, 0, 0.5],
        5: [np.nan, 1, -1, 1, -1, 0],
        6: [np.nan, np.inf, np.nan, 1e4, 0, 0],
        7: [np.nan, np.inf, np.nan, 1e4, 0, 0],
    }
    np.testing.assert_array_equal(acc, np.tile(limits[activation], (1, 2, 3)))


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        (1, "float16", "dtype"),
        (1, "int32", "dtype"),
        (1, "float64", "acc"),
        (2, np.zeros(2, "f4"), "bias"),
        (2, np.zeros(3, "f8"), "bias"),
        (2, np.zeros(6, "f4")[::2], "bias"),
        (2, np.zeros((3, 1), "f4"), "bias"),
        (3, 8, "activation"),
        (3, -1, "activation"),
        (5, 0, "threads"),
    ],
)
def test_wrong_calls_change_nothing(argument, value, message):
    acc = np.ones((2, 3, 4), "f4")
    call = [acc, "float32", np.ones(3, "f4"), 1, SLOPE, 1]
    call[argument] = value
    with pytest.raises(ValueError, match=message):
        core.epilogue(*call)
    assert (acc == 1).all()
