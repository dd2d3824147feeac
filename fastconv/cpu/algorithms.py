"""The candidates for each kind of problem, best first, the readable reference last."""

from __future__ import annotations

from fastconv.cpu.candidate import Candidate
from fastconv.cpu.columns import CompiledColumns
from fastconv.cpu.dense import Blas
from fastconv.cpu.im2col_blas import Im2colBlas
from fastconv.cpu.implicit_gemm import ImplicitGemm
from fastconv.cpu.pooling import CompiledPools
from fastconv.cpu.reductions import CompiledSum, NumpySum
from fastconv.cpu.reference import Reference
from fastconv.problem import (
    BiasProblem,
    ColumnsProblem,
    ConvProblem,
    GemmProblem,
    PoolProblem,
    Problem,
)

_REFERENCE = Reference()
_CANDIDATES: dict[type[Problem], tuple[Candidate, ...]] = {
    ConvProblem: (ImplicitGemm(), Im2colBlas(), _REFERENCE),
    BiasProblem: (CompiledSum(), NumpySum(), _REFERENCE),
    ColumnsProblem: (CompiledColumns(), _REFERENCE),
    GemmProblem: (Blas(), _REFERENCE),
    PoolProblem: (CompiledPools(), _REFERENCE),
}


def candidates(problem: Problem) -> tuple[Candidate, ...]:
    """Return the candidates for a problem, in the order of preference."""
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
