"""Pose the problems of pooling over windows, fixed or adaptive, and of its gradients."""

from __future__ import annotations

from math import inf, prod
from typing import Any

from fastconv.dispatch.request import Call, Request
from fastconv.errors import bad_argument
from fastconv.functional._pool_posing import (
    add_indices,
    check_grad,
    laid_out,
    ordered_dtype,
    per_ndim,
    pool_request,
    shape_of_x,
)
from fastconv.functional._pool_windows import adaptive_counts, adaptive_windows, pool_geometry
from fastconv.functional.parameters import LARGEST, flag, whole
from fastconv.functional.posing import Draft, Layout, promoted
from fastconv.problem import Ints, Window


def _counts(windows: tuple[Window, ...]) -> Ints:
    return tuple(window.count for window in windows)


def _max_windows(call: Call, extents: Ints, parameters: tuple[Any, ...]) -> tuple[Window, ...]:
    kernel_size, stride, padding, dilation, ceil_mode = parameters
    ceil = flag(call.function, "ceil_mode", ceil_mode)
    geometry = pool_geometry(call.function, extents, kernel_size, stride, padding, dilation, ceil)
    return geometry.windows(call.function, "x", extents)


def _max_request(
    call: Call, order: Layout, windows: tuple[Window, ...], return_indices: Any
) -> Request:
    name, (x,) = call.function, call.arrays
    dtype = ordered_dtype(name, "x", x)
    shape = (*order.logical(x.shape)[:2], *_counts(windows))
    outputs = [order.output(shape, dtype.name)]
    if flag(name, "return_indices", return_indices):
        _check_windows_hit(name, windows)
        outputs.append(order.output(shape, "int64"))
    draft = Draft(call)
    operand = draft.input(0, dtype, order.view())
    return pool_request(call, "max_pool", draft, *outputs, x=operand, windows=windows)


