"""The candidates, and which operations each of them is for."""

from __future__ import annotations

from fastconv.problem import Problem
from fastconv_cuda.candidate import Candidate
from fastconv_cuda.depthwise import DEPTHWISE
from fastconv_cuda.direct import Direct
from fastconv_cuda.im2col_blas import IM2COL_BLAS
from fastconv_cuda.implicit_gemm import IMPLICIT_GEMMS
from fastconv_cuda.integer_gemm import INTEGER_GEMM
from fastconv_cuda.pooling import POOLS
from fastconv_cuda.quantized_gemm import QUANTIZED_GEMM
from fastconv_cuda.weight_gemm import WEIGHT_GEMMS
from fastconv_cuda.wgmma_gemm import WGMMA_GEMM
from fastconv_cuda.wgmma_integer import WGMMA_INTEGER
from fastconv_cuda.wgmma_weight import WGMMA_WEIGHT

CANDIDATES: tuple[Candidate, ...] = (
    DEPTHWISE,
    WGMMA_GEMM,
    WGMMA_WEIGHT,
    WGMMA_INTEGER,
    *IMPLICIT_GEMMS,
    *WEIGHT_GEMMS,
    INTEGER_GEMM,
    QUANTIZED_GEMM,
    IM2COL_BLAS,
    *POOLS,
    Direct(),
)


def candidates(operation: str) -> list[Candidate]:
    """Return the candidates for an operation."""
    return [candidate for candidate in CANDIDATES if operation in candidate.operations]


def named(problem: Problem, name: str) -> Candidate:
    """Return the candidate of that name for a problem; KeyError if there is none."""
    return {candidate.name: candidate for candidate in candidates(problem.operation)}[name]


def operations_by_algorithm() -> dict[str, tuple[str, ...]]:
    """Return each algorithm's operations."""
    found: dict[str, tuple[str, ...]] = {}
    for candidate in CANDIDATES:
        found[candidate.name] = found.get(candidate.name, ()) + candidate.operations
    return found
