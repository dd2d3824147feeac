"""Convolution of integers of 8 bits, as ONNX defines it."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastconv.dispatch import PolicyOptions, call, namespace
from fastconv.dispatch.arrays import take
from fastconv.functional._integer_problems import (
    BYTES,
    INTEGER,
    REQUANTIZED,
    byte_dtype,
    channels_of,
    check_sums,
    int32_bias,
    scales,
    zero_points,
)
from fastconv.functional.parameters import IntOrInts, Padding

# A dtype makes up its name each time that it's asked for.
_NAMES = {np.dtype(name).char: name for name in BYTES}


def conv2d_integer(
    x: Any,
    weight: Any,
    /,
    x_zero_point: Any = 0,
    w_zero_point: Any = 0,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Convolve integers less their zero points, exactly, into int32.

    y = conv2d(x - x_zero_point, weight - w_zero_point); what lies beside x counts as
    x_zero_point, so that it adds nothing.

    Parameters
    ----------
    x : array of int8 or uint8, shape (N, C, H, W) or without N
        Input.
    weight : array of int8 or uint8, shape (O, C / groups, KH, KW)
        Kernels; of x's sign or not.
    x_zero_point : int, optional
        What stands for 0 in x; within the range of its dtype.
    w_zero_point : int or array of int, shape (O,), optional
        The same for the weight, or for each of its output channels.
    stride, padding, dilation, groups, layout, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array of int32, shape (N, O, H, W) with the output's extents
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together, a zero point out of range, and where
        products of these types might add up to more than int32 holds.
    TypeError
        For other dtypes.
    UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    References
    ----------
    ONNX operator ConvInteger, version 10.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)
    >>> fastconv.conv2d_integer(x, np.ones((1, 1, 2, 2), np.int8), x_zero_point=1)
    array([[[[ 4,  8],
             [16, 20]]]], dtype=int32)
    """
    geometry = (stride, padding, dilation, groups)
    zeros = (x_zero_point, w_zero_point)
    return integer_conv(2, x, weight, zeros, geometry, layout, out, policy)


def integer_conv(
    ndim: int,
    x: Any,
    weight: Any,
    zeros: tuple[Any, Any],
    geometry: tuple[Any, ...],
    layout: str,
    out: Any,
    policy: PolicyOptions,
) -> Any:
    """Do as :func:`conv2d_integer` over so many spatial axes."""
    name = INTEGER[ndim].name
    x = take(name, "x", x)
    channels = channels_of(name, weight)
    x_zero = zero_points(name, "x_zero_point", zeros[0], byte_dtype(name, "x", x))
    w_zero = zero_points(name, "w_zero_point", zeros[1], weight.dtype, channels)
    check_sums(name, x_zero, w_zero, weight, None)
    xp = namespace(x)
    operands = (x, weight, xp.asarray(x_zero), xp.asarray(w_zero), None)
    return call(INTEGER[ndim], operands, (ndim, *geometry, layout, "int32"), out, policy)[0]


