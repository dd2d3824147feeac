"""im2col and col2im, tap by tap."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.reference.taps import taps
from fastconv.problem import ColumnsProblem


def im2col(
    problem: ColumnsProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """columns[n, (c, tap), position] = x[n, c, shifted by the tap], 0 in the padding."""
    (x,), (columns,) = inputs, outputs
    columns[...] = 0
    volume = prod(problem.kernel)
    for tap, positions, reads in taps(problem, x.shape[2:], problem.spatial_out):
        row = np.ravel_multi_index(tap, problem.kernel)
        targets = _position_numbers(problem, positions)
        for n in range(x.shape[0]):
            for c in range(x.shape[1]):
                columns[n, c * volume + row, targets] = x[n, c][reads].reshape(-1)


@np.errstate(all="ignore")
def col2im(
    problem: ColumnsProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """x[n, c, shifted by the tap] += columns[n, (c, tap), position]."""
    (columns,), (x,) = inputs, outputs
    volume = prod(problem.kernel)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            sums = np.zeros(x.shape[2:], dtype)
            for tap, positions, writes in taps(problem, x.shape[2:], problem.spatial_out):
                row = np.ravel_multi_index(tap, problem.kernel)
                targets = _position_numbers(problem, positions)
                part = columns[n, c * volume + row, targets].reshape(sums[writes].shape)
                sums[writes] += part.astype(dtype)
            x[n, c] = sums


def _position_numbers(problem: ColumnsProblem, box: tuple[slice, ...]) -> Any:
    grid = np.arange(prod(problem.spatial_out)).reshape(problem.spatial_out)
    return grid[box].reshape(-1)


def workspace_bytes(problem: ColumnsProblem, itemsize: int) -> int:
    """Return what one plane and one row of columns take, with the numbers of its positions."""
    return prod(problem.x.shape[2:]) * itemsize + prod(problem.spatial_out) * (16 + 2 * itemsize)


def steps(problem: ColumnsProblem) -> int:
    """Return the number of array operations."""
    return prod(problem.x.shape[:2]) * prod(problem.kernel)
