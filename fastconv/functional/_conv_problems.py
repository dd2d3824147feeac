"""Pose the problems of convolution and of transposed convolution.

The two are adjoint, so that one ConvProblem serves both: a transposed convolution is the
input gradient of the convolution with the same weight, and its own input gradient is that
convolution.
"""

from __future__ import annotations

from typing import Any

from fastconv.dispatch.request import Call, Function, Output, Request
from fastconv.errors import bad_argument
from fastconv.functional.geometry import (
    Geometry,
    check_weight,
    convolution_geometry,
    transposed_geometry,
)
from fastconv.functional.parameters import activation_name, is_channels_last, whole
from fastconv.functional.posing import Draft, bias_input, check_shape, fresh, layout_of, promoted
from fastconv.problem import BiasProblem, ConvProblem, Ints


def _check_channels(
    function: str, argument: str, channels: int, per_group: int, groups: int
) -> None:
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


def _check_bias(function: str, bias: Any, channels: int) -> None:
    if bias is not None:
        check_shape(function, "bias", bias, (channels,), "one for each output channel")


def _problem(
    call: Call, operation: str, geometry: Geometry, groups: int, **rest: Any
) -> ConvProblem:
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
    _check_channels(name, "x", shape[1], weight.shape[1], number)
    _check_bias(name, bias, weight.shape[0])
    geometry = convolution_geometry(
        name, shape[2:], tuple(weight.shape[2:]), stride, padding, dilation
    )
    spatial = geometry.spatial_out(name, "x", shape[2:])
    dtype = promoted(name, x=x, weight=weight)
    act = activation_name(name, activation, dtype.name)
    output = order.output((shape[0], weight.shape[0], *spatial), dtype.name)
    draft = Draft(call)
    problem = _problem(
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
    if shape[1] != weight.shape[0]:
        raise ValueError(
            bad_argument(
                name,
                "x",
                got=f"{shape[1]} channels",
                expected=f"weight.shape[0] = {weight.shape[0]}",
                hint="weight is (in channels, out channels / groups, kernel...)",
            )
        )
    channels = weight.shape[1] * number
    _check_bias(name, bias, channels)
    geometry, spatial = transposed_geometry(
        name, shape[2:], tuple(weight.shape[2:]), stride, padding, output_padding, dilation
    )
    dtype = promoted(name, x=x, weight=weight)
    act = activation_name(name, activation, dtype.name)
    output = order.output((shape[0], channels, *spatial), dtype.name)
    draft = Draft(call)
    problem = _problem(
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


def _sizes(name: str, argument: str, value: Any, counts: tuple[int, ...]) -> Ints:
    if not hasattr(value, "__len__") or len(value) not in counts:
        raise ValueError(
            bad_argument(
                name, argument, got=repr(value), expected=f"a shape of {counts[-1]} extents"
            )
        )
    return tuple(whole(name, argument, extent, 0) for extent in value)


def _input_grad(call: Call) -> Request:
    ndim, x_shape, stride, padding, dilation, groups, layout = call.parameters
    name, (grad, weight) = call.function, call.arrays
    order = layout_of(name, "grad", grad, ndim, is_channels_last(name, layout, ndim))
    number = check_weight(name, weight.shape, ndim, groups)
    given = _sizes(name, "x_shape", x_shape, (grad.ndim,))
    shape = order.logical(given)
    _check_channels(name, "x_shape", shape[1], weight.shape[1], number)
    geometry = convolution_geometry(
        name, shape[2:], tuple(weight.shape[2:]), stride, padding, dilation
    )
    spatial = geometry.spatial_out(name, "x_shape", shape[2:])
    expected = order.outer((shape[0], weight.shape[0], *spatial))
    check_shape(name, "grad", grad, expected, "that of the convolution's output")
    dtype = promoted(name, grad=grad, weight=weight)
    output = order.output(shape, dtype.name)
    draft = Draft(call)
    problem = _problem(
        call,
        "conv_input_grad",
        geometry,
        number,
        y=draft.input(0, dtype, order.view()),
        weight=draft.input(1, dtype),
        x=fresh(output),
        conjugate=True,
    )
    return draft.request(problem, output)


def _weight_grad(call: Call) -> Request:
    ndim, weight_shape, stride, padding, dilation, groups, layout = call.parameters
    name, (x, grad) = call.function, call.arrays
    order = layout_of(name, "x", x, ndim, is_channels_last(name, layout, ndim))
    sizes = _sizes(name, "weight_shape", weight_shape, (ndim + 2,))
    number = check_weight(name, sizes, ndim, groups)
    shape = order.logical(x.shape)
    _check_channels(name, "x", shape[1], sizes[1], number)
    geometry = convolution_geometry(name, shape[2:], sizes[2:], stride, padding, dilation)
    spatial = geometry.spatial_out(name, "x", shape[2:])
    expected = order.outer((shape[0], sizes[0], *spatial))
    check_shape(name, "grad", grad, expected, "that of the convolution's output")
    dtype = promoted(name, x=x, grad=grad)
    output = Output(sizes, dtype.name)
    draft = Draft(call)
    problem = _problem(
        call,
        "conv_weight_grad",
        geometry,
        number,
        x=draft.input(0, dtype, order.view()),
        y=draft.input(1, dtype, order.view()),
        weight=fresh(output),
        conjugate=True,
    )
    return draft.request(problem, output)


def _transposed_grad_geometry(call: Call, x: Any, grad: Any, weight_shape: Ints) -> Any:
    """Check a transposed convolution's gradient: (layout, groups, geometry, logical shapes)."""
    ndim, stride, padding, output_padding, dilation, groups, layout = call.parameters[-7:]
    name = call.function
    order = layout_of(name, "x", x, ndim, is_channels_last(name, layout, ndim))
    number = check_weight(name, weight_shape, ndim, groups)
    shape = order.logical(x.shape)
    if shape[1] != weight_shape[0]:
        raise ValueError(
            bad_argument(
                name,
                "x",
                got=f"{shape[1]} channels",
                expected=f"weight.shape[0] = {weight_shape[0]}",
            )
        )
    geometry, spatial = transposed_geometry(
        name, shape[2:], weight_shape[2:], stride, padding, output_padding, dilation
    )
    expected = order.outer((shape[0], weight_shape[1] * number, *spatial))
    check_shape(name, "grad", grad, expected, "that of the transposed convolution's output")
    return order, number, geometry, shape


def _transposed_input_grad(call: Call) -> Request:
    name, (grad, weight, x) = call.function, call.arrays
    order, number, geometry, shape = _transposed_grad_geometry(call, x, grad, tuple(weight.shape))
    dtype = promoted(name, grad=grad, weight=weight)
    output = order.output(shape, dtype.name)
    draft = Draft(call)
    problem = _problem(
        call,
        "conv_forward",
        geometry,
        number,
        x=draft.input(0, dtype, order.view()),
        weight=draft.input(1, dtype),
        y=fresh(output),
        conjugate=True,
    )
    return draft.request(problem, output)


def _transposed_weight_grad(call: Call) -> Request:
    name, (grad, x) = call.function, call.arrays
    weight_shape = _sizes(name, "weight_shape", call.parameters[0], (call.parameters[1] + 2,))
    order, number, geometry, _ = _transposed_grad_geometry(call, x, grad, weight_shape)
    dtype = promoted(name, grad=grad, x=x)
    output = Output(weight_shape, dtype.name)
    draft = Draft(call)
    # The convolution's gradient would conjugate its x, which is our grad: the caller
    # conjugates the result, so that our x is conjugated instead.
    problem = _problem(
        call,
        "conv_weight_grad",
        geometry,
        number,
        x=draft.input(0, dtype, order.view()),
        y=draft.input(1, dtype, order.view()),
        weight=fresh(output),
        conjugate=True,
    )
    return draft.request(problem, output)


def _bias_grad(call: Call) -> Request:
    ndim, layout = call.parameters
    name, (grad,) = call.function, call.arrays
    order = layout_of(name, "grad", grad, ndim, is_channels_last(name, layout, ndim))
    dtype = promoted(name, grad=grad)
    shape = order.logical(grad.shape)
    output = Output((shape[1],), dtype.name)
    draft = Draft(call)
    problem = BiasProblem(
        function=name,
        operation="bias_grad",
        device=call.device,
        y=draft.input(0, dtype, order.view()),
        bias=fresh(output),
    )
    return draft.request(problem, output)


def _per_ndim(
    stem: str, suffix: str, arguments: tuple[str, ...], build: Any
) -> dict[int, Function]:
    return {n: Function(f"{stem}{n}d{suffix}", arguments, build) for n in (1, 2, 3)}


FORWARD = _per_ndim("conv", "", ("x", "weight", "bias"), _forward)
INPUT_GRAD = _per_ndim("conv", "_input_grad", ("grad", "weight"), _input_grad)
WEIGHT_GRAD = _per_ndim("conv", "_weight_grad", ("x", "grad"), _weight_grad)
BIAS_GRAD = _per_ndim("conv", "_backward", ("grad",), _bias_grad)
TRANSPOSED = _per_ndim("conv_transpose", "", ("x", "weight", "bias"), _transposed)
TRANSPOSED_INPUT_GRAD = _per_ndim(
    "conv_transpose", "_backward", ("grad", "weight", "x"), _transposed_input_grad
)
TRANSPOSED_WEIGHT_GRAD = _per_ndim(
    "conv_transpose", "_backward", ("grad", "x"), _transposed_weight_grad
)
TRANSPOSED_BIAS_GRAD = _per_ndim("conv_transpose", "_backward", ("grad",), _bias_grad)
