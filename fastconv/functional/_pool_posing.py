"""What the posing of all pools shares: layouts, dtypes, shapes, indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.dispatch.request import Call, Function, Output, Request
from fastconv.errors import bad_argument
from fastconv.functional.parameters import is_channels_last
from fastconv.functional.posing import Draft, Layout, check_shape, fresh, layout_of
from fastconv.problem import Ints, Operand, PoolProblem

_TO_Y = ("max_pool", "avg_pool", "lp_pool", "max_unpool_backward")


def laid_out(call: Call, argument: str, array: Any, ndim: int, layout: Any) -> Layout:
    """Return a call's layout; refuse an array that is empty elsewhere than in its batch."""
    order = layout_of(
        call.function, argument, array, ndim, is_channels_last(call.function, layout, ndim)
    )
    _check_extents(call.function, argument, tuple(array.shape), order)
    return order


def _check_extents(function: str, argument: str, shape: Ints, order: Layout) -> None:
    if 0 in order.logical(shape)[1:]:
        raise ValueError(
            bad_argument(
                function,
                argument,
                got=f"shape {shape}",
                expected="1 or more along every axis but the batch",
            )
        )


def shape_of_x(call: Call, shape: Ints, grad: Any, order: Layout) -> Ints:
    """Return the logical shape of the x that a gradient belongs to, given x's own shape."""
    if len(shape) != grad.ndim:
        raise ValueError(
            bad_argument(
                call.function,
                "x",
                got=f"shape {shape}",
                expected=f"{grad.ndim} axes, as grad has with its shape {tuple(grad.shape)}",
            )
        )
    _check_extents(call.function, "x", shape, order)
    return order.logical(shape)


def check_grad(call: Call, grad: Any, order: Layout, logical: Ints, of: str) -> None:
    """Refuse a gradient of another shape than the output that it belongs to."""
    check_shape(call.function, "grad", grad, order.outer(logical), f"that of the {of}'s output")


def kept_dtype(array: Any) -> np.dtype[Any]:
    """Return an array's dtype in native byte order: for what moves elements as they are."""
    dtype: np.dtype[Any] = array.dtype.newbyteorder("=")
    return dtype


def ordered_dtype(function: str, argument: str, array: Any) -> np.dtype[Any]:
    """Return the dtype of an array whose elements will be compared: not complex."""
    if array.dtype.kind == "c":
        raise TypeError(
            bad_argument(
                function,
                argument,
                got=f"dtype {array.dtype}",
                expected="a real one: complex numbers have no order",
            )
        )
    return kept_dtype(array)


def add_indices(call: Call, draft: Draft, position: int, order: Layout, like: Ints) -> Operand:
    """Add the indices of a maximum pool to a draft: integers, of the shape `like`."""
    indices = call.arrays[position]
    if indices.dtype.kind not in "iu":
        raise TypeError(
            bad_argument(
                call.function,
                "indices",
                got=f"dtype {indices.dtype}",
                expected="integers, as max_pool gives with return_indices=True",
            )
        )
    check_shape(call.function, "indices", indices, like, "one index for each element")
    return draft.input(position, np.dtype(np.int64), order.view())


def pool_request(
    call: Call, operation: str, draft: Draft, *outputs: Output, **fields: Any
) -> Request:
    """Return the request of a pool with outputs (y, indices) or of a gradient, its x."""
    if operation in _TO_Y:
        names: tuple[str, ...] = ("y", "indices")
    else:
        names = ("x_grad",) if "x" in fields else ("x",)
    operands: dict[str, Any] = dict(zip(names, map(fresh, outputs), strict=False))
    problem = PoolProblem(
        function=call.function,
        operation=operation,
        device=call.device,
        **operands,
        **fields,
    )
    return draft.request(problem, *outputs)


def per_ndim(stem: str, suffix: str, arguments: tuple[str, ...], build: Any) -> dict[int, Function]:
    """Return a function's three instances, by number of spatial axes."""
    return {n: Function(f"{stem}{n}d{suffix}", arguments, build) for n in (1, 2, 3)}
