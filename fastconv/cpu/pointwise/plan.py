"""Plan of a pointwise convolution: the core packs the weight and multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.implicit_gemm.blocking import tile_rows
from fastconv.cpu.isa import active, core
from fastconv.cpu.plans import HostPlan, itemsize
from fastconv.cpu.pointwise.blocking import Pieces, Shape
from fastconv.problem import ConvProblem

# Workspace begins where NumPy puts it; scratch memory at the next cache line.
_SLACK = 64


class PointwisePlan(HostPlan):
    """One call of the core."""

    def __init__(self, problem: ConvProblem, threads: int, pieces: Pieces) -> None:
        assert core is not None
        self._threads = threads
        backward = problem.operation == "conv_input_grad"
        source, target = (problem.y, problem.x) if backward else (problem.x, problem.y)
        rows = tile_rows(target.shape[1] // problem.groups)
        self._product = core.Pointwise(
            source.shape,
            problem.weight.shape,
            target.shape,
            tuple(pieces),
            dtype=problem.dtype,
            groups=problem.groups,
            transposed=backward,
            tile_rows=rows,
            activation=CODES[problem.activation],
            parameter=LEAKY_SLOPE,
        )
        # Batch, positions and pieces play no part in a packed weight.
        self.pack_key = (problem.operation, problem.weight.shape, problem.groups, active())
        self.units: int = self._product.units
        self.packed_bytes: int = self._product.packed_bytes
        self.scratch_bytes: int = self._product.scratch_bytes
        self.workspace_bytes = self.packed_bytes + self.scratch_bytes * threads + _SLACK

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        self._run(inputs, outputs[0], workspace, False)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output, given what :meth:`pack` returned in the weight's place."""
        self._run(inputs, outputs[0], workspace, True)

    def pack(self, weight: Any) -> Any:
        """Return a weight in the order in which the plan reads it: read-only bytes."""
        packed = np.empty(self.packed_bytes, np.uint8)
        self._product.pack(weight, packed, self._threads)
        packed.setflags(write=False)
        return packed

    def _run(self, inputs: Sequence[Any], target: Any, workspace: Any, packed: bool) -> None:
        bias = inputs[2] if len(inputs) > 2 else None
        self._product.run(inputs[0], inputs[1], target, bias, workspace, self._threads, packed)


def shape_of(problem: ConvProblem) -> Shape:
    """Return what pieces are chosen by."""
    assert core is not None
    inner, channels = problem.weight.shape[1], problem.weight.shape[0] // problem.groups
    if problem.operation == "conv_input_grad":
        inner, channels = channels, inner
    size = itemsize(problem.dtype)
    return Shape(
        batch=problem.x.shape[0],
        positions=prod(problem.x.shape[2:]),
        groups=problem.groups,
        inner=inner,
        channels=channels,
        size=size,
        lanes=core.vector_bytes() // size,
    )
