"""Memory layouts for test arrays: any strides, inside a buffer whose other bytes are watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastconv.problem import Ints, Operand

GUARD_BYTES = 256


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the elements of an array lie in a flat buffer.

    Attributes
    ----------
    order : callable
        Gives the axes, the outermost in memory first, from the number of axes.
    step : int
        Step along the innermost axis in memory, in elements.
    spatial_step : int
        -1 walks all axes but the first two backwards.
    offset : int
        Bytes by which the first element misses its natural alignment.
    repeat : bool
        Whether the first axis has stride 0 (inputs only).
    """

    order: Callable[[int], tuple[int, ...]] = lambda ndim: tuple(range(ndim))
    step: int = 1
    spatial_step: int = 1
    offset: int = 0
    repeat: bool = False


LAYOUTS = {
    "contiguous": Layout(),
    "channels_last": Layout(order=lambda ndim: (0, *range(2, ndim), 1)),
    "fortran": Layout(order=lambda ndim: tuple(reversed(range(ndim)))),
    "reversed": Layout(spatial_step=-1),
    "sliced": Layout(step=2),
    "unaligned": Layout(offset=1),
    "broadcast": Layout(repeat=True),
}


def dtype_of(name: str) -> Any:
    """Return a dtype by name; bfloat16 needs ml_dtypes (ImportError without)."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def _memory_shape(shape: Ints, layout: Layout) -> Ints:
    extents = [shape[axis] for axis in layout.order(len(shape))]
    if layout.repeat and extents:
        extents[0] = min(extents[0], 1)
    if extents:
        extents[-1] *= layout.step
    return tuple(extents)


def buffer_for(shape: Ints, dtype: str, layout_name: str, pattern: int) -> Any:
    """Return a flat host buffer, guards at both ends, filled with a byte pattern."""
    layout, kind = LAYOUTS[layout_name], dtype_of(dtype)
    size = prod(_memory_shape(shape, layout)) * kind.itemsize
    raw = np.full(2 * GUARD_BYTES + size + layout.offset, pattern, np.uint8)
    return raw if layout.offset else raw.view(kind)


def view_of(buffer: Any, shape: Ints, dtype: str, layout_name: str) -> Any:
    """Return the array of that layout inside such a buffer, on any device.

    Basic indexing only, which every array library with NumPy's semantics has.
    """
    layout, kind = LAYOUTS[layout_name], dtype_of(dtype)
    extents = _memory_shape(shape, layout)
    if layout.offset:
        start = GUARD_BYTES + layout.offset
        body = buffer[start : start + prod(extents) * kind.itemsize].view(kind)
    else:
        start = GUARD_BYTES // kind.itemsize
        body = buffer[start : start + prod(extents)]
    body = body.reshape(extents)
    if layout.step != 1 and extents:
        body = body[..., :: layout.step]
    order = layout.order(len(shape))
    array = body.transpose(tuple(order.index(axis) for axis in range(len(shape))))
    if layout.repeat and shape and shape[0] > 1:
        array = array[tuple(0 if axis == 0 else slice(None) for axis in range(len(shape)))]
        array = _library(buffer).broadcast_to(array, shape)
    if layout.spatial_step != 1:
        walk = (slice(None),) * 2 + (slice(None, None, layout.spatial_step),) * (len(shape) - 2)
        array = array[walk]
    return array


def _library(array: Any) -> Any:
    import importlib

    return importlib.import_module(type(array).__module__.partition(".")[0])


def operand(shape: Ints, dtype: str, layout_name: str) -> Operand:
    """Return the description of an array of that shape, dtype and layout."""
    empty = view_of(buffer_for(shape, dtype, layout_name, 0), shape, dtype, layout_name)
    return Operand(shape, tuple(empty.strides), dtype)


def to_host(array: Any) -> Any:
    """Return a NumPy array with an array's elements; device arrays have ``get()``."""
    return array.get() if hasattr(array, "get") else np.asarray(array)
