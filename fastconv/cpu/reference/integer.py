"""Convolution of integers of 8 bits, tap by tap, in int32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.reference.taps import taps
from fastconv.problem import IntegerConvProblem

Arrays = Sequence[Any]
ALL = slice(None)


def per_channel(values: Any, channels: int, dtype: str, axes: int) -> Any:
    """Return one number, or one of each channel, along the first of `axes` axes."""
    full = np.broadcast_to(values.astype(dtype), (channels,))
    return full.reshape(-1, *(1,) * (axes - 1))


def requantized(sums: Any, multiplier: Any, zero_point: Any, dtype: Any, scaled: Any) -> Any:
    """Return integers of few bits out of int32 sums of channels, by way of `scaled`."""
    ends = np.iinfo(dtype)
    np.copyto(scaled, sums, casting="same_kind")
    scaled *= multiplier
    np.rint(scaled, out=scaled)
    scaled += zero_point
    return np.clip(scaled, ends.min, ends.max, out=scaled).astype(dtype)


def convolve(problem: IntegerConvProblem, inputs: Arrays, outputs: Arrays, dtype: str) -> None:
    """y[n, o] = sum over c and taps of (weight - its zero point) (x - its zero point)."""
    x, weight, x_zero, *rest = inputs
    w_zero = rest.pop(0) if problem.w_zero_point is not None else np.zeros(1, weight.dtype)
    y = outputs[0]
    channels, axes = weight.shape[0], y.ndim - 1
    bias = rest.pop(0) if problem.bias is not None else np.zeros(1, np.int32)
    added = per_channel(bias, channels, "int32", axes)
    wide = weight.astype("int32") - per_channel(w_zero, channels, "int32", weight.ndim)
    inner, outer = weight.shape[1], channels // problem.groups
    for n in range(y.shape[0]):
        sums = np.zeros(y.shape[1:], np.int32)
        for g in range(problem.groups):
            c, o = slice(g * inner, (g + 1) * inner), slice(g * outer, (g + 1) * outer)
            for tap, box, reads in taps(problem, problem.x.shape[2:], problem.y.shape[2:]):
                part = x[n, c][(ALL, *reads)].astype("int32") - x_zero.astype("int32")[0]
                sums[(o, *box)] += np.einsum("oc,c...->o...", wide[(o, ALL, *tap)], part)
        sums += added
        if rest:
            multiplier = per_channel(rest[0], channels, "float32", axes)
            zero_point, scaled = rest[1].astype("float32"), np.empty(sums.shape, np.float32)
            y[n] = requantized(sums, multiplier, zero_point, y.dtype, scaled)
        else:
            y[n] = sums


def workspace_bytes(problem: IntegerConvProblem, itemsize: int) -> int:
    """Return what the sums, one product and the converted operands take."""
    images = max(problem.y.shape[0], 1)
    x, y = problem.x.size // images, problem.y.size // images
    return 4 * (2 * problem.weight.size + 2 * x + 4 * y + problem.weight.shape[1] * y)


def steps(problem: IntegerConvProblem) -> int:
    """Return the number of array operations."""
    taps_of_all = problem.weight.size // max(problem.weight.shape[0] * problem.weight.shape[1], 1)
    return problem.y.shape[0] * problem.groups * taps_of_all
