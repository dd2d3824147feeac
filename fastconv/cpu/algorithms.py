"""The candidates for each kind of problem, the readable reference last.

The backend takes the one that predicts the least seconds; of equals, the first in its list.
"""

from __future__ import annotations

from fastconv.cpu.candidate import Candidate
from fastconv.cpu.columns import CompiledColumns
from fastconv.cpu.dense import Blas
from fastconv.cpu.dense_gemm import Gemm
from fastconv.cpu.depthwise import Depthwise
from fastconv.cpu.grouped import Grouped
from fastconv.cpu.im2col_blas import Im2colBlas
from fastconv.cpu.implicit_gemm import ImplicitGemm
from fastconv.cpu.integer import (
    IntegerDense,
    IntegerDepthwise,
    IntegerGemm,
    IntegerPointwise,
)
from fastconv.cpu.paired import Paired
from fastconv.cpu.pointwise import Pointwise
from fastconv.cpu.pooling import CompiledPools
from fastconv.cpu.reductions import CompiledSum, NumpySum
from fastconv.cpu.reference import Reference
from fastconv.cpu.rounding import Rounding
from fastconv.cpu.winograd import Winograd
from fastconv.problem import (
    BiasProblem,
    ColumnsProblem,
    ConvProblem,
    GemmProblem,
    IntegerConvProblem,
    PoolProblem,
    Problem,
)

_REFERENCE = Reference()
REFERENCE = _REFERENCE.name
_CANDIDATES: dict[type[Problem], tuple[Candidate, ...]] = {
    ConvProblem: (
        Paired(Rounding(Pointwise())),
        Depthwise(),
        Grouped(),
        Paired(Winograd(6)),
        Winograd(4),
        Rounding(ImplicitGemm()),
        Im2colBlas(),
        _REFERENCE,
    ),
    IntegerConvProblem: (
        IntegerDense(),
        IntegerPointwise(),
        IntegerDepthwise(),
        IntegerGemm(),
        _REFERENCE,
    ),
    BiasProblem: (CompiledSum(), NumpySum(), _REFERENCE),
    ColumnsProblem: (CompiledColumns(), _REFERENCE),
    GemmProblem: (Gemm(), Blas(), _REFERENCE),
    PoolProblem: (CompiledPools(), _REFERENCE),
}


def candidates(problem: Problem) -> tuple[Candidate, ...]:
    """Return the candidates for a problem, the reference last."""
    return _CANDIDATES[type(problem)]


def named(problem: Problem, name: str) -> Candidate:
    """Return the candidate of that name."""
    return next(candidate for candidate in candidates(problem) if candidate.name == name)


def operations_by_algorithm() -> dict[str, tuple[str, ...]]:
    """Return the operations that each candidate is listed for."""
    found: dict[str, tuple[str, ...]] = {}
    for kind, listed in _CANDIDATES.items():
        for candidate in listed:
            found[candidate.name] = found.get(candidate.name, ()) + kind.OPERATIONS
    return found
