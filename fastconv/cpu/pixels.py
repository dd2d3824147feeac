"""Arrays whose channels lie side by side: kernels take a vector of channels at a time."""

from __future__ import annotations

from fastconv.cpu.isa import core
from fastconv.cpu.plans import itemsize
from fastconv.problem import ConvProblem


def adjoin(problem: ConvProblem) -> bool:
    """Whether channels lie side by side in x and in y."""
    images = (problem.x, problem.y)
    return all(a.strides[1] == itemsize(a.dtype) or a.shape[1] == 1 for a in images)


def block_channels(channels: int, dtype: str, most: int | None = None) -> int:
    """Return a tile's target channels, whole vectors, at most `most`: blocks as even as can be."""
    assert core is not None
    lanes: int = core.lanes(dtype)
    widest = core.gemm_tile(dtype)[1]
    vectors: int = max(1, min(widest, most or widest) // lanes)
    needed = -(-channels // lanes)
    return -(-needed // -(-needed // vectors)) * lanes
