"""Convolution forward by our own matrix product: panels of columns made where they are used.

Each thread takes an image's group and some positions, copies a panel of their columns into its
own scratch memory, multiplies it there by the packed weight, and writes the output once, bias
and activation included. No sum depends on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    arithmetic,
    error_bound,
    precision_name,
    refused,
    threads_for,
)
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.geometry import geometry_of
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.plans import HostPlan, Scratch, itemsize, merged_stride, padded
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, Problem

# A panel and its sums stay in the second-level cache, beside the weight passing through.
_PANEL_BYTES = 384 * 2**10
_DEPTH = 256
# Measured shares of the peak: where tiles are full, and bytes of columns copied in a second.
_PEAK_SHARE = 0.7
_COLUMN_BYTES_PER_SECOND = 8e9


@dataclass(frozen=True, slots=True)
class Shape:
    """The product's extents per group, and the panels that it is cut into."""

    groups: int
    channels: int
    rows: int
    filled: int
    width: int
    depth: int

    def packed_bytes(self, size: int) -> int:
        """Return the bytes of the packed weight."""
        return self.groups * self.filled * self.rows * size

    def scratch_bytes(self, size: int) -> int:
        """Return the bytes of one thread's panel and sums."""
        return (self.depth + self.filled) * self.width * size


def choose_shape(problem: ConvProblem, dtype: str, budget: int) -> Shape:
    """Return the panels for a problem; as wide as the cache and a thread's budget allow."""
    assert core is not None
    tile_rows, tile_columns = core.gemm_tile(dtype)
    size = itemsize(dtype)
    channels = problem.weight.shape[0] // problem.groups
    rows = problem.weight.shape[1] * prod(problem.kernel)
    filled = -(-channels // tile_rows) * tile_rows
    depth = min(rows, _DEPTH)
    wide = min(_PANEL_BYTES, budget) // ((depth + filled) * size * tile_columns)
    most = -(-prod(problem.y.shape[2:]) // tile_columns)
    # Panels of equal width: a narrow last one would do less work for as many loads.
    panels = -(-most // max(1, min(wide, most)))
    width = -(-most // panels) * tile_columns
    return Shape(problem.groups, channels, rows, filled, width, depth)


class ImplicitGemmPlan(HostPlan):
    """Plan of ``conv_forward``."""

    def __init__(self, problem: ConvProblem, shape: Shape, dtype: str, threads: int) -> None:
        self._problem = problem
        self._shape = shape
        self._dtype = dtype
        self._threads = threads
        self._geometry = geometry_of(problem)
        size = itemsize(dtype)
        self._scratch = Scratch()
        self._scratch.add("packed", (shape.packed_bytes(size),), "uint8")
        self._scratch.add("panels", (shape.scratch_bytes(size) * threads,), "uint8")
        # Where the kernel can't be seen as one axis, the weight is copied before it is packed.
        if not _rows_merge(problem):
            self._scratch.add("weight", problem.weight.shape, dtype)

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
        """Fill y; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        x, weight, *rest = inputs
        shape = self._shape
        if "weight" in self._scratch:
            copy = self._scratch.cut("weight", workspace)
            copy[...] = weight
            weight = copy
        packed = self._scratch.cut("packed", workspace)
        matrices = weight.reshape(shape.groups, shape.channels, shape.rows)
        core.pack_weight(matrices, packed, self._dtype, self._threads)
        core.conv_forward(
            self._geometry,
            x,
            packed,
            outputs[0],
            rest[0].copy() if rest else None,
            self._dtype,
            shape.groups,
            shape.channels,
            CODES[self._problem.activation],
            LEAKY_SLOPE,
            shape.width,
            shape.depth,
            self._scratch.cut("panels", workspace),
            self._threads,
        )


def _rows_merge(problem: ConvProblem) -> bool:
    """Whether the weight's channels and kernel are one axis, so that reshaping won't copy."""
    return merged_stride(problem.weight.shape[1:], problem.weight.strides[1:]) is not None


class ImplicitGemm:
    """Our own matrix product on panels of columns."""

    name = "implicit_gemm"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept real forward convolutions whose packed weight fits the workspace."""
        if core is None:
            return refused(self.name, why_no_core)
        if not isinstance(problem, ConvProblem) or problem.operation != "conv_forward":
            return refused(self.name, f"it has no {problem.operation}")
        dtype, reason = arithmetic(problem, policy)
        if reason:
            return refused(self.name, reason)
        if dtype != problem.dtype or dtype.startswith("complex"):
            return refused(
                self.name,
                f"it takes float32 and float64 as they are, not {dtype} sums of {problem.dtype}",
            )
        if any(operand.size == 0 for operand in (problem.x, problem.weight, problem.y)):
            return refused(self.name, "an array is empty")
        return self._within_limit(problem, policy, dtype)

    def _within_limit(self, problem: ConvProblem, policy: Policy, dtype: str) -> Decision:
        threads = threads_for(policy)
        limit = policy.workspace_limit
        size = itemsize(dtype)
        packed = choose_shape(problem, dtype, limit).packed_bytes(size)
        if not _rows_merge(problem):
            packed += padded(problem.weight.size * size)
        budget = (limit - packed - 256) // threads
        shape = choose_shape(problem, dtype, max(budget, 0))
        if shape.scratch_bytes(size) > budget:
            return refused(
                self.name,
                f"its packed weight and narrowest panels take "
                f"{packed + threads * shape.scratch_bytes(size)} bytes, over the limit of {limit}",
                over_limit=True,
            )
        plan = ImplicitGemmPlan(problem, shape, dtype, threads)
        return Decision(
            True,
            f"panels of {shape.depth} x {shape.width}, {active()} kernels",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            _seconds(problem, dtype, shape, threads),
            plan.workspace_bytes,
            threads=threads,
            detail=shape,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem)
        assert isinstance(decision.detail, Shape)
        return ImplicitGemmPlan(problem, decision.detail, problem.dtype, decision.threads)


def _seconds(problem: ConvProblem, dtype: str, shape: Shape, threads: int) -> float:
    share = _PEAK_SHARE * shape.channels / shape.filled
    columns = prod(problem.y.shape[2:]) * problem.y.shape[0] * shape.rows * shape.groups
    flops = problem.flops / (share * peak_flops(active(), dtype, threads))
    return flops + columns * itemsize(dtype) / (_COLUMN_BYTES_PER_SECOND * threads)
