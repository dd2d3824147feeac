"""Pose the problems of unpooling and of its gradient."""

from __future__ import annotations

from typing import Any

from fastconv.dispatch.request import Call, Request
from fastconv.errors import bad_argument
from fastconv.functional._pool_posing import (
    add_indices,
    check_grad,
    kept_dtype,
    laid_out,
    per_ndim,
    pool_request,
    shape_of_x,
)
from fastconv.functional.parameters import is_channels_last, pad_pairs, per_axis, whole
from fastconv.functional.posing import Draft
from fastconv.problem import Ints


def _sizes(function: str, shape: Ints, parameters: tuple[Any, ...], channels_last: bool) -> Ints:
    """Return the result's extents, as PyTorch's _unpool_output_size settles them."""
    kernel_size, stride, padding, output_size = parameters
    ndim = len(shape) - 2
    kernel = per_axis(function, "kernel_size", kernel_size, ndim, 1)
    steps = kernel if stride is None else per_axis(function, "stride", stride, ndim, 1)
    pads = pad_pairs(function, padding, ndim, names=False)
    default = tuple(
        (extent - 1) * step + size - before - after
        for extent, step, size, (before, after) in zip(shape[2:], steps, kernel, pads, strict=True)
    )
    if output_size is None:
        if min(default) < 1:
            raise ValueError(
                bad_argument(
                    function,
                    "padding",
                    got=f"{padding!r}, which leaves a result of extents {default}",
                    expected="less padding",
                )
            )
        return default
    return _chosen_sizes(function, output_size, default, steps, channels_last)


def _chosen_sizes(
    function: str, output_size: Any, default: Ints, steps: Ints, channels_last: bool
) -> Ints:
    ndim = len(default)
    if isinstance(output_size, str | bytes | dict | set) or not hasattr(output_size, "__len__"):
        raise TypeError(
            bad_argument(
                function, "output_size", got=repr(output_size), expected=f"{ndim} ints or None"
            )
        )
    sizes = tuple(output_size)
    if len(sizes) == ndim + 2:  # a whole shape, in the caller's order of axes
        sizes = sizes[1:-1] if channels_last else sizes[2:]
    if len(sizes) != ndim:
        raise ValueError(
            bad_argument(
                function,
                "output_size",
                got=repr(output_size),
                expected=f"{ndim} ints, one per spatial axis, or {ndim + 2} with N and C",
            )
        )
    numbers = tuple(whole(function, "output_size", size, 1) for size in sizes)
    for axis, number in enumerate(numbers):
        low, high = default[axis] - steps[axis], default[axis] + steps[axis]
        if not low < number < high:
            raise ValueError(
                bad_argument(
                    function,
                    "output_size",
                    got=f"{number} on spatial axis {axis}",
                    expected=f"more than {low} and less than {high}, as kernel_size, stride and "
                    "padding say",
                )
            )
    return numbers


def _max_unpool(call: Call) -> Request:
    ndim, *parameters, layout = call.parameters
    name, (x, _) = call.function, call.arrays
    order = laid_out(call, "x", x, ndim, layout)
    shape = order.logical(x.shape)
    sizes = _sizes(name, shape, tuple(parameters), is_channels_last(name, layout, ndim))
    dtype = kept_dtype(x)
    draft = Draft(call)
    y = draft.input(0, dtype, order.view())
    indices = add_indices(call, draft, 1, order, tuple(x.shape))
    output = order.output((*shape[:2], *sizes), dtype.name)
    return pool_request(call, "max_unpool", draft, output, y=y, indices=indices)


def _max_unpool_backward(call: Call) -> Request:
    ndim, x_shape, *parameters, layout = call.parameters
    name, (grad, _) = call.function, call.arrays
    order = laid_out(call, "grad", grad, ndim, layout)
    shape = shape_of_x(call, x_shape, grad, order)
    sizes = _sizes(name, shape, tuple(parameters), is_channels_last(name, layout, ndim))
    check_grad(call, grad, order, (*shape[:2], *sizes), "unpooling")
    dtype = kept_dtype(grad)
    draft = Draft(call)
    x = draft.input(0, dtype, order.view())
    indices = add_indices(call, draft, 1, order, x_shape)
    output = order.output(shape, dtype.name)
    return pool_request(call, "max_unpool_backward", draft, output, x=x, indices=indices)


UNPOOL = per_ndim("max_unpool", "", ("x", "indices"), _max_unpool)
UNPOOL_BACKWARD = per_ndim("max_unpool", "_backward", ("grad", "indices"), _max_unpool_backward)
