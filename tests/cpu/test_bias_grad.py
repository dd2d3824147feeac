"""The gradient of a bias in the core, at every level, against float64 sums."""

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fastconv.precision import classical_error_bound  # noqa: E402

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=3)


def _sum(y, target, splits, threads):
    sums = np.full(splits * y.shape[1], np.nan, y.dtype)
    core.bias_grad(y, target, sums, y.dtype.name, splits, threads)


def _check(y, result):
    exact = y.astype("float64").sum(axis=(0, *range(2, y.ndim)))
    size = np.abs(y.astype("float64")).sum(axis=(0, *range(2, y.ndim)))
    bound = classical_error_bound(y.size // y.shape[1], y.dtype.name, y.dtype.name)
    assert (np.abs(result.reshape(-1) - exact) <= bound * size + 1e-300).all()


@every_dtype
@settings(max_examples=80)
@given(st.integers(1, 5), st.integers(1, 40), SHAPES, st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_sums_of_any_layout(level, dtype, layouts, images, channels, spatial, splits, seed):
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((images, channels, *spatial)).astype(dtype)
    y = layouts.strided(rng, y)
    target = layouts.Target(rng, (1, channels, 1), dtype)
    _sum(y, target.array, splits, int(rng.integers(1, 4)))
    _check(y, target.result())


@every_dtype
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", [(3, 5, 130, 131), (2, 1100, 7, 7), (700, 3, 1), (1, 1, 100003)])
def test_long_sums(level, dtype, shape, channels_last):
    y = np.random.default_rng(0).standard_normal(shape).astype(dtype) + 1
    if channels_last:
        y = np.moveaxis(np.ascontiguousarray(np.moveaxis(y, 1, -1)), -1, 1)
    results = []
    for threads in (1, 2, 3):
        result = np.full((1, shape[1], 1), np.nan, dtype)
        _sum(y, result, min(3, shape[0]), threads)
        results.append(result)
    _check(y, results[0])
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@every_dtype
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_stays_in_its_channel(level, dtype, value):
    y = np.ones((2, 3, 50), dtype)
    y[1, 1, 47] = value
    result = np.empty((1, 3, 1), dtype)
    _sum(y, result, 1, 1)
    np.testing.assert_array_equal(result[0, :, 0], [100, value, 100])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("y", lambda a: a[:, 1:], "bias: expected shape"),
        ("y", lambda a: a[:0], "y: has no items"),
        ("y", lambda a: a.astype("float64"), "y: expected items of"),
        ("bias", lambda a: a[:, 1:], "bias: expected shape"),
        ("sums", lambda a: a[1:], "sums: .* bytes are too few for 2 splits"),
        ("splits", lambda _: 0, "splits: expected an integer from 1"),
        ("dtype", lambda _: "int32", "dtype: expected one of"),
    ],
)
def test_buffers_that_do_not_fit_are_refused(name, change, message):
    arguments = {
        "y": np.ones((2, 3, 4), "float32"),
        "bias": np.empty((1, 3, 1), "float32"),
        "sums": np.empty(6, "float32"),
        "dtype": "float32",
        "splits": 2,
        "threads": 1,
    }
    core.bias_grad(**arguments)
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match=message):
        core.bias_grad(**arguments)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@settings(max_examples=60)
@given(
    st.integers(1, 5), st.one_of(st.integers(1, 40), st.integers(500, 530)), SHAPES,
    st.booleans(), st.integers(1, 3), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_sums_of_16_bits_are_float32(
    level, layouts, name, images, channels, spatial, last, splits, seed
):
    dtype = pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else np.float16
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((images, channels, *spatial)).astype(dtype)
    if last:
        y = np.moveaxis(np.ascontiguousarray(np.moveaxis(y, 1, -1)), -1, 1)
    else:
        y = layouts.strided(rng, y)
    found = []
    for threads in (1, 3):
        bias = np.full((1, channels, 1), np.nan, np.float32)
        sums = np.full(splits * channels, np.nan, np.float32)
        core.bias_grad(y, bias, sums, name, splits, threads)
        found.append(bias)
    np.testing.assert_array_equal(*found)
    _check(y.astype(np.float32), found[0])
