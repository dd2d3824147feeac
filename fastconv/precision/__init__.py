"""Number formats, what a number becomes in one, and how far sums in one may be off."""

from fastconv.precision.anatomy import Anatomy, anatomy
from fastconv.precision.bounds import (
    classical_error_bound,
    integer_sum_limit,
    quantized_error_bound,
    rounded_error_bound,
    sum_dtype,
)
from fastconv.precision.dtypes import array_dtype
from fastconv.precision.formats import (
    COMPLEX,
    FLOATING,
    FORMATS,
    INTEGERS,
    AnyFormat,
    Format,
    IntegerFormat,
    real_format,
)
from fastconv.precision.rounding import rounded

# What the policy accepts. float32_strict is float32 by classical sums only: no transform
# (Winograd) that trades accuracy for fewer multiplications.
PRECISIONS = (
    "auto",
    "float64",
    "float32",
    "float32_strict",
    "tf32",
    "float16",
    "bfloat16",
    "int8",
)

__all__ = [
    "COMPLEX",
    "FLOATING",
    "FORMATS",
    "INTEGERS",
    "PRECISIONS",
    "Anatomy",
    "AnyFormat",
    "Format",
    "IntegerFormat",
    "anatomy",
    "array_dtype",
    "classical_error_bound",
    "integer_sum_limit",
    "quantized_error_bound",
    "real_format",
    "rounded",
    "rounded_error_bound",
    "sum_dtype",
]
