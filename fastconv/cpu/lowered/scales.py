"""Scales of float arrays in int8, and their integers: compiled where arrays are in one piece."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from fastconv.cpu.conversion import as_line
from fastconv.cpu.isa import core
from fastconv.cpu.narrow import HALVES
from fastconv.errors import bad_argument
from fastconv.precision import FORMATS, INTEGERS

LARGEST = INTEGERS["int8"].largest
_ENDS = -LARGEST, LARGEST
# Elements of a block that stays in the cache from step to step.
_BLOCK = 1 << 14
_SMALLEST = np.float32(FORMATS["float32"].smallest_subnormal)
_KNOWN = ("float32", *HALVES)


def scale_of(function: str, argument: str, most: Any) -> Any:
    """Return the scales for largest magnitudes; ValueError where they aren't finite."""
    with np.errstate(over="ignore"):
        most = np.asarray(most).astype(np.float32)
    if not np.isfinite(most).all():
        refuse_infinite(function, argument)
    return np.maximum(most / np.float32(LARGEST), _SMALLEST)


def refuse_infinite(function: str, argument: str) -> NoReturn:
    """Raise ValueError for an argument that has no scale."""
    raise ValueError(
        bad_argument(
            function,
            argument,
            got="NaN, or values that are infinite in float32",
            expected='finite ones with precision="int8"',
        )
    )


def is_known(array: Any) -> bool:
    """Whether our own code takes an array: of native float32 or 16 bits, in one piece."""
    dtype = array.dtype
    if core is None or dtype.name not in _KNOWN or not dtype.isnative or not array.size:
        return False
    return as_line(array) is not None


def _has_lines(weight: Any) -> bool:
    """Whether each output channel's weights are a line, one behind the other."""
    return is_known(weight) and int(np.argmax(weight.strides)) == 0


def reach(array: Any, threads: int) -> Any:
    """Return the largest magnitude of an array; NaN where it holds one."""
    if not is_known(array):
        return _reach(array, None) if array.size else np.float32(0)
    assert core is not None
    most = np.empty(core.reach_parts(1, array.size), np.float32)
    core.reach(as_line(array), most, 1, threads, array.dtype.name)
    return most.max()


def reach_of_each(weight: Any, threads: int) -> Any:
    """Return the same of each output channel."""
    channels = weight.shape[0]
    if not _has_lines(weight):
        return _reach(weight, tuple(range(1, weight.ndim)))
    assert core is not None
    most = np.empty((channels, core.reach_parts(1, weight[0].size)), np.float32)
    core.reach(as_line(weight), most, channels, threads, weight.dtype.name)
    return most.max(1)


def quantize_channels(function: str, weight: Any, integers: Any, scales: Any, threads: int) -> None:
    """Fill a weight's integers, in its order in memory, and the scales of its output channels."""
    scales[...] = scale_of(function, "weight", reach_of_each(weight, threads))
    if _has_lines(weight):
        _quantize_lines(integers, weight, scales, threads)
        return
    for channel in range(weight.shape[0]):
        quantize_into(integers[channel], weight[channel], scales[channel], threads)


def _reach(array: Any, axes: Any) -> Any:
    return np.maximum(array.max(axes, initial=0), -array.min(axes, initial=0))


def quantize_into(target: Any, source: Any, scale: Any, threads: int) -> None:
    """Fill an int8 array with source / scale, rounded to the nearest, a block at a time.

    Both have the same shape, and target the order in memory that is source's.
    """
    if is_known(source):
        _quantize_lines(target, source, np.full(1, scale, np.float32), threads)
        return
    order = sorted(range(target.ndim), key=lambda axis: -target.strides[axis])
    _quantize_blocks(target.transpose(order), source.transpose(order), scale)


def _quantize_lines(target: Any, source: Any, scales: Any, threads: int) -> None:
    assert core is not None
    zeros, inner = np.zeros(len(scales), np.int32), source.size // len(scales)
    given, taken = as_line(source), as_line(target)
    core.quantize(given, taken, scales, zeros, *_ENDS, inner, source.dtype.name, threads)


def _quantize_blocks(target: Any, source: Any, scale: Any) -> None:
    if source.size > _BLOCK and source.ndim > 1 and len(source) > 1:
        if source.flags.c_contiguous:
            target, source = target.reshape(-1), source.reshape(-1)
        step = max(1, _BLOCK * len(source) // source.size)
        for start in range(0, len(source), step):
            part = slice(start, start + step)
            _quantize_blocks(target[part], source[part], scale)
    elif source.size > _BLOCK and source.ndim > 1:
        _quantize_blocks(target[0], source[0], scale)
    else:
        steps = np.divide(source, scale, dtype=np.float32, casting="same_kind")
        target[...] = np.rint(steps, out=steps)