def qconv2d(
    x: Any,
    x_scale: Any,
    x_zero_point: Any,
    weight: Any,
    w_scale: Any,
    w_zero_point: Any,
    y_scale: Any,
    y_zero_point: Any,
    /,
    bias: Any = None,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    dtype: str | None = None,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Convolve quantised arrays into a quantised one, sums and scaling in one go.

    The numbers that x, weight and y stand for, (x - x_zero_point) x_scale and so on, are those of
    a convolution: y = round(conv_integer(x, weight) x_scale w_scale / y_scale) + y_zero_point,
    ties to even, saturated.

    Parameters
    ----------
    x : array of int8 or uint8, shape (N, C, H, W) or without N
        Input.
    weight : array of int8 or uint8, shape (O, C / groups, KH, KW)
        Kernels.
    x_scale, y_scale : float
        Above 0.
    x_zero_point, y_zero_point : int
        Within the range of x's and of the result's dtype.
    w_scale, w_zero_point : float, int or arrays of them, shape (O,)
        Of the weight, or of each of its output channels.
    bias : array of int32, shape (O,), optional
        Added to the sums: in steps of x_scale * w_scale.
    stride, padding, dilation, groups, layout, out, **policy
        As in :func:`conv2d`.
    dtype : {"int8", "uint8"}, optional
        Of the result; by default that of `y_zero_point` if it has such a one, else x's.

    Returns
    -------
    array of `dtype`, shape (N, O, H, W) with the output's extents
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        As :func:`conv2d_integer`, and for a scale that is no positive finite number.
    TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d_integer`.

    References
    ----------
    ONNX operator QLinearConv, version 10.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = fastconv.quantize([[[[0.5, 1.0], [1.5, 2.0]]]], 0.01, -128)
    >>> w = fastconv.quantize([[[[1.0, -0.5], [0.25, 1.0]]]], 0.01)
    >>> fastconv.qconv2d(x, 0.01, -128, w, 0.01, 0, 0.02, 0)  # 2.38, in steps of 0.02
    array([[[[119]]]], dtype=int8)
    """
    return qconv(
        2, x, (x_scale, x_zero_point), weight, (w_scale, w_zero_point), (y_scale, y_zero_point),
        bias, (stride, padding, dilation, groups), dtype, layout, out, policy,
    )  # fmt: skip


def qconv(
    ndim: int,
    x: Any,
    of_x: tuple[Any, Any],
    weight: Any,
    of_weight: tuple[Any, Any],
    of_y: tuple[Any, Any],
    bias: Any,
    geometry: tuple[Any, ...],
    dtype: str | None,
    layout: str,
    out: Any,
    policy: PolicyOptions,
) -> Any:
    """Do as :func:`qconv2d` over so many spatial axes; scales and zero points come in pairs."""
    x = take(REQUANTIZED[ndim].name, "x", x)
    small = scaling(ndim, x, of_x, weight, of_weight, of_y, bias, dtype)
    return requantized_conv(ndim, x, weight, small, geometry, layout, out, policy)


def scaling(
    ndim: int,
    x: Any,
    of_x: tuple[Any, Any],
    weight: Any,
    of_weight: tuple[Any, Any],
    of_y: tuple[Any, Any],
    bias: Any,
    dtype: str | None,
) -> tuple[Any, ...]:
    """Return what a convolution of `x` takes besides arrays: zeros, bias, multiplier, y's zero."""
    name = REQUANTIZED[ndim].name
    channels = channels_of(name, weight)
    result = _result_dtype(name, dtype, of_y[1], byte_dtype(name, "x", x))
    x_zero = zero_points(name, "x_zero_point", of_x[1], x.dtype)
    w_zero = zero_points(name, "w_zero_point", of_weight[1], weight.dtype, channels)
    y_zero = zero_points(name, "y_zero_point", of_y[1], result)
    x_scale, y_scale = scales(name, "x_scale", of_x[0]), scales(name, "y_scale", of_y[0])
    multiplier = x_scale * scales(name, "w_scale", of_weight[0], channels) / y_scale
    bias = int32_bias(name, bias)
    check_sums(name, x_zero, w_zero, weight, bias)
    xp = namespace(x)
    small = (x_zero, w_zero if w_zero.any() else None, bias, multiplier, y_zero)
    return tuple(None if a is None else xp.asarray(a) for a in small)


def requantized_conv(
    ndim: int,
    x: Any,
    weight: Any,
    small: tuple[Any, ...],
    geometry: tuple[Any, ...],
    layout: str,
    out: Any,
    policy: PolicyOptions,
) -> Any:
    """Convolve, given what :func:`scaling` returned."""
    parameters = (ndim, *geometry, layout, _NAMES[small[-1].dtype.char])
    return call(REQUANTIZED[ndim], (x, weight, *small), parameters, out, policy)[0]


def _result_dtype(function: str, dtype: Any, zero_point: Any, of_x: Any) -> np.dtype[Any]:
    if dtype is not None:
        return byte_dtype(function, "dtype", np.empty(0, dtype))
    given: np.dtype[Any] | None = getattr(zero_point, "dtype", None)
    return given if given is not None and given.name in BYTES else np.dtype(of_x)
