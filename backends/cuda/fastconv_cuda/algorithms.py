"""The candidates, and which operations each of them is for."""

from __future__ import annotations

from fastconv.problem import Problem
from fastconv_cuda.candidate import Candidate
from fastconv_cuda.direct import Direct

CANDIDATES: tuple[Candidate, ...] = (Direct(),)


def candidates(problem: Problem) -> list[Candidate]:
    """Return the candidates for a problem's operation."""
    return [c for c in CANDIDATES if problem.operation in c.operations]


def named(name: str) -> Candidate:
    """Return the candidate of that name; KeyError if there is none."""
    return {candidate.name: candidate for candidate in CANDIDATES}[name]


def operations_by_algorithm() -> dict[str, tuple[str, ...]]:
    """Return each algorithm's operations."""
    return {candidate.name: candidate.operations for candidate in CANDIDATES}
