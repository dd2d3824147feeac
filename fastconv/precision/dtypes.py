"""Dtypes of arrays by name, bfloat16's included."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.errors import bad_argument


def array_dtype(function: str, argument: str, value: Any) -> np.dtype[Any]:
    """Return a dtype from anything that names one.

    Raises
    ------
    ModuleNotFoundError
        For bfloat16 where ml_dtypes isn't installed; the message says how to.
    TypeError
        For what names no dtype.

    Examples
    --------
    >>> array_dtype("Conv2d", "dtype", "float16")
    dtype('float16')
    """
    if value == "bfloat16":
        try:
            import ml_dtypes
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                bad_argument(
                    function,
                    argument,
                    got="'bfloat16'",
                    expected="a dtype that NumPy has here: bfloat16 needs ml_dtypes",
                    hint="pip install ml_dtypes",
                ),
                name="ml_dtypes",
            ) from None
        value = ml_dtypes.bfloat16
    try:
        found: np.dtype[Any] = np.dtype(value)
    except TypeError:
        raise TypeError(
            bad_argument(function, argument, got=repr(value), expected="a dtype")
        ) from None
    return found
