"""Arrays of numbers to integers of 8 bits and back, in compiled code."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from fastconv.cpu import memory
from fastconv.cpu.isa import core
from fastconv.cpu.narrow import HALVES
from fastconv.cpu.plans import itemsize

_NUMBERS = ("float32", "float64", *HALVES)


def quantize(
    x: Any, scales: Any, zeros: Any, axis: int | None, dtype: str, threads: int
) -> tuple[Any, bool] | None:
    """Return integers and whether there was NaN; see :class:`fastconv.backend.Quantizing`."""
    if not _is_known(x, _NUMBERS):
        return None
    assert core is not None
    wide = "float64" if x.dtype.name == "float64" else "float32"
    given, order = _lines(x)
    target, inner, count = _like(given, dtype), *_channels(given, order, axis)
    ends = np.iinfo(dtype)
    nan = core.quantize(
        given, target, _each(scales, wide, count), _each(zeros, "int32", count), ends.min,
        ends.max, inner, x.dtype.name, threads,
    )  # fmt: skip
    return _turned_back(target, order), nan


def dequantize(
    x: Any, scales: Any, zeros: Any, axis: int | None, dtype: str, threads: int
) -> Any | None:
    """Return numbers; see :class:`fastconv.backend.Quantizing`."""
    size = x.dtype.itemsize
    if not _is_known(x, ("int8", "uint8", "int32")) or (size == 4 and dtype in HALVES):
        return None
    assert core is not None
    given, order = _lines(x)
    target, inner, count = _like(given, dtype), *_channels(given, order, axis)
    wide = "float64" if size == 4 else "float32"
    core.dequantize(
        given, target, _each(scales, wide, count), _each(zeros, "int32", count), size,
        0 if x.dtype == np.uint8 else -1, inner, dtype, threads,
    )  # fmt: skip
    return _turned_back(target, order)


def _is_known(x: Any, names: tuple[str, ...]) -> bool:
    return core is not None and x.dtype.name in names and x.dtype.isnative


def _lines(x: Any) -> tuple[Any, tuple[int, ...]]:
    """Return an array in one piece, and the order of x's axes in it; a copy where it isn't."""
    order = tuple(sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])))
    turned = x.transpose(order)
    if turned.flags.c_contiguous:
        return turned, order
    return np.ascontiguousarray(x), tuple(range(x.ndim))


def _channels(given: Any, order: tuple[int, ...], axis: int | None) -> tuple[int, int]:
    """Return how many items lie inside of a channel, and how many channels there are."""
    if axis is None or given.size == 0:
        return max(given.size, 1), 1
    place = order.index(axis % given.ndim)
    return prod(given.shape[place + 1 :]), given.shape[place]


def _like(given: Any, dtype: str) -> Any:
    size = given.size * itemsize(dtype)
    if size < memory.least_bytes:
        return np.empty(given.shape, dtype)
    return memory.empty(given.shape, dtype, size)


def _turned_back(target: Any, order: tuple[int, ...]) -> Any:
    return target.transpose(np.argsort(order)) if order else target


def _each(values: Any, dtype: str, count: int) -> Any:
    """Return one item for each channel."""
    with np.errstate(over="ignore", under="ignore"):
        found = np.asarray(values).astype(dtype)
    return np.ascontiguousarray(np.broadcast_to(found, (count,)))
