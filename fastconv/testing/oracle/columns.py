"""Columns: windows laid out as rows, and their adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from fastconv.problem import ColumnsProblem
from fastconv.testing.oracle._expected import Expected, size_of, wide
from fastconv.testing.oracle.convolution import windows


def _im2col(problem: ColumnsProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    seen = windows(inputs[0], problem)
    ndim = len(problem.kernel)
    taps_first = (0, 1, *range(2 + ndim, 2 + 2 * ndim), *range(2, 2 + ndim))
    return (Expected(seen.transpose(taps_first).reshape(problem.columns.shape), None),)


def _scatter(problem: ColumnsProblem, columns: Any) -> Any:
    images, channels, *extents = problem.x.shape
    padded_extents = [n + a + b for n, (a, b) in zip(extents, problem.padding, strict=True)]
    padded = np.zeros((images, channels, *padded_extents), columns.dtype)
    parts = columns.reshape(images, channels, *problem.kernel, *problem.spatial_out)
    for tap in product(*map(range, problem.kernel)):
        box = tuple(
            slice(k * d, k * d + (count - 1) * s + 1, s)
            for k, d, s, count in zip(
                tap, problem.dilation, problem.stride, problem.spatial_out, strict=True
            )
        )
        padded[(slice(None), slice(None), *box)] += parts[(slice(None), slice(None), *tap)]
    inner = tuple(slice(a, a + n) for n, (a, _) in zip(extents, problem.padding, strict=True))
    return padded[(slice(None), slice(None), *inner)]


def _col2im(problem: ColumnsProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    (columns,) = inputs
    if columns.dtype.kind in "iu":
        return (Expected(_scatter(problem, columns), None),)
    with np.errstate(invalid="ignore"):
        values = _scatter(problem, wide(columns))
    return (Expected(values, _scatter(problem, size_of(columns)), prod(problem.kernel)),)


SOLVERS: dict[str, Any] = {"im2col": _im2col, "col2im": _col2im}
