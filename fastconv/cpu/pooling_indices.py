"""The check of indices that come from the caller, before anything is written."""

from __future__ import annotations

from math import prod
from typing import Any

from fastconv.errors import bad_argument
from fastconv.problem import PoolProblem


def check_indices(problem: PoolProblem, indices: Any) -> None:
    """Refuse indices outside a plane of x.

    Raises
    ------
    ValueError
        If there are any.
    """
    if indices.size == 0:
        return
    elements = prod(problem.x.shape[2:])
    # Reductions: a mask of what lies outside would be a temporary array.
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= elements:
        raise ValueError(
            bad_argument(
                problem.function,
                "indices",
                got=f"an index of {low if low < 0 else high}",
                expected=f"indices from 0 to {elements - 1}, into planes of shape "
                f"{problem.x.shape[2:]}",
            )
        )
