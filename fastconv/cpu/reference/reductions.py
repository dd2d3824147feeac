"""The gradient of a bias: a sum over everything but the channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.problem import BiasProblem


@np.errstate(all="ignore")
def bias_grad(
    problem: BiasProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """bias[c] = sum over n and positions of y[n, c]."""
    (y,), (bias,) = inputs, outputs
    for c in range(y.shape[1]):
        bias[c] = y[:, c].astype(dtype).sum(dtype=dtype)


def bias_workspace(problem: BiasProblem, itemsize: int) -> int:
    """Return what one channel of y takes, converted."""
    return problem.y.size // max(problem.y.shape[1], 1) * itemsize


def bias_steps(problem: BiasProblem) -> int:
    """Return the number of array operations."""
    return problem.y.shape[1]
