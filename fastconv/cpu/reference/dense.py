"""The linear layer, by einsum: no BLAS, one thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.reference.activations import activate, activation_bytes
from fastconv.problem import GemmProblem

Arrays = Sequence[Any]


def _wide(array: Any, dtype: str, conjugate: bool) -> Any:
    wide = array.astype(dtype)
    return np.conjugate(wide, out=wide) if conjugate else wide


@np.errstate(all="ignore")
def forward(problem: GemmProblem, inputs: Arrays, outputs: Arrays, dtype: str) -> None:
    """y = x weight^T + bias."""
    x, weight, *rest = (array.astype(dtype) for array in inputs)
    sums = np.einsum("mk,nk->mn", x, weight)
    if rest:
        sums += rest[0]
    outputs[0][...] = activate(problem.activation, sums)


@np.errstate(all="ignore")
def input_grad(problem: GemmProblem, inputs: Arrays, outputs: Arrays, dtype: str) -> None:
    """x = y conj(weight)."""
    y, weight = inputs
    wide = _wide(weight, dtype, problem.conjugate)
    outputs[0][...] = np.einsum("mn,nk->mk", y.astype(dtype), wide)


@np.errstate(all="ignore")
def weight_grad(problem: GemmProblem, inputs: Arrays, outputs: Arrays, dtype: str) -> None:
    """weight = y^T conj(x)."""
    x, y = inputs
    wide = _wide(x, dtype, problem.conjugate)
    outputs[0][...] = np.einsum("mn,mk->nk", y.astype(dtype), wide)


def workspace_bytes(problem: GemmProblem, itemsize: int) -> int:
    """Return what the converted operands and the result take."""
    arrays = itemsize * (problem.x.size + problem.weight.size + problem.y.size)
    return arrays + activation_bytes(problem.activation, itemsize) * problem.y.size


def steps(problem: GemmProblem) -> int:
    """Return the number of array operations."""
    return 1
