"""The dense product against sums in double, for any strides, at every level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core")

seeds = st.integers(0, 2**32 - 1)
floats = st.sampled_from(["float32", "float64"])
# Around a vector, a tile and a block: few rows, whose reduction is in lanes, and many.
extents = st.integers(1, 20) | st.integers(40, 110)
depths = st.integers(1, 70) | st.sampled_from([255, 256, 257, 513])


def scratch(dtype, threads):
    return np.empty(core.product_scratch(dtype) * threads, np.uint8)


def result_in(rng, shape, dtype):
    """Return an array of rows with gaps between and canaries in them."""
    whole = np.full((shape[0], shape[1] + int(rng.integers(0, 3))), -77, dtype)
    rows = whole[::-1] if rng.random() < 0.3 else whole
    return whole, rows[:, : shape[1]]


def operand(rng, layouts, shape, dtype):
    """Return numbers along either axis, or in an odd layout."""
    values = rng.standard_normal(shape).astype(dtype)
    kind = rng.integers(3)
    if kind == 2:
        return layouts.strided(rng, values)
    return values if kind == 0 else np.asfortranarray(values)


@settings(max_examples=120, deadline=None)
@given(extents, extents, depths, floats, st.booleans(), st.integers(0, 3), seeds)
def test_product(level, layouts, rows, columns, depth, dtype, with_bias, activation, seed):
    rng = np.random.default_rng(seed)
    a = operand(rng, layouts, (rows, depth), dtype)
    b = operand(rng, layouts, (depth, columns), dtype)
    bias = rng.standard_normal(columns).astype(dtype) if with_bias else None
    wide_a, wide_b = a.astype(float), b.astype(float)
    exact, size = wide_a @ wide_b, np.abs(wide_a) @ np.abs(wide_b)
    if bias is not None:
        exact, size = exact + bias, size + np.abs(bias)
    exact = [
        lambda v: v, lambda v: np.maximum(v, 0), lambda v: np.clip(v, 0, 6),
        lambda v: np.where(v > 0, v, v * 0.25),
    ][activation](exact)  # fmt: skip
    found = []
    for threads in (1, 3):
        whole, c = result_in(np.random.default_rng(seed), (rows, columns), dtype)
        core.product(
            a[None], b[None], c[None], bias, dtype, activation, 0.25, scratch(dtype, threads),
            threads,
        )  # fmt: skip
        assert (np.abs(c - exact) <= (depth + 2) * np.finfo(dtype).eps * size).all()
        found.append(c.tobytes())
        c[...] = -77
        assert (whole == -77).all(), "items beside the result were written"
    assert found[0] == found[1]


@pytest.mark.parametrize("shape", [(1, 300, 7), (5, 40, 33), (30, 40, 50)])
def test_values_that_are_no_numbers_stay_where_they_are(level, shape):
    """Padding of tiles must not multiply with what is beyond, nor NaN reach other rows."""
    rows, depth, columns = shape
    a, b = np.ones((rows, depth), "f4"), np.ones((depth, columns), "f4")
    a[0, depth - 1], b[depth - 1, columns - 1] = np.nan, np.inf
    for left in (a, np.asfortranarray(a)):
        for right in (b, np.asfortranarray(b)):
            c = np.empty((rows, columns), "f4")
            core.product(
                left[None], right[None], c[None], None, "float32", 0, 0.0, scratch("float32", 1), 1
            )
            expected = np.full((rows, columns), depth, "f4")
            expected[:, -1], expected[0] = np.inf, np.nan
            np.testing.assert_array_equal(c, expected)


def test_wrong_calls_are_refused():
    a, b, c = (np.ones(s, "f4") for s in ((1, 4, 5), (1, 5, 6), (1, 4, 6)))
    space = scratch("float32", 1)

    def call(a=a, b=b, c=c, bias=None, dtype="float32", activation=0, space=space, threads=1):
        core.product(a, b, c, bias, dtype, activation, 0.0, space, threads)

    call()
    for wrong in (
        {"a": a[:, :3]},
        {"b": b[:, :4]},
        {"b": b[:, :, :5]},
        {"c": np.ones((1, 6, 4), "f4").transpose(0, 2, 1)},
        {"a": a.astype("f8")},
        {"a": a[:, :, :0], "b": b[:, :0]},
        {"bias": np.ones(5, "f4")},
        {"dtype": "int32"},
        {"activation": 99},
        {"space": space[:-1]},
        {"threads": 2},
        {"threads": 0},
    ):
        with pytest.raises(ValueError, match=r"."):
            call(**wrong)
