"""Numbers to integers of few bits by a scale and a zero point, and back."""

from __future__ import annotations

from math import prod
from operator import index
from typing import Any

import numpy as np

from fastconv.dispatch.arrays import namespace, take
from fastconv.dispatch.quantizing import quantizer_of
from fastconv.errors import bad_argument
from fastconv.precision import array_dtype

INTEGERS = ("int8", "uint8")
NUMBERS = ("float16", "bfloat16", "float32", "float64")
# Elements of a block whose intermediate results stay in the cache.
_BLOCK = 1 << 15


def quantize(
    x: Any,
    /,
    scale: Any,
    zero_point: Any = 0,
    *,
    axis: int | None = None,
    dtype: str = "int8",
) -> Any:
    """Return x / scale + zero_point, rounded to integers, ties to even; saturated.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        Numbers; infinite ones saturate.
    scale : float or array of float, shape (x.shape[axis],)
        Above 0: of all elements, or one for each place along `axis`.
    zero_point : int or array of int, shape as scale's, optional
        What 0 becomes; within the range of `dtype`.
    axis : int, optional
        Along which scale and zero point vary.
    dtype : {"int8", "uint8"}, optional
        Of the result.

    Returns
    -------
    array of `dtype`, shape as x's
        Fresh; in the order in memory that x has, if that is in one piece, else C-contiguous.

    Raises
    ------
    ValueError
        For a scale that is no positive finite number, a zero point out of range, other shapes,
        or a NaN in x.
    TypeError
        For other dtypes, or an axis that is no int.

    References
    ----------
    ONNX operator QuantizeLinear, version 13.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.quantize([-1.0, 0.26, 9.0], 0.1, 3)
    array([-7,  6, 93], dtype=int8)
    """
    values = take("quantize", "x", x)
    if values.dtype.kind != "f" and values.dtype.name != "bfloat16":
        raise TypeError(
            bad_argument("quantize", "x", got=f"dtype {values.dtype}", expected="a floating one")
        )
    wanted = _integer_dtype("quantize", "dtype", dtype)
    scales = _scales("quantize", scale, values.shape, axis)
    zeros = _zero_points("quantize", zero_point, wanted, scales)
    backend, threads = quantizer_of(values)
    if backend is not None:
        found = backend.quantize(values, scales, zeros, axis, wanted.name, threads)
        if found is not None:
            _check_numbers(found[1], wanted)
            return found[0]
    xp = namespace(values)
    low, high = np.iinfo(wanted).min, np.iinfo(wanted).max
    wide = np.result_type(values.dtype, np.float32)

    def convert(block: Any, scale: Any, zero: Any) -> Any:
        steps = block / scale.astype(wide)
        xp.rint(steps, out=steps)
        steps += zero.astype(wide)
        _check_numbers(xp.isnan(steps).any(), wanted)
        return xp.clip(steps, low, high, out=steps)

    return _by_blocks(xp, values, scales, zeros, axis, wanted, convert)


def _check_numbers(nan: Any, dtype: Any) -> None:
    if nan:
        raise ValueError(
            bad_argument("quantize", "x", got="NaN", expected=f"numbers, as {dtype} has no NaN")
        )


def dequantize(
    x: Any,
    /,
    scale: Any,
    zero_point: Any = 0,
    *,
    axis: int | None = None,
    dtype: str = "float32",
) -> Any:
    """Return (x - zero_point) scale, the number that each integer stands for.

    Parameters
    ----------
    x : array of int8, uint8 or int32, any shape
        Integers, as :func:`quantize` returns them, or sums of products of them.
    scale, zero_point, axis
        As in :func:`quantize`.
    dtype : {"float32", "float64", "float16", "bfloat16"}, optional
        Of the result.

    Returns
    -------
    array of `dtype`, shape as x's
        Fresh, in memory as :func:`quantize`'s.

    Raises
    ------
    ValueError, TypeError
        As :func:`quantize`.

    References
    ----------
    ONNX operator DequantizeLinear, version 13.

    Examples
    --------
    >>> import fastconv, numpy as np
    >>> fastconv.dequantize(np.int8([-7, 6, 93]), 0.5, 3)
    array([-5. ,  1.5, 45. ], dtype=float32)
    """
    values = take("dequantize", "x", x)
    if values.dtype.name not in (*INTEGERS, "int32"):
        raise TypeError(
            bad_argument(
                "dequantize", "x", got=f"dtype {values.dtype}", expected="int8, uint8 or int32"
            )
        )
    if dtype not in NUMBERS:
        raise ValueError(
            bad_argument(
                "dequantize", "dtype", got=repr(dtype), expected=f"one of {', '.join(NUMBERS)}"
            )
        )
    result = array_dtype("dequantize", "dtype", dtype)
    scales = _scales("dequantize", scale, values.shape, axis)
    zeros = _zero_points("dequantize", zero_point, values.dtype, scales)
    backend, threads = quantizer_of(values)
    if backend is not None:
        numbers = backend.dequantize(values, scales, zeros, axis, dtype, threads)
        if numbers is not None:
            return numbers
    xp = namespace(values)
    # Sums of products don't fit into float32.
    wide = np.dtype(np.float64 if values.dtype.name == "int32" else np.float32)

    def convert(block: Any, scale: Any, zero: Any) -> Any:
        found = block.astype(wide)
        found -= zero.astype(wide)
        found *= scale.astype(wide)
        return found

    return _by_blocks(xp, values, scales, zeros, axis, result, convert)


