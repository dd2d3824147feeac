"""Pose the problems of convolution and of transposed convolution.

The two are adjoint, so that one ConvProblem serves both: a transposed convolution is the
input gradient of the convolution with the same weight, and its own input gradient is that
convolution.
"""

from __future__ import annotations

from typing import Any

from fastconv.dispatch.request import Call, Function, Request
from fastconv.errors import bad_argument
from fastconv.functional.geometry import (
    Geometry,
    check_weight,
    convolution_geometry,
    transposed_geometry,
)
from fastconv.functional.parameters import activation_name, is_channels_last
from fastconv.functional.posing import Draft, bias_input, check_shape, fresh, layout_of, promoted
from fastconv.problem import ConvProblem


def check_channels(
    function: str, argument: str, channels: int, per_group: int, groups: int
) -> None:
    """Refuse an input whose channels the weight doesn't take."""
    if channels != per_group * groups:
        raise ValueError(
            bad_argument(
                function,
                argument,
                got=f"{channels} channels",
                expected=f"{per_group * groups}: weight.shape[1] = {per_group} in each of "
                f"{groups} groups",
                hint="weight is (out channels, in channels / groups, kernel...)",
            )
        )


def check_transposed_channels(function: str, channels: int, expected: int) -> None:
    """Refuse an input whose channels a transposed convolution's weight doesn't take."""
    if channels != expected:
        raise ValueError(
            bad_argument(
                function,
                "x",
                got=f"{channels} channels",
                expected=f"weight.shape[0] = {expected}",
                hint="weight is (in channels, out channels / groups, kernel...)",
            )
        )


def _check_bias(function: str, bias: Any, channels: int) -> None:
    if bias is not None:
        check_shape(function, "bias", bias, (channels,), "one for each output channel")


def conv_problem(
    call: Call, operation: str, geometry: Geometry, groups: int, **rest: Any
) -> ConvProblem:
    """Return the problem of a call's geometry; `rest` holds operands and the like."""
    return ConvProblem(
        function=call.function,
        operation=operation,
        device=call.device,
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
        groups=groups,
        **rest,
    )


def _forward(call: Call) -> Request:
    ndim, stride, padding, dilation, groups, activation, layout = call.parameters
    name, (x, weight, bias) = call.function, call.arrays
    channels_last = is_channels_last(name, layout, ndim)
    order = layout_of(name, "x", x, ndim, channels_last)
    number = check_weight(name, weight.shape, ndim, groups)
    shape = order.logical(x.shape)
    check_channels(name, "x", shape[1], weight.shape[1], number)
    _check_bias(name, bias, weight.shape[0])
    geometry = convolution_geometry(
        name, shape[2:], tuple(weight.shape[2:]), stride, padding, dilation
    )
    spatial = geometry.spatial_out(name, "x", shape[2:])
    dtype = promoted(name, x=x, weight=weight)
    act = activation_name(name, activation, dtype.name)
    output = order.output((shape[0], weight.shape[0], *spatial), dtype.name)
    draft = Draft(call)
    problem = conv_problem(
        call,
        "conv_forward",
        geometry,
        number,
        x=draft.input(0, dtype, order.view()),
        weight=draft.input(1, dtype),
        bias=bias_input(name, draft, 2, bias, dtype),
        y=fresh(output),
        activation=act,
    )
    return draft.request(problem, output)


def _transposed(call: Call) -> Request:
    ndim, stride, padding, output_padding, dilation, groups, activation, layout = call.parameters
    name, (x, weight, bias) = call.function, call.arrays
    order = layout_of(name, "x", x, ndim, is_channels_last(name, layout, ndim))
    number = check_weight(name, weight.shape, ndim, groups)
    shape = order.logical(x.shape)
    check_transposed_channels(name, shape[1], weight.shape[0])
    channels = weight.shape[1] * number
    _check_bias(name, bias, channels)
    geometry, spatial = transposed_geometry(
        name, shape[2:], tuple(weight.shape[2:]), stride, padding, output_padding, dilation
    )
    dtype = promoted(name, x=x, weight=weight)
    act = activation_name(name, activation, dtype.name)
    output = order.output((shape[0], channels, *spatial), dtype.name)
    draft = Draft(call)
    problem = conv_problem(
        call,
        "conv_input_grad",
        geometry,
        number,
        y=draft.input(0, dtype, order.view()),
        weight=draft.input(1, dtype),
        bias=bias_input(name, draft, 2, bias, dtype),
        x=fresh(output),
        activation=act,
    )
    return draft.request(problem, output)


def per_ndim(stem: str, suffix: str, arguments: tuple[str, ...], build: Any) -> dict[int, Function]:
    """Return the functions of 1, 2 and 3 spatial axes."""
    return {n: Function(f"{stem}{n}d{suffix}", arguments, build) for n in (1, 2, 3)}


FORWARD = per_ndim("conv", "", ("x", "weight", "bias"), _forward)
TRANSPOSED = per_ndim("conv_transpose", "", ("x", "weight", "bias"), _transposed)
