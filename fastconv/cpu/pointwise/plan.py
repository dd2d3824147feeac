"""Plan of a pointwise convolution: the core packs the weight and multiplies."""

from __future__ import annotations

from math import prod
from typing import Any

from fastconv.cpu import narrow
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.implicit_gemm.blocking import tile_rows
from fastconv.cpu.isa import active, core
from fastconv.cpu.packed_plan import PackedPlan
from fastconv.cpu.pointwise.blocking import Pieces, Shape
from fastconv.problem import ConvProblem


class PointwisePlan(PackedPlan):
    """One call of the core."""

    def __init__(
        self, problem: ConvProblem, dtype: str, threads: int, pieces: Pieces, **options: Any
    ) -> None:
        assert core is not None
        backward = problem.operation == "conv_input_grad"
        source, target = (problem.y, problem.x) if backward else (problem.x, problem.y)
        rows = tile_rows(target.shape[1] // problem.groups)
        product = core.Pointwise(
            source.shape,
            problem.weight.shape,
            target.shape,
            tuple(pieces),
            dtype=dtype,
            groups=problem.groups,
            transposed=backward,
            tile_rows=rows,
            activation=CODES[problem.activation],
            parameter=LEAKY_SLOPE,
            **(narrow.item_sizes(problem) | options),
        )
        super().__init__(product, threads, rounds=narrow.rounds(problem))
        # Batch, positions and pieces play no part in a packed weight.
        self.pack_key = (problem.operation, problem.weight.shape, problem.groups, dtype, active())


def shape_of(problem: ConvProblem, dtype: str) -> Shape:
    """Return what pieces are chosen by, for arrays of a dtype."""
    assert core is not None
    inner, channels = problem.weight.shape[1], problem.weight.shape[0] // problem.groups
    if problem.operation == "conv_input_grad":
        inner, channels = channels, inner
    size = narrow.item_bytes(dtype)
    return Shape(
        batch=problem.x.shape[0],
        positions=prod(problem.x.shape[2:]),
        groups=problem.groups,
        inner=narrow.items_of(inner, dtype),
        channels=channels,
        size=size,
        lanes=core.vector_bytes() // size,
    )