def _integer_dtype(function: str, argument: str, value: object) -> np.dtype[Any]:
    name = np.dtype(value).name if isinstance(value, np.dtype | type) else value
    if name not in INTEGERS:
        raise ValueError(
            bad_argument(function, argument, got=repr(value), expected="int8 or uint8")
        )
    return np.dtype(name)


def _scales(function: str, scale: Any, shape: tuple[int, ...], axis: int | None) -> Any:
    found = np.asarray(scale)
    if found.dtype.kind not in "fiu":
        raise TypeError(
            bad_argument(function, "scale", got=f"dtype {found.dtype}", expected="a floating one")
        )
    if axis is not None:
        try:
            axis = index(axis)
        except TypeError:
            raise TypeError(
                bad_argument(function, "axis", got=repr(axis), expected="an int or None")
            ) from None
    if axis is not None and not -len(shape) <= axis < len(shape):
        raise ValueError(
            bad_argument(function, "axis", got=axis, expected=f"an axis of shape {shape}")
        )
    expected = () if axis is None else (shape[axis],)
    if found.shape not in ((), expected):
        raise ValueError(
            bad_argument(
                function,
                "scale",
                got=f"shape {found.shape}",
                expected=f"one number or shape {expected}",
                hint="" if axis is not None else "axis= says along which axis scales vary",
            )
        )
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError(
            bad_argument(
                function, "scale", got=_first(found, ~(found > 0)), expected="above 0 and finite"
            )
        )
    return found


def _zero_points(function: str, zero_point: Any, dtype: np.dtype[Any], scales: Any) -> Any:
    found = np.asarray(zero_point)
    if found.dtype.kind not in "iu":
        raise TypeError(
            bad_argument(function, "zero_point", got=f"dtype {found.dtype}", expected="integers")
        )
    if found.shape not in ((), scales.shape):
        raise ValueError(
            bad_argument(
                function,
                "zero_point",
                got=f"shape {found.shape}",
                expected=f"one number or scale's shape {scales.shape}",
            )
        )
    ends = np.iinfo(dtype)
    outside = (found < ends.min) | (found > ends.max)
    if outside.any():
        raise ValueError(
            bad_argument(
                function,
                "zero_point",
                got=_first(found, outside),
                expected=f"{ends.min} to {ends.max}, the range of {dtype}",
            )
        )
    return found


def _first(values: Any, wrong: Any) -> object:
    return values[wrong | ~np.isfinite(values)].flat[0] if values.ndim else values[()]


def _by_blocks(
    xp: Any, values: Any, scales: Any, zeros: Any, axis: int | None, dtype: Any, convert: Any
) -> Any:
    """Convert an array a block at a time, each block in the cache from step to step."""
    if axis is None:
        source = xp.ascontiguousarray(values).reshape(-1)
        each = 1
    else:
        place = axis % values.ndim
        inner = prod(values.shape[place + 1 :])
        source = xp.ascontiguousarray(values).reshape(-1, values.shape[place], inner)
        each = max(1, values.shape[place] * inner)
        scales, zeros = (xp.asarray(factor).reshape(-1, 1) for factor in (scales, zeros))
    target = xp.empty(source.shape, dtype)
    # On a device, each step is a kernel of its own: the fewer the better.
    step = max(1, _BLOCK // each) if xp is np else max(1, len(source))
    with np.errstate(over="ignore"):
        for start in range(0, len(source), step):
            block = slice(start, start + step)
            target[block] = convert(source[block], scales, zeros)
    return target.reshape(values.shape)
