"""Quantising and back, against the definition element by element."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastconv


def by_definition(x, scale, zero, dtype):
    ends = np.iinfo(dtype)
    steps = np.rint(np.float32(x) / np.float32(scale)) + zero
    return np.clip(steps, ends.min, ends.max).astype(dtype)


@given(
    values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20),
    scale=st.floats(2.0**-14, 2.0**14, width=32),
    zero=st.integers(-128, 127),
)
def test_one_scale(values, scale, zero):
    x = np.float32(values)
    got = fastconv.quantize(x, scale, zero)
    assert got.dtype == np.int8
    np.testing.assert_array_equal(got, by_definition(x, scale, zero, "int8"))
    back = fastconv.dequantize(got, scale, zero)
    assert back.dtype == np.float32
    inside = (got > -128) & (got < 127)
    assert (np.abs(back - x)[inside] <= scale * 0.5001 + 1e-6 * np.abs(x[inside])).all()


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_scale_for_each_place(axis, dtype):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, 5, 6)).astype(np.float32)
    count = x.shape[axis]
    scale = rng.uniform(0.01, 0.1, count).astype(np.float32)
    zero = rng.integers(0, 100, count)
    shape = [1, 1, 1]
    shape[axis] = count
    got = fastconv.quantize(x, scale, zero, axis=axis, dtype=dtype)
    expected = by_definition(x, scale.reshape(shape), zero.reshape(shape), dtype)
    np.testing.assert_array_equal(got, expected)
    back = fastconv.dequantize(got, scale, zero, axis=axis)
    np.testing.assert_allclose(
        back, (got.astype(np.float32) - zero.reshape(shape)) * scale.reshape(shape), rtol=1e-6
    )


NUMBERS = ["float16", "float32", "float64", "bfloat16"]


def _dtype(name):
    return np.dtype(getattr(pytest.importorskip("ml_dtypes"), name) if name == "bfloat16" else name)


def _arrays(rng, dtype):
    """Yield an array in several layouts: its order in memory, gaps, and lines of many lengths."""
    for shape in ((3, 5, 7), (2, 3, 1, 1), (2, 300, 3), (1, 3, 20_000), (40_000,), ()):
        x = (rng.standard_normal(shape) * 3).astype(dtype)
        yield x
        yield np.asfortranarray(x)
        if x.ndim == 3:
            yield np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
            yield np.repeat(x, 2, axis=2)[..., ::2]
            yield x[::-1]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("to", ["int8", "uint8"])
def test_every_layout_axis_and_dtype_is_as_the_definition_says(name, to):
    dtype, rng = _dtype(name), np.random.default_rng(7)
    wide = np.result_type(dtype, np.float32)
    ends = np.iinfo(to)
    for x in _arrays(rng, dtype):
        for axis in (None, *range(x.ndim)):
            count = () if axis is None else (x.shape[axis],)
            scale = rng.uniform(0.005, 0.05, count)
            zero = rng.integers(ends.min, ends.max + 1, count)
            shape = [1] * x.ndim
            if axis is not None:
                shape[axis] = -1
            each, zeros = scale.reshape(shape), zero.reshape(shape)
            steps = np.rint(x.astype(wide) / each.astype(wide)) + zeros.astype(wide)
            expected = np.clip(steps, ends.min, ends.max).astype(to)
            for threads in (1, 3):
                with fastconv.use(threads=threads):
                    got = fastconv.quantize(x, scale, zero, axis=axis, dtype=to)
                    back = fastconv.dequantize(got, scale, zero, axis=axis, dtype=name)
                np.testing.assert_array_equal(got, expected)
                numbers = (got.astype("f4") - zeros.astype("f4")) * each.astype("f4")
                assert back.dtype == dtype
                np.testing.assert_array_equal(back, numbers.astype(dtype))
            assert got.flags.f_contiguous >= x.flags.f_contiguous
            assert got.flags.c_contiguous >= (not x.flags.f_contiguous and x.flags.c_contiguous)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("count", [1, 5, 100, 20_000])
def test_nan_is_found_anywhere(name, count):
    dtype, rng = _dtype(name), np.random.default_rng(count)
    for axis in (None, 0, 1):
        x = np.ones((3, count), dtype)
        x[rng.integers(3), rng.integers(count)] = np.nan
        scale = 1.0 if axis is None else np.ones(x.shape[axis])
        with pytest.raises(ValueError, match="quantize: x: got NaN"):
            fastconv.quantize(x, scale, axis=axis)
        x[np.isnan(x.astype("f4"))] = np.inf
        assert fastconv.quantize(x, scale, axis=axis).max() == 127


def test_sums_of_many_channels():
    rng = np.random.default_rng(1)
    sums = rng.integers(-(2**31), 2**31, (4, 6, 300), "int64").astype("int32")
    scale, zero = rng.uniform(1e-6, 1, 6), rng.integers(-(2**31), 2**31, 6)
    for x in (sums, np.moveaxis(np.ascontiguousarray(np.moveaxis(sums, 1, -1)), -1, 1)):
        for dtype in ("float16", "float32", "float64"):
            got = fastconv.dequantize(x, scale, zero, axis=1, dtype=dtype)
            exact = (x.astype("f8") - zero[:, None]) * scale[:, None]
            with np.errstate(over="ignore"):
                np.testing.assert_array_equal(got, exact.astype(dtype))


def test_more_than_one_block():
    x = np.random.default_rng(5).standard_normal(100_003).astype(np.float32)
    np.testing.assert_array_equal(fastconv.quantize(x, 0.02, 5), by_definition(x, 0.02, 5, "int8"))
    x = x[:99_990].reshape(30, 3, 1111)[::-1, :, ::2]
    np.testing.assert_array_equal(
        fastconv.quantize(x, [0.1, 0.2, 0.3], axis=1),
        by_definition(x, np.float32([0.1, 0.2, 0.3])[:, None], 0, "int8"),
    )


def test_ties_saturation_and_infinities():
    x = np.float32([0.5, 1.5, 2.5, -0.5, 1e30, -np.inf])
    assert fastconv.quantize(x, 1.0).tolist() == [0, 2, 2, 0, 127, -128]
    assert fastconv.quantize(np.float64([1e300]), 1e-300).tolist() == [127]
    assert fastconv.quantize(np.zeros((0, 3), np.float32), 1.0).shape == (0, 3)
    assert fastconv.quantize(np.float16(2.0), 0.5)[()] == 4


def test_sums_of_products():
    sums = np.int32([2**30 + 1, -7])
    got = fastconv.dequantize(sums, 0.5, dtype="float64")
    assert got.tolist() == [2**29 + 0.5, -3.5]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([1.0], 0.0), {}, ValueError, r"scale: got 0\.0, expected above 0 and finite"),
        (([1.0], -1.0), {}, ValueError, "scale: got"),
        (([1.0], np.inf), {}, ValueError, "scale: got inf"),
        (([1.0], [1.0]), {}, ValueError, r"scale: got shape \(1,\).*axis= says along which"),
        (([[1.0, 2.0]], [1.0]), {"axis": 1}, ValueError, r"expected one number or shape \(2,\)"),
        (([1.0], 1.0), {"axis": 1}, ValueError, "axis: got 1, expected an axis of shape"),
        (([1.0], 1.0), {"axis": 0.5}, TypeError, r"axis: got 0\.5, expected an int or None"),
        (([1.0], 1.0, 128), {}, ValueError, "zero_point: got 128, expected -128 to 127"),
        (([1.0], 1.0, -1), {"dtype": "uint8"}, ValueError, "got -1, expected 0 to 255"),
        (([1.0], 1.0, 0.5), {}, TypeError, "zero_point: got dtype float64, expected integers"),
        (([1.0], 1.0, [1, 2]), {}, ValueError, r"zero_point: got shape \(2,\)"),
        (([1.0], 1.0), {"dtype": "int4"}, ValueError, "dtype: got 'int4', expected int8 or uint8"),
        (([1], 1.0), {}, TypeError, "x: got dtype int64, expected a floating one"),
        (([np.nan], 1.0), {}, ValueError, "x: got NaN, expected numbers, as int8 has no NaN"),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        fastconv.quantize(*arguments, **options)


def test_bad_arguments_of_the_way_back():
    with pytest.raises(TypeError, match="dequantize: x: got dtype float64, expected int8, uint8"):
        fastconv.dequantize([1.0], 1.0)
    with pytest.raises(ValueError, match="dequantize: dtype: got 'int8'"):
        fastconv.dequantize(np.int8([1]), 1.0, dtype="int8")
    with pytest.raises(ValueError, match="zero_point: got 300, expected 0 to 255"):
        fastconv.dequantize(np.uint8([1]), 1.0, 300)
