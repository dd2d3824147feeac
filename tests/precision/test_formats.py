"""What the formats say of themselves against NumPy's and ml_dtypes' finfo."""

import numpy as np
import pytest

from fastconv.precision import FORMATS, INTEGERS

IN_NUMPY = ("float64", "float32", "float16")
IN_ML_DTYPES = ("bfloat16", "float8_e5m2", "float8_e4m3fn")


@pytest.mark.parametrize("name", [*IN_NUMPY, *IN_ML_DTYPES])
def test_range(name):
    if name in IN_NUMPY:
        info = np.finfo(name)
    else:
        ml_dtypes = pytest.importorskip("ml_dtypes")
        info = ml_dtypes.finfo(getattr(ml_dtypes, name))
    form = FORMATS[name]
    assert form.bits == form.storage_bits == info.bits
    assert form.largest == -form.lowest == float(info.max)
    assert form.smallest_normal == float(info.smallest_normal)
    assert form.smallest_subnormal == float(info.smallest_subnormal)
    assert form.spacing(1) == float(info.eps) == 2 * form.unit_roundoff
    assert (form.exponent_bits, form.fraction_bits) == (info.nexp, info.nmant)


def test_tf32_has_the_range_of_float32_and_the_fraction_of_float16():
    form = FORMATS["tf32"]
    assert (form.bits, form.storage_bits) == (19, 32)
    assert form.smallest_normal == FORMATS["float32"].smallest_normal
    assert form.unit_roundoff == FORMATS["float16"].unit_roundoff


@pytest.mark.parametrize("name", IN_NUMPY)
@pytest.mark.parametrize("value", [0, 1, -1.25, 1.99, 3, 1000.5, 6e-5, 1e-7])
def test_spacing(name, value):
    value = float(np.dtype(name).type(value))
    expected = abs(float(np.spacing(np.dtype(name).type(value))))
    assert FORMATS[name].spacing(value) == expected


def test_spacing_near_the_end():
    form = FORMATS["float8_e4m3fn"]
    assert form.spacing(448) == form.spacing(1e9) == 32
    assert INTEGERS["int8"].spacing(5) == 1
    assert (INTEGERS["int8"].lowest, INTEGERS["int8"].largest) == (-128, 127)
