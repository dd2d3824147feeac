"""Rounding arrays to a format, whether or not there is a dtype for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.errors import bad_argument
from fastconv.precision.formats import Format, IntegerFormat, format_named


def rounded(x: Any, format: str | Format | IntegerFormat) -> Any:
    """Return an array's values, each rounded to the nearest one of a format, ties to even.

    Parameters
    ----------
    x : array_like of float
        Real numbers, any shape.
    format : str
        A key of ``FORMATS`` or ``INTEGERS``. What is too large becomes infinite; NaN in
        ``float8_e4m3fn``, which has no infinities; the nearest end in ``int8``.

    Returns
    -------
    ndarray
        The values, of x's shape and of its dtype, or of float32 or float64 where that can't hold
        them.

    Raises
    ------
    TypeError
        If x isn't real.
    ValueError
        If there is no such format, or a NaN can't become an integer.

    Examples
    --------
    >>> rounded([263.3, 1e-9, 500.0], "float8_e4m3fn")
    array([256.,   0.,  nan])
    >>> rounded(np.float32([1 / 3, 70000]), "bfloat16")
    array([3.3398438e-01, 7.0144000e+04], dtype=float32)
    """
    wanted = format_named("rounded", "format", format)
    values = np.asarray(x)
    if values.dtype.kind not in "fiub" and values.dtype.name != "bfloat16":
        raise TypeError(
            bad_argument("rounded", "x", got=f"dtype {values.dtype}", expected="real numbers")
        )
    held = _holding(values.dtype, wanted)
    with np.errstate(over="ignore"):
        if isinstance(wanted, IntegerFormat):
            return _whole(values, wanted).astype(held)
        return _nearest(values.astype(np.float64), wanted).astype(held)


def _holding(dtype: Any, wanted: Format | IntegerFormat) -> Any:
    """Return the dtype of results: the operand's, if it is floating and holds the format."""
    if isinstance(wanted, IntegerFormat):
        return np.dtype(np.int8)
    if dtype.kind == "f" and dtype.itemsize >= 4:
        return dtype
    single = wanted.fraction_bits <= 23 and (dtype.kind == "V" or dtype.itemsize <= 2)
    return np.dtype(np.float32 if single else np.float64)


def _nearest(values: Any, wanted: Format) -> Any:
    finite = np.isfinite(values)
    exponent = np.frexp(np.where(finite, values, 0.0))[1] - 1
    # Of a step between neighbours; below the smallest normal number, steps shrink no more.
    step = np.maximum(exponent, 1 - wanted.bias) - wanted.fraction_bits
    # In two halves, as a power of two beyond float64's own range is no number.
    half = step // 2
    whole = np.rint(np.ldexp(np.ldexp(values, -half), half - step))
    found = np.ldexp(np.ldexp(whole, half), step - half)
    beyond = np.inf if wanted.infinities else np.nan
    found = np.where(np.abs(found) > wanted.largest, np.copysign(beyond, values), found)
    return np.where(finite | (np.isinf(values) & (not wanted.infinities)), found, values)


def _whole(values: Any, wanted: IntegerFormat) -> Any:
    if np.isnan(values.astype(np.float64)).any():
        raise ValueError(
            bad_argument(
                "rounded", "x", got="NaN", expected=f"numbers, as {wanted.name} has no NaN"
            )
        )
    return np.clip(np.rint(values), wanted.lowest, wanted.largest)
