"""Arrays rounded to formats, against conversions that exist and against anatomy."""

import numpy as np
import pytest

from fastconv.precision import FORMATS, anatomy, rounded


@pytest.fixture
def values():
    rng = np.random.default_rng(7)
    exponents = rng.uniform(-50, 42, 4000)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 65504, 65519.9, 65520, 448, 464, 465, 57344]
    return np.append(rng.standard_normal(4000) * 10.0**exponents, special)


def same(got, expected):
    np.testing.assert_array_equal(got, expected)
    # Signs of zeros too, but not of NaN, which mean nothing.
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("name", ["float64", "float32", "float16"])
def test_as_numpy_converts(values, name):
    with np.errstate(over="ignore"):
        expected = values.astype(name).astype(np.float64)
    same(rounded(values, name), expected)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "float8_e4m3fn"])
def test_as_ml_dtypes_converts(values, name):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    got = rounded(single, name)
    assert got.dtype == np.float32
    same(got, single.astype(getattr(ml_dtypes, name)).astype(np.float32))


@pytest.mark.parametrize("name", [*FORMATS, "int8"])
def test_as_anatomy_says(values, name):
    some = values[~np.isnan(values)][-300:]
    expected = np.array([anatomy(value, name).stored for value in some])
    np.testing.assert_array_equal(rounded(some, name), expected)


def test_dtypes_of_results():
    assert rounded(np.float16([1]), "float8_e5m2").dtype == np.float32
    assert rounded(np.float16([1]), "float64").dtype == np.float64
    assert rounded([1, 2], "bfloat16").dtype == np.float64
    assert rounded(np.float32([1]), "float64").dtype == np.float32
    assert rounded(np.float32([200, -1.5, 0.5]), "int8").tolist() == [127, -2, 0]
    assert rounded(np.float32([1]), "int8").dtype == np.int8
    assert rounded(np.zeros((0, 3)), "tf32").shape == (0, 3)


def test_a_large_integer():
    assert rounded(np.array([2**24 + 1]), "float32")[0] == 2**24


def test_bad_arguments():
    with pytest.raises(TypeError, match="rounded: x: got dtype complex128, expected real numbers"):
        rounded([1j], "float32")
    with pytest.raises(ValueError, match="rounded: format: got 'int7'"):
        rounded([1.0], "int7")
    with pytest.raises(ValueError, match="rounded: x: got NaN, expected numbers, as int8"):
        rounded([np.nan], "int8")
