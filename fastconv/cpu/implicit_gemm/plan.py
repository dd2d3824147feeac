"""Plan of a convolution's forward pass or input gradient: a product for each phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu import pixels
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE, finish
from fastconv.cpu.implicit_gemm import over_pixels
from fastconv.cpu.implicit_gemm.blocking import Blocks, Extent, choose, tile_rows
from fastconv.cpu.implicit_gemm.phases import Phase, leaves_gaps, phases_of
from fastconv.cpu.isa import active, core
from fastconv.cpu.plans import HostPlan, itemsize
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, Ints, Operand

# Workspace begins where NumPy puts it; scratch memory at the next cache line.
_SLACK = 64
# Of an item of the weight, on its way to where it is packed.
_PACK_CYCLES = 2.0


class ProductPlan(HostPlan):
    """Lets the core pack the weight and convolve: one call, whatever the number of phases."""

    def __init__(self, problem: ConvProblem, dtype: str, threads: int, budget: int) -> None:
        assert core is not None
        self._threads = threads
        self._activation = problem.activation
        backward = problem.operation == "conv_input_grad"
        source, target = (problem.y, problem.x) if backward else (problem.x, problem.y)
        outputs = problem.weight.shape[0] // problem.groups
        inner, channels = outputs, problem.weight.shape[1]
        if not backward:
            inner, channels = channels, inner
        phases = phases_of(problem)
        extents = [_extent(phase, problem, inner, channels, dtype) for phase in phases]
        rows, cuts, cycles, adjoining = _cut(problem, extents, channels, budget)
        products = [
            _product(phase, source.shape[2:], blocks)
            for phase, blocks in zip(phases, cuts, strict=True)
        ]
        self._convolution = core.Convolution(
            source.shape,
            problem.weight.shape,
            target.shape,
            products,
            dtype=dtype,
            groups=problem.groups,
            transposed=backward,
            tile_rows=rows,
            activation=CODES[problem.activation],
            parameter=LEAKY_SLOPE,
            pixels=adjoining,
        )
        # A cycle of the model has two multiply-adds of whole vectors.
        flops = 4 * core.vector_bytes() // itemsize(dtype) * cycles
        busy = max(1, min(threads, self._convolution.units))
        self.seconds = flops / (peak_flops(active(), dtype, 1) * busy)
        self._fills = leaves_gaps(problem)
        self.packed_bytes: int = self._convolution.packed_bytes
        self.scratch_bytes: int = self._convolution.scratch_bytes
        # Plain attributes are read faster than properties, and dispatch reads this at every call.
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
        self._convolution.pack(weight, packed, self._threads)
        packed.setflags(write=False)
        return packed

    def _run(self, inputs: Sequence[Any], target: Any, workspace: Any, packed: bool) -> None:
        bias = inputs[2] if len(inputs) > 2 else None
        if self._fills:
            self._fill(target, bias)
        self._convolution.run(inputs[0], inputs[1], target, bias, workspace, self._threads, packed)

    def _fill(self, target: Any, bias: Any) -> None:
        """Fill elements as where no tap reaches them: the bias, activated."""
        values = np.zeros((1, target.shape[1], 1), target.dtype)
        finish(values, None if bias is None else np.ascontiguousarray(bias), self._activation, 1)
        target[...] = values.reshape(1, -1, *(1,) * (target.ndim - 2))


def _cut(
    problem: ConvProblem, extents: list[Extent], channels: int, budget: int
) -> tuple[int, list[Blocks], float, int]:
    """Return tiles' target channels, each phase's blocks, the cycles, and the core's `pixels`."""
    rows = tile_rows(channels)
    chosen = [choose(extent, rows, budget) for extent in extents]
    cycles = sum(taken for _, taken in chosen) + _PACK_CYCLES * problem.weight.size
    turned = not pixels.adjoin(problem)
    if extents and (not turned or over_pixels.is_worth_turning(problem, extents[0])):
        width = pixels.block_channels(channels, problem.dtype)
        others = [over_pixels.choose(extent, width, budget, turned) for extent in extents]
        taken = sum(taken for _, taken in others) + over_pixels.pack_cycles(problem)
        if taken < cycles:
            return width, [blocks for blocks, _ in others], taken, 2 if turned else 1
    return rows, [blocks for blocks, _ in chosen], cycles, 0


def _extent(phase: Phase, problem: ConvProblem, inner: int, channels: int, dtype: str) -> Extent:
    """Return what blocks are chosen by, all three spatial axes filled in."""
    assert core is not None
    backward = problem.operation == "conv_input_grad"
    given, target = (problem.y, problem.x) if backward else (problem.x, problem.y)
    source = given.shape
    missing = 3 - len(phase.kernel)
    ones, zeros = (1,) * missing, (0,) * missing
    size = itemsize(dtype)
    return Extent(
        batch=source[0],
        groups=problem.groups,
        inner=inner,
        channels=channels,
        kernel=ones + phase.kernel,
        stride=ones + phase.stride,
        dilation=ones + phase.dilation,
        before=zeros + phase.before,
        source=ones + source[2:],
        out=ones + phase.out,
        size=size,
        lanes=core.vector_bytes() // size,
        steps=phase.every[-1],
        source_apart=_apart(given, size),
        target_apart=_apart(target, size),
    )


def _apart(operand: Operand, size: int) -> bool:
    """Whether the items of a line do not lie side by side."""
    return operand.shape[-1] > 1 and operand.strides[-1] != size


def _product(phase: Phase, spatial: Ints, blocks: Blocks) -> tuple[Any, ...]:
    assert core is not None
    geometry = core.Geometry(
        spatial, phase.kernel, phase.stride, phase.before, phase.dilation, phase.out
    )
    return (geometry, phase.first, phase.step, phase.place, phase.every, *blocks)
