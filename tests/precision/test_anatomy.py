"""Fields, stored number and error against NumPy's and ml_dtypes' own conversions."""

import math
import struct
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastconv.precision import FORMATS, INTEGERS, anatomy

CODES = {"float64": (">d", 64), "float32": (">f", 32), "float16": (">e", 16)}


def code(found):
    return int(found.sign + found.exponent + found.fraction, 2)


def test_the_book_s_number():
    found = anatomy("263.3", "float32")
    assert (found.sign, found.exponent, found.fraction) == (
        "0",
        "10000111",
        "00000111010011001100110",
    )
    assert found.exact == "263.29998779296875"
    assert str(found) == "0 | 10000111 | 00000111010011001100110 = 263.29998779296875"
    assert found.error == float(Fraction("263.29998779296875") - Fraction("263.3"))


@pytest.mark.parametrize("name", CODES)
@given(value=st.floats(allow_nan=False))
def test_bits_are_those_in_memory(name, value):
    form, bits = CODES[name]
    with np.errstate(over="ignore"):
        stored = float(np.float64(value).astype(name))
    found = anatomy(value, name)
    assert (
        f"{code(found):0{bits}b}" == f"{int.from_bytes(struct.pack(form, stored), 'big'):0{bits}b}"
    )
    assert found.stored == stored
    if math.isfinite(stored):
        assert Fraction(found.exact) == Fraction(stored)
        assert found.error == pytest.approx(stored - value, rel=1e-15, abs=0)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "float8_e4m3fn"])
@given(value=st.floats(width=32, allow_nan=False))
def test_bits_of_short_formats(name, value):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    stored = np.float32(value).astype(getattr(ml_dtypes, name))
    found = anatomy(value, name)
    if np.isnan(stored.astype(np.float32)):
        assert math.isnan(found.stored)
        return
    assert code(found) == int(stored.view(f"u{stored.itemsize}"))
    assert found.stored == float(stored)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "float64"])
def test_every_short_number_is_itself(name):
    form = FORMATS[name]
    for number in (form.largest, -form.largest, form.smallest_subnormal, form.smallest_normal, 1.5):
        assert anatomy(number, name).error == 0
        assert anatomy(number, name).stored == number
    halfway = form.largest + form.spacing(form.largest) / 2
    beyond = anatomy(halfway * (1 + 2.0**-40), name).stored
    assert math.isinf(beyond) if form.infinities else math.isnan(beyond)
    # The tie goes to the even significand, which is the one beyond the end where all bits are ones.
    assert (anatomy(halfway, name).stored == form.largest) == (not form.infinities)
    assert anatomy(halfway * (1 - 2.0**-40), name).stored == form.largest
    assert anatomy(form.smallest_subnormal / 2, name).stored == 0


def test_special_numbers():
    assert str(anatomy("inf", "bfloat16")) == "0 | 11111111 | 0000000 = inf"
    assert str(anatomy("-inf", "float16")) == "1 | 11111 | 0000000000 = -inf"
    assert str(anatomy("nan", "float8_e5m2")) == "0 | 11111 | 10 = nan"
    assert str(anatomy("inf", "float8_e4m3fn")) == "0 | 1111 | 111 = nan"
    assert str(anatomy("-0", "float16")) == str(anatomy(-0.0, "float16"))
    assert anatomy("-0", "float16").sign == "1"


def test_exact_inputs_of_every_kind():
    third = anatomy("1/3", "float64")
    assert third.stored == 1 / 3
    assert third.error == float(Fraction(1 / 3) - Fraction(1, 3)) != 0
    assert anatomy(1 / 3, "float64").error == 0
    assert anatomy(Fraction(1, 3), "float32") == anatomy("1/3", "float32")
    assert anatomy(Decimal("263.3"), "float32") == anatomy("263.3", "float32")
    assert anatomy("0x1.8p3", "float32").stored == 12
    assert anatomy(np.float16(0.1), "float16").error == 0
    assert anatomy(np.int32(7), "float16").stored == 7
    assert anatomy("1e999999999", "float64").stored == math.inf
    assert anatomy("-1e-999999999", "float64").stored == 0


def test_integers_saturate():
    assert str(anatomy("-3", "int8")) == "1 | 1111101 = -3"
    assert anatomy("2.5", "int8").stored == 2  # ties to even
    assert anatomy("263.3", "int8").stored == 127
    assert anatomy("263.3", "int8").error == -136.3
    assert anatomy("-inf", "int8").stored == INTEGERS["int8"].lowest
    assert anatomy("1e9999", "int8").error == -math.inf


@pytest.mark.parametrize("value", ["", "1,5", "1/0", "0x", "0x1p99999", "sNaN1x"])
def test_what_is_no_number(value):
    with pytest.raises(ValueError, match=r"anatomy: value: got .*, expected a number, such as"):
        anatomy(value, "float32")


def test_other_bad_arguments():
    with pytest.raises(TypeError, match="anatomy: value: got True, expected a real number"):
        anatomy(True, "float32")
    with pytest.raises(TypeError, match="anatomy: value: got 1j"):
        anatomy(1j, "float32")
    with pytest.raises(ValueError, match="anatomy: format: got 'float7', expected one of float64"):
        anatomy(1, "float7")
    with pytest.raises(TypeError, match="anatomy: format: got 32"):
        anatomy(1, 32)
    with pytest.raises(ValueError, match="int8 has no NaN"):
        anatomy("nan", "int8")
