"""Pose the problems of the gradients of convolution and of transposed convolution.

Every gradient of a call checks all of its shapes, those that it doesn't compute with too: a
gradient of another shape than the output's is a mistake whichever result is wanted.
"""

from __future__ import annotations

from typing import Any

from fastconv.dispatch.request import Call, Output, Request
from fastconv.errors import bad_argument
from fastconv.functional._conv_problems import (
    check_channels,
    check_transposed_channels,
    conv_problem,
    per_ndim,
)
from fastconv.functional.geometry import (
    Geometry,
    check_weight,
    convolution_geometry,
    transposed_geometry,
)
from fastconv.functional.parameters import is_channels_last, is_sequence, whole
from fastconv.functional.posing import Draft, Layout, check_shape, fresh, layout_of, promoted
from fastconv.problem import BiasProblem, Ints


def _sizes(name: str, argument: str, value: Any, count: int) -> Ints:
    """Return a shape of `count` extents, checked."""
    expected = f"a shape of {count} extents"
    if not is_sequence(value):
        raise TypeError(bad_argument(name, argument, got=repr(value), expected=expected))
    if len(value) != count:
        raise ValueError(bad_argument(name, argument, got=repr(value), expected=expected))
    return tuple(whole(name, argument, extent, 0) for extent in value)


def _named(function: str, argument: str) -> str:
    """Return how the caller gave the shape of `argument`: as an array, or as its shape."""
    return argument if function.endswith("_backward") else f"{argument}_shape"


def _settle(
    call: Call,
    argument: str,
    x_shape: Ints,
    weight_shape: Ints,
    grad: Any,
    order: Layout,
    parameters: tuple[Any, ...],
) -> tuple[Geometry, int]:
    """Check a gradient's shapes; return the convolution's geometry and its groups."""
    stride, padding, dilation, groups, _ = parameters
    name = call.function
    shape = order.logical(x_shape)
    number = check_weight(name, weight_shape, len(shape) - 2, groups)
    check_channels(name, argument, shape[1], weight_shape[1], number)
    geometry = convolution_geometry(name, shape[2:], weight_shape[2:], stride, padding, dilation)
    spatial = geometry.spatial_out(name, argument, shape[2:])
    expected = order.outer((shape[0], weight_shape[0], *spatial))
    check_shape(name, "grad", grad, expected, "that of the convolution's output")
    return geometry, number


