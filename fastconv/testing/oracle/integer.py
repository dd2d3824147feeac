"""Convolution of integers of 8 bits: sums in int64, so that what wraps shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.problem import IntegerConvProblem
from fastconv.testing.oracle._expected import Expected
from fastconv.testing.oracle.convolution import grouped, windows


def _sums(problem: IntegerConvProblem, x: Any, weight: Any) -> Any:
    seen = grouped(windows(x, problem), problem.groups, 1)
    kernels = grouped(weight, problem.groups, 0)
    ndim = x.ndim - 2
    outputs, taps = range(10, 10 + ndim), range(20, 20 + ndim)
    y = np.einsum(seen, [0, 1, 2, *outputs, *taps], kernels, [1, 3, 2, *taps], [0, 1, 3, *outputs])
    return y.reshape(x.shape[0], weight.shape[0], *y.shape[3:])


def _column(values: Any, axes: int) -> Any:
    return values.reshape(-1, *(1,) * axes)


def _solve(problem: IntegerConvProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    x, weight, x_zero, *rest = inputs
    axes = x.ndim - 2
    w_zero = rest.pop(0) if problem.w_zero_point is not None else np.zeros(1, np.int64)
    wide = weight.astype(np.int64) - _column(w_zero.astype(np.int64), axes + 1)
    # Zeros beside x are its zero point's once that is taken off.
    sums = _sums(problem, x.astype(np.int64) - x_zero.astype(np.int64)[0], wide)
    if problem.bias is not None:
        sums += _column(rest.pop(0).astype(np.int64), axes)
    exact = sums.astype(np.int32)
    if rest:
        ends = np.iinfo(problem.y.dtype)
        scaled = exact.astype(np.float32) * _column(rest[0], axes)
        whole = np.rint(scaled) + rest[1].astype(np.float32)
        exact = np.clip(whole, ends.min, ends.max).astype(problem.y.dtype)
    return (Expected(exact, None),)


SOLVERS: dict[str, Any] = dict.fromkeys(IntegerConvProblem.OPERATIONS, _solve)
