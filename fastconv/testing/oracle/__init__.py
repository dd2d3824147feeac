"""What is right: every operation in float64 or complex128, by NumPy and plain loops.

Written for itself: nothing here is shared with a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastconv.problem import Problem
from fastconv.testing.oracle import columns, convolution, dense, integer, pooling
from fastconv.testing.oracle._expected import Expected

__all__ = ["Expected", "solve"]

_SOLVERS: dict[str, Callable[[Any, Sequence[Any]], tuple[Expected, ...]]] = (
    convolution.SOLVERS | integer.SOLVERS | dense.SOLVERS | columns.SOLVERS | pooling.SOLVERS
)


def solve(problem: Problem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    """Return what each of a problem's outputs should hold.

    Parameters
    ----------
    problem : Problem
        Of any operation in :data:`fastconv.problem.OPERATIONS`.
    inputs : sequence of numpy.ndarray
        In the order of ``problem.inputs``.

    Returns
    -------
    tuple of Expected
        In the order of ``problem.outputs``.

    Examples
    --------
    >>> from fastconv.testing import case_named
    >>> case = case_named("linear_forward-one-float32")
    >>> problem = case.problem()
    >>> (expected,) = solve(problem, case.input_values(problem))
    >>> expected.values.shape, expected.terms
    ((1, 1), 1)
    """
    return _SOLVERS[problem.operation](problem, inputs)