def _input_grad(call: Call) -> Request:
    ndim, x_shape, *parameters = call.parameters
    name, (grad, weight) = call.function, call.arrays
    order = layout_of(name, "grad", grad, ndim, is_channels_last(name, parameters[-1], ndim))
    argument = _named(name, "x")
    given = _sizes(name, argument, x_shape, grad.ndim)
    geometry, number = _settle(
        call, argument, given, tuple(weight.shape), grad, order, tuple(parameters)
    )
    dtype = promoted(name, grad=grad, weight=weight)
    output = order.output(order.logical(given), dtype.name)
    draft = Draft(call)
    problem = conv_problem(
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
    ndim, weight_shape, *parameters = call.parameters
    name, (x, grad) = call.function, call.arrays
    order = layout_of(name, "x", x, ndim, is_channels_last(name, parameters[-1], ndim))
    sizes = _sizes(name, _named(name, "weight"), weight_shape, ndim + 2)
    geometry, number = _settle(call, "x", tuple(x.shape), sizes, grad, order, tuple(parameters))
    dtype = promoted(name, x=x, grad=grad)
    return _weight_problem(call, order, geometry, number, dtype, Output(sizes, dtype.name))


def _weight_problem(
    call: Call, order: Layout, geometry: Geometry, number: int, dtype: Any, output: Output
) -> Request:
    draft = Draft(call)
    problem = conv_problem(
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
    ndim, x_shape, weight_shape, *parameters = call.parameters
    name, (grad,) = call.function, call.arrays
    order = layout_of(name, "grad", grad, ndim, is_channels_last(name, parameters[-1], ndim))
    given = _sizes(name, "x", x_shape, grad.ndim)
    sizes = _sizes(name, "weight", weight_shape, ndim + 2)
    _settle(call, "x", given, sizes, grad, order, tuple(parameters))
    return _bias_problem(call, order)


def _bias_problem(call: Call, order: Layout) -> Request:
    name, (grad,) = call.function, call.arrays
    dtype = promoted(name, grad=grad)
    output = Output((order.logical(grad.shape)[1],), dtype.name)
    draft = Draft(call)
    problem = BiasProblem(
        function=name,
        operation="bias_grad",
        device=call.device,
        y=draft.input(0, dtype, order.view()),
        bias=fresh(output),
    )
    return draft.request(problem, output)


def _settle_transposed(
    call: Call,
    x_shape: Ints,
    weight_shape: Ints,
    grad: Any,
    order: Layout,
    parameters: tuple[Any, ...],
) -> tuple[Geometry, int]:
    """As `_settle`, for a transposed convolution."""
    stride, padding, output_padding, dilation, groups, _ = parameters
    name = call.function
    shape = order.logical(x_shape)
    number = check_weight(name, weight_shape, len(shape) - 2, groups)
    check_transposed_channels(name, shape[1], weight_shape[0])
    geometry, spatial = transposed_geometry(
        name, shape[2:], weight_shape[2:], stride, padding, output_padding, dilation
    )
    expected = order.outer((shape[0], weight_shape[1] * number, *spatial))
    check_shape(name, "grad", grad, expected, "that of the transposed convolution's output")
    return geometry, number


def _transposed_input_grad(call: Call) -> Request:
    ndim, x_shape, *parameters = call.parameters
    name, (grad, weight) = call.function, call.arrays
    order = layout_of(name, "grad", grad, ndim, is_channels_last(name, parameters[-1], ndim))
    given = _sizes(name, "x", x_shape, grad.ndim)
    geometry, number = _settle_transposed(
        call, given, tuple(weight.shape), grad, order, tuple(parameters)
    )
    dtype = promoted(name, grad=grad, weight=weight)
    output = order.output(order.logical(given), dtype.name)
    draft = Draft(call)
    problem = conv_problem(
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
    ndim, weight_shape, *parameters = call.parameters
    name, (grad, x) = call.function, call.arrays
    order = layout_of(name, "x", x, ndim, is_channels_last(name, parameters[-1], ndim))
    sizes = _sizes(name, "weight", weight_shape, ndim + 2)
    geometry, number = _settle_transposed(
        call, tuple(x.shape), sizes, grad, order, tuple(parameters)
    )
    dtype = promoted(name, grad=grad, x=x)
    # The convolution's gradient conjugates its x, which is our grad: the caller conjugates
    # the result, so that our x is conjugated instead.
    return _weight_problem(call, order, geometry, number, dtype, Output(sizes, dtype.name))


def _transposed_bias_grad(call: Call) -> Request:
    ndim, x_shape, weight_shape, *parameters = call.parameters
    name, (grad,) = call.function, call.arrays
    order = layout_of(name, "grad", grad, ndim, is_channels_last(name, parameters[-1], ndim))
    given = _sizes(name, "x", x_shape, grad.ndim)
    sizes = _sizes(name, "weight", weight_shape, ndim + 2)
    _settle_transposed(call, given, sizes, grad, order, tuple(parameters))
    return _bias_problem(call, order)


INPUT_GRAD = per_ndim("conv", "_input_grad", ("grad", "weight"), _input_grad)
WEIGHT_GRAD = per_ndim("conv", "_weight_grad", ("x", "grad"), _weight_grad)
BACKWARD = {
    "x": per_ndim("conv", "_backward", ("grad", "weight"), _input_grad),
    "weight": per_ndim("conv", "_backward", ("x", "grad"), _weight_grad),
    "bias": per_ndim("conv", "_backward", ("grad",), _bias_grad),
}
TRANSPOSED_BACKWARD = {
    "x": per_ndim("conv_transpose", "_backward", ("grad", "weight"), _transposed_input_grad),
    "weight": per_ndim("conv_transpose", "_backward", ("grad", "x"), _transposed_weight_grad),
    "bias": per_ndim("conv_transpose", "_backward", ("grad",), _transposed_bias_grad),
}
