"""Linear layers as matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.problem import GemmProblem
from fastconv.testing.oracle._expected import Expected, reach_of, size_of, wide
from fastconv.testing.oracle.activations import activate

_FORMULAS: dict[str, Any] = {
    "linear_forward": lambda x, weight: np.einsum("mk,nk->mn", x, weight),
    "linear_input_grad": lambda y, weight: np.einsum("mn,nk->mk", y, weight),
    "linear_weight_grad": lambda x, y: np.einsum("mk,mn->nk", x, y),
}


def _solve(problem: GemmProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    first, second = wide(inputs[0]), wide(inputs[1])
    formula = _FORMULAS[problem.operation]
    by_weight = problem.operation != "linear_weight_grad"
    if problem.conjugate:
        first, second = (first, second.conj()) if by_weight else (first.conj(), second)
    with np.errstate(invalid="ignore"):
        values = formula(first, second)
    sizes = size_of(inputs[0]), size_of(inputs[1])
    magnitudes = formula(*sizes)
    if len(inputs) == 3:
        values = values + wide(inputs[2])
        magnitudes = magnitudes + size_of(inputs[2])
    return (
        Expected(
            activate(problem.activation, values),
            magnitudes,
            problem.reduction + len(inputs) - 2,
            channel_axis=1 if by_weight else 0,
            activated=problem.activation is not None,
            reach=reach_of(formula, *sizes),
        ),
    )


SOLVERS: dict[str, Any] = dict.fromkeys(_FORMULAS, _solve)
