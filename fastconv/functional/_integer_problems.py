"""Pose the problems of integer convolution, and check its scales and zero points."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.dispatch.prepared import PreparedWeight
from fastconv.dispatch.request import Call, Request
from fastconv.errors import bad_argument
from fastconv.functional._conv_problems import check_channels, per_ndim
from fastconv.functional.geometry import check_weight, convolution_geometry
from fastconv.functional.parameters import is_channels_last
from fastconv.functional.posing import Draft, check_shape, fresh, layout_of
from fastconv.precision import integer_sum_limit
from fastconv.problem import IntegerConvProblem

BYTES = ("int8", "uint8")


def byte_dtype(function: str, argument: str, array: Any) -> np.dtype[Any]:
    """Return the dtype of an array of int8 or uint8; TypeError for any other."""
    dtype: np.dtype[Any] | None = getattr(array, "dtype", None)
    if dtype is None or dtype.name not in BYTES:
        got = f"dtype {dtype}" if dtype is not None else type(array).__name__
        raise TypeError(
            bad_argument(
                function,
                argument,
                got=got,
                expected="an array of int8 or uint8",
                hint="fastconv.quantize() makes one out of floating numbers",
            )
        )
    return dtype


def _per_channel(function: str, argument: str, found: Any, channels: int) -> Any:
    """Return a host array as one number, (1,), or one for each channel, (channels,)."""
    if found.shape not in ((), (1,), (channels,)):
        several = f" or shape ({channels},), one for each output channel" if channels != 1 else ""
        raise ValueError(
            bad_argument(
                function, argument, got=f"shape {found.shape}", expected=f"one number{several}"
            )
        )
    return found.reshape(-1)


def zero_points(
    function: str, argument: str, value: Any, dtype: np.dtype[Any], channels: int = 1
) -> Any:
    """Return zero points as an array of `dtype`, of one number or one for each channel.

    Raises
    ------
    TypeError
        If they aren't integers.
    ValueError
        If one is out of the dtype's range, or there are neither one nor `channels`.
    """
    found = np.asarray(value)
    if found.dtype.kind not in "iu":
        raise TypeError(
            bad_argument(function, argument, got=f"dtype {found.dtype}", expected="integers")
        )
    ends = np.iinfo(dtype)
    outside = (found < ends.min) | (found > ends.max)
    if outside.any():
        raise ValueError(
            bad_argument(
                function,
                argument,
                got=found[outside].flat[0] if found.ndim else found[()],
                expected=f"{ends.min} to {ends.max}, the range of {dtype}",
            )
        )
    return _per_channel(function, argument, found, channels).astype(dtype)


def scales(function: str, argument: str, value: Any, channels: int = 1) -> Any:
    """Return scales as float32, of one number or one for each channel.

    Raises
    ------
    TypeError
        If they aren't real numbers.
    ValueError
        If one isn't above 0 and finite, or there are neither one nor `channels`.
    """
    found = np.asarray(value)
    if found.dtype.kind not in "fiu":
        raise TypeError(
            bad_argument(function, argument, got=f"dtype {found.dtype}", expected="real numbers")
        )
    with np.errstate(over="ignore", under="ignore"):
        single = _per_channel(function, argument, found, channels).astype(np.float32)
    wrong = ~((single > 0) & np.isfinite(single))
    if wrong.any():
        raise ValueError(
            bad_argument(
                function,
                argument,
                got=found.reshape(-1)[wrong][0],
                expected="above 0 and finite in float32",
            )
        )
    return single


def _reach(dtype: np.dtype[Any], zero_point: Any) -> int:
    """Return the largest magnitude that integers of a dtype may have less a zero point."""
    ends = np.iinfo(dtype)
    return max(int(ends.max) - int(zero_point.min()), int(zero_point.max()) - int(ends.min))


def check_sums(
    function: str, x_zero_point: Any, weight_zero_point: Any, weight: Any, bias: Any
) -> None:
    """Refuse a convolution whose sums might not fit into int32.

    Raises
    ------
    ValueError
        If products as large as these types and zero points allow might add up to more.
    """
    shape = tuple(weight.shape)
    length = int(np.prod(shape[1:], dtype=np.int64))
    added = 0 if bias is None or bias.size == 0 else int(np.abs(bias.astype(np.int64)).max())
    reaches = [_reach(zero.dtype, zero) for zero in (x_zero_point, weight_zero_point)]
    most = integer_sum_limit(reaches[0], reaches[1], added)
    if length > most:
        raise ValueError(
            bad_argument(
                function,
                "weight",
                got=f"shape {shape}: sums of {length} products of up to "
                f"{reaches[0]} x {reaches[1]}",
                expected=f"at most {most}, which int32 surely holds",
                hint="Split the input channels, and add the parts in float",
            )
        )


def int32_bias(function: str, bias: Any) -> Any:
    """Return a bias as it is, if it is int32; TypeError otherwise."""
    if bias is None:
        return None
    found = np.asarray(bias)
    if found.dtype != np.int32:
        raise TypeError(
            bad_argument(
                function,
                "bias",
                got=f"dtype {found.dtype}",
                expected="int32",
                hint="Its scale is x_scale * w_scale: round(bias / scale).astype('int32')",
            )
        )
    return found.astype(np.int32, copy=False)


def channels_of(function: str, weight: Any) -> int:
    """Return the output channels of a weight; ValueError if it has no axes."""
    if not isinstance(weight, PreparedWeight):
        byte_dtype(function, "weight", weight)
    shape = tuple(weight.shape)
    if not shape:
        raise ValueError(
            bad_argument(function, "weight", got="no axes", expected="(O, C / groups, kernel...)")
        )
    return int(shape[0])


def _build(call: Call) -> Request:
    ndim, stride, padding, dilation, groups, layout, result = call.parameters
    name, (x, weight, _, w_zero, bias, *scaling) = call.function, call.arrays
    x_dtype, w_dtype = byte_dtype(name, "x", x), byte_dtype(name, "weight", weight)
    order = layout_of(name, "x", x, ndim, is_channels_last(name, layout, ndim))
    number = check_weight(name, weight.shape, ndim, groups)
    shape = order.logical(x.shape)
    check_channels(name, "x", shape[1], weight.shape[1], number)
    if bias is not None:
        check_shape(name, "bias", bias, (weight.shape[0],), "one for each output channel")
    kernel = tuple(weight.shape[2:])
    geometry = convolution_geometry(name, shape[2:], kernel, stride, padding, dilation)
    spatial = geometry.spatial_out(name, "x", shape[2:])
    output = order.output((shape[0], weight.shape[0], *spatial), result)
    draft = Draft(call)
    problem = IntegerConvProblem(
        function=name,
        operation="conv_requantized" if scaling else "conv_integer",
        device=call.device,
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
        groups=number,
        x=draft.input(0, x_dtype, order.view()),
        weight=draft.input(1, w_dtype),
        x_zero_point=draft.input(2, x_dtype),
        w_zero_point=None if w_zero is None else draft.input(3, w_dtype),
        bias=None if bias is None else draft.input(4, np.dtype(np.int32)),
        multiplier=draft.input(5, np.dtype(np.float32)) if scaling else None,
        y_zero_point=draft.input(6, np.dtype(result)) if scaling else None,
        y=fresh(output),
    )
    return draft.request(problem, output)


_ARGUMENTS = ("x", "weight", "x_zero_point", "w_zero_point", "bias")
INTEGER = per_ndim("conv", "_integer", _ARGUMENTS, _build)
REQUANTIZED = per_ndim("qconv", "", (*_ARGUMENTS, "multiplier", "y_zero_point"), _build)
