"""Plan of a convolution's forward pass or input gradient: a product for each phase."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE, finish
from fastconv.cpu.implicit_gemm.phases import ALL, Phase, leaves_gaps, phases_of
from fastconv.cpu.isa import core
from fastconv.cpu.plans import HostPlan, Scratch, itemsize, merged_stride
from fastconv.problem import ConvProblem


class ProductPlan(HostPlan):
    """Packs the weight, then lets the core convolve, phase by phase."""

    def __init__(self, problem: ConvProblem, dtype: str, threads: int, budget: int) -> None:
        self._problem = problem
        self._dtype = dtype
        self._threads = threads
        self._phases = phases_of(problem, dtype, budget)
        self._gaps = leaves_gaps(problem)
        self._backward = problem.operation == "conv_input_grad"
        size = itemsize(dtype)
        shapes = [phase.shape for phase in self._phases]
        packed = max((shape.packed_bytes(size) for shape in shapes), default=0)
        self.panel_bytes = max((shape.panel_bytes(size) for shape in shapes), default=0)
        self._scratch = Scratch()
        self._scratch.add("packed", (packed,), "uint8")
        self._scratch.add("panels", (self.panel_bytes * threads,), "uint8")
        most_rows = max((shape.rows for shape in shapes if shape.band), default=0)
        self._scratch.add("offsets", (most_rows,), "int64")
        if self._backward or not _rows_merge(problem):
            most = max((s.groups * s.channels * s.rows for s in shapes), default=0)
            self._scratch.add("weight", (most,), dtype)

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        source, weight, *rest = inputs
        bias = np.ascontiguousarray(rest[0]) if rest else None
        if self._gaps:
            self._fill(outputs[0], bias)
        for phase in self._phases:
            target = outputs[0][(ALL, ALL, *phase.places)]
            self._multiply(phase, source, weight, bias, target, workspace)

    def _multiply(
        self, phase: Phase, source: Any, weight: Any, bias: Any, target: Any, workspace: Any
    ) -> None:
        assert core is not None
        shape = phase.shape
        packed = self._scratch.cut("packed", workspace)
        matrices = self._matrices(phase, weight, workspace)
        core.pack_weight(matrices, packed, self._dtype, self._threads)
        core.conv_forward(
            phase.geometry,
            source,
            packed,
            target,
            bias,
            self._dtype,
            shape.groups,
            shape.channels,
            CODES[self._problem.activation],
            LEAKY_SLOPE,
            shape.images,
            shape.width,
            shape.depth,
            shape.band,
            self._scratch.cut("offsets", workspace)[: shape.rows] if shape.band else None,
            self._scratch.cut("panels", workspace),
            self._threads,
        )

    def _matrices(self, phase: Phase, weight: Any, workspace: Any) -> Any:
        """Return the weight as (groups, channels, rows), for the taps of a phase."""
        shape = phase.shape
        groups = shape.groups
        if self._backward:
            grouped = weight.reshape(groups, -1, *weight.shape[1:])[(ALL, ALL, ALL, *phase.taps)]
            weight = grouped.swapaxes(1, 2)
        if "weight" in self._scratch:
            copy = self._scratch.cut("weight", workspace)[: prod(weight.shape)]
            copy = copy.reshape(weight.shape)
            np.copyto(copy, weight)
            weight = copy
        return weight.reshape(groups, shape.channels, shape.rows)

    def _fill(self, target: Any, bias: Any) -> None:
        """Fill elements as where no tap reaches them: the bias, activated."""
        values = np.zeros((1, target.shape[1], 1), self._dtype)
        finish(values, bias, self._problem.activation, 1)
        target[...] = values.reshape(1, -1, *(1,) * (target.ndim - 2))


def _rows_merge(problem: ConvProblem) -> bool:
    """Whether a weight's channels and kernel are one axis, so that reshaping won't copy."""
    return merged_stride(problem.weight.shape[1:], problem.weight.strides[1:]) is not None