def _check_windows_hit(function: str, windows: tuple[Window, ...]) -> None:
    # A dilated window that starts in the padding may step over a short input. The maximum of
    # no elements is the least number, but no index can say where that is.
    for axis, window in enumerate(windows):
        _, taps, _ = window.table(0, min(window.count, -(-window.padding[0] // window.stride)))
        if not taps.all():
            raise ValueError(
                bad_argument(
                    function,
                    "dilation",
                    got=f"{window.dilation} with padding {window.padding} on spatial axis {axis}, "
                    f"so that a window has all of its taps outside {window.length} elements",
                    expected="windows with an element each, of which one is the largest",
                )
            )


def _max_pool(call: Call) -> Request:
    ndim, *parameters, return_indices, layout = call.parameters
    (x,) = call.arrays
    order = laid_out(call, "x", x, ndim, layout)
    windows = _max_windows(call, order.logical(x.shape)[2:], tuple(parameters))
    return _max_request(call, order, windows, return_indices)


def _adaptive_max_pool(call: Call) -> Request:
    ndim, output_size, return_indices, layout = call.parameters
    (x,) = call.arrays
    order = laid_out(call, "x", x, ndim, layout)
    extents = order.logical(x.shape)[2:]
    counts = adaptive_counts(call.function, output_size, extents)
    return _max_request(call, order, adaptive_windows(extents, counts), return_indices)


def _indexed_backward(
    call: Call, order: Layout, shape: Ints, windows: tuple[Window, ...]
) -> Request:
    """Pose max_pool_backward: the indices alone say where maxima were, windows where to look."""
    name, (grad, _) = call.function, call.arrays
    dtype = ordered_dtype(name, "grad", grad)
    if dtype.kind == "b":
        raise TypeError(
            bad_argument(name, "grad", got="dtype bool", expected="numbers, which can be added")
        )
    draft = Draft(call)
    y = draft.input(0, dtype, order.view())
    indices = add_indices(call, draft, 1, order, tuple(grad.shape))
    output = order.output(shape, dtype.name)
    return pool_request(
        call, "max_pool_backward", draft, output, y=y, indices=indices, windows=windows
    )


def _max_pool_backward(call: Call) -> Request:
    ndim, x_shape, *parameters, layout = call.parameters
    grad = call.arrays[0]
    order = laid_out(call, "grad", grad, ndim, layout)
    shape = shape_of_x(call, x_shape, grad, order)
    windows = _max_windows(call, shape[2:], tuple(parameters))
    check_grad(call, grad, order, (*shape[:2], *_counts(windows)), "pool")
    return _indexed_backward(call, order, shape, windows)


def _adaptive_of_grad(call: Call) -> tuple[Layout, Ints, tuple[Window, ...]]:
    ndim, x_shape, output_size, layout = call.parameters
    grad = call.arrays[0]
    order = laid_out(call, "grad", grad, ndim, layout)
    shape = shape_of_x(call, x_shape, grad, order)
    counts = order.logical(grad.shape)[2:]
    if output_size is not None:
        counts = adaptive_counts(call.function, output_size, shape[2:])
    check_grad(call, grad, order, (*shape[:2], *counts), "pool")
    return order, shape, adaptive_windows(shape[2:], counts)


def _adaptive_max_pool_backward(call: Call) -> Request:
    return _indexed_backward(call, *_adaptive_of_grad(call))


def _divisor(function: str, value: Any) -> int | None:
    if value is None:
        return None
    number = whole(function, "divisor_override", value, -LARGEST)
    if number == 0:
        raise ValueError(
            bad_argument(
                function, "divisor_override", got=number, expected="None, or an int other than 0"
            )
        )
    return number


def _avg_windows(
    call: Call, extents: Ints, parameters: tuple[Any, ...]
) -> tuple[tuple[Window, ...], int | None]:
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor, dilation = parameters
    name = call.function
    ceil = flag(name, "ceil_mode", ceil_mode)
    count_padding = flag(name, "count_include_pad", count_include_pad)
    geometry = pool_geometry(name, extents, kernel_size, stride, padding, dilation, ceil)
    return geometry.windows(name, "x", extents, count_padding), _divisor(name, divisor)


def _window_request(
    call: Call, operation: str, order: Layout, windows: tuple[Window, ...], **fields: Any
) -> Request:
    """Pose avg_pool or lp_pool."""
    (x,) = call.arrays
    dtype = promoted(call.function, x=x)
    output = order.output((*order.logical(x.shape)[:2], *_counts(windows)), dtype.name)
    draft = Draft(call)
    operand = draft.input(0, dtype, order.view())
    return pool_request(call, operation, draft, output, x=operand, windows=windows, **fields)


def _avg_backward_request(
    call: Call, order: Layout, shape: Ints, windows: tuple[Window, ...], divisor: int | None
) -> Request:
    (grad,) = call.arrays
    dtype = promoted(call.function, grad=grad)
    draft = Draft(call)
    y = draft.input(0, dtype, order.view())
    output = order.output(shape, dtype.name)
    return pool_request(
        call, "avg_pool_backward", draft, output, y=y, windows=windows, divisor=divisor
    )


def _avg_pool(call: Call) -> Request:
    ndim, *parameters, layout = call.parameters
    (x,) = call.arrays
    order = laid_out(call, "x", x, ndim, layout)
    windows, divisor = _avg_windows(call, order.logical(x.shape)[2:], tuple(parameters))
    return _window_request(call, "avg_pool", order, windows, divisor=divisor)


def _adaptive_avg_pool(call: Call) -> Request:
    ndim, output_size, layout = call.parameters
    (x,) = call.arrays
    order = laid_out(call, "x", x, ndim, layout)
    extents = order.logical(x.shape)[2:]
    counts = adaptive_counts(call.function, output_size, extents)
    return _window_request(call, "avg_pool", order, adaptive_windows(extents, counts))


def _avg_pool_backward(call: Call) -> Request:
    ndim, x_shape, *parameters, layout = call.parameters
    (grad,) = call.arrays
    order = laid_out(call, "grad", grad, ndim, layout)
    shape = shape_of_x(call, x_shape, grad, order)
    windows, divisor = _avg_windows(call, shape[2:], tuple(parameters))
    check_grad(call, grad, order, (*shape[:2], *_counts(windows)), "pool")
    return _avg_backward_request(call, order, shape, windows, divisor)


def _adaptive_avg_pool_backward(call: Call) -> Request:
    return _avg_backward_request(call, *_adaptive_of_grad(call), None)


def _lp_parameters(
    call: Call, extents: Ints, parameters: tuple[Any, ...]
) -> tuple[tuple[Window, ...], float, int]:
    norm_type, kernel_size, stride, padding, ceil_mode, dilation = parameters
    name = call.function
    if isinstance(norm_type, bool | str | bytes) or not hasattr(norm_type, "__float__"):
        raise TypeError(bad_argument(name, "norm_type", got=repr(norm_type), expected="a number"))
    norm = float(norm_type)
    if norm == 0 or norm != norm:
        raise ValueError(
            bad_argument(name, "norm_type", got=norm_type, expected="a number other than 0")
        )
    ceil = flag(name, "ceil_mode", ceil_mode)
    geometry = pool_geometry(name, extents, kernel_size, stride, padding, dilation, ceil)
    # PyTorch takes the average of the powers, padding counted, times the kernel's volume:
    # a window that ceil_mode lets stick out is scaled up.
    windows = geometry.windows(name, "x", extents, True)
    if abs(norm) == inf:
        _check_windows_hit(name, windows)
    return windows, norm, prod(geometry.kernel)


def _lp_pool(call: Call) -> Request:
    ndim, *parameters, layout = call.parameters
    (x,) = call.arrays
    ordered_dtype(call.function, "x", x)
    order = laid_out(call, "x", x, ndim, layout)
    windows, norm, volume = _lp_parameters(call, order.logical(x.shape)[2:], tuple(parameters))
    return _window_request(call, "lp_pool", order, windows, norm_type=norm, kernel_volume=volume)


def _lp_pool_backward(call: Call) -> Request:
    ndim, *parameters, layout = call.parameters
    name, (grad, x) = call.function, call.arrays
    ordered_dtype(name, "grad", grad)
    ordered_dtype(name, "x", x)
    order = laid_out(call, "grad", grad, ndim, layout)
    shape = shape_of_x(call, tuple(x.shape), grad, order)
    windows, norm, volume = _lp_parameters(call, shape[2:], tuple(parameters))
    check_grad(call, grad, order, (*shape[:2], *_counts(windows)), "pool")
    dtype = promoted(name, grad=grad, x=x)
    draft = Draft(call)
    y = draft.input(0, dtype, order.view())
    operand = draft.input(1, dtype, order.view())
    output = order.output(shape, dtype.name)
    return pool_request(
        call,
        "lp_pool_backward",
        draft,
        output,
        x=operand,
        y=y,
        windows=windows,
        norm_type=norm,
        kernel_volume=volume,
    )


MAX = per_ndim("max_pool", "", ("x",), _max_pool)
MAX_BACKWARD = per_ndim("max_pool", "_backward", ("grad", "indices"), _max_pool_backward)
AVG = per_ndim("avg_pool", "", ("x",), _avg_pool)
AVG_BACKWARD = per_ndim("avg_pool", "_backward", ("grad",), _avg_pool_backward)
LP = per_ndim("lp_pool", "", ("x",), _lp_pool)
LP_BACKWARD = per_ndim("lp_pool", "_backward", ("grad", "x"), _lp_pool_backward)
ADAPTIVE_AVG = per_ndim("adaptive_avg_pool", "", ("x",), _adaptive_avg_pool)
ADAPTIVE_AVG_BACKWARD = per_ndim(
    "adaptive_avg_pool", "_backward", ("grad",), _adaptive_avg_pool_backward
)
ADAPTIVE_MAX = per_ndim("adaptive_max_pool", "", ("x",), _adaptive_max_pool)
ADAPTIVE_MAX_BACKWARD = per_ndim(
    "adaptive_max_pool", "_backward", ("grad", "indices"), _adaptive_max_pool_backward
)
