"""Plan of a convolution's forward pass or input gradient: a product for each phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.implicit_gemm import turned
from fastconv.cpu.implicit_gemm.blocking import Blocks, Extent, choose, stream_bytes, tile_rows
from fastconv.cpu.implicit_gemm.phases import Phase, leaves_gaps, phases_of
from fastconv.cpu.isa import active, core
from fastconv.cpu.plans import HostPlan, itemsize
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, Ints

# Workspace begins where NumPy puts it; scratch memory at the next cache line.
_SLACK = 64
# Of an item of the weight, on its way to where it is packed.
_PACK_CYCLES = 2.0
# How much longer a product takes than the model's cycles: caches miss.
_SLOWER = 1.06
# Phases that share boxes; with more of them, each has too little to do.
_MOST_TURNED = 64


class Cut(NamedTuple):
    """How a convolution's products are cut up, each of them."""

    turned: bool
    rows: int
    blocks: list[Blocks]
    cycles: float


class ProductPlan(HostPlan):
    """Lets the core pack the weight and convolve: one call, whatever the number of phases."""

    def __init__(self, problem: ConvProblem, dtype: str, threads: int, budget: int) -> None:
        assert core is not None
        self._threads = threads
        backward = problem.operation == "conv_input_grad"
        source, target = (problem.y, problem.x) if backward else (problem.x, problem.y)
        outputs = problem.weight.shape[0] // problem.groups
        inner, channels = outputs, problem.weight.shape[1]
        if not backward:
            inner, channels = channels, inner
        phases = phases_of(problem)
        extents = [
            _extent(phase, problem, source.shape, inner, channels, dtype) for phase in phases
        ]
        cut = _cut(extents, budget)
        products = [
            _product(phase, source.shape[2:], blocks)
            for phase, blocks in zip(phases, cut.blocks, strict=True)
        ]
        cycles = _PACK_CYCLES * problem.weight.size + _SLOWER * cut.cycles
        self._convolution = core.Convolution(
            source.shape,
            problem.weight.shape,
            target.shape,
            products,
            dtype=dtype,
            groups=problem.groups,
            transposed=backward,
            tile_rows=cut.rows,
            turned=cut.turned,
            gaps=leaves_gaps(problem),
            streams=target.size * itemsize(dtype) > stream_bytes(),
            activation=CODES[problem.activation],
            parameter=LEAKY_SLOPE,
        )
        # A cycle of the model has two multiply-adds of whole vectors.
        flops = 4 * core.vector_bytes() // itemsize(dtype) * cycles
        busy = max(1, min(threads, self._convolution.units))
        self.seconds = flops / (peak_flops(active(), dtype, 1) * busy)
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
        self._convolution.run(inputs[0], inputs[1], target, bias, workspace, self._threads, packed)


def _cut(extents: list[Extent], budget: int) -> Cut:
    """Return the cut that takes the fewest cycles."""
    rows = tile_rows(extents[0].channels) if extents else 1
    chosen = [choose(extent, rows, budget) for extent in extents]
    upright = Cut(False, rows, [blocks for blocks, _ in chosen], sum(taken for _, taken in chosen))
    if not 0 < len(extents) <= _MOST_TURNED:
        return upright
    unit, cycles, _ = turned.choose(extents, budget)
    if upright.cycles <= cycles:
        return upright
    blocks = [
        Blocks(1, min(unit.lines, e.out[1]), min(unit.items, e.out[2]), e.inner, unit.blocks)
        for e in extents
    ]
    return Cut(True, extents[0].lanes, blocks, cycles)


def _extent(
    phase: Phase, problem: ConvProblem, source: Ints, inner: int, channels: int, dtype: str
) -> Extent:
    """Return what blocks are chosen by, all three spatial axes filled in."""
    assert core is not None
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
    )


def _product(phase: Phase, spatial: Ints, blocks: Blocks) -> tuple[Any, ...]:
    assert core is not None
    geometry = core.Geometry(
        spatial, phase.kernel, phase.stride, phase.before, phase.dilation, phase.out
    )
    return (geometry, phase.first, phase.step, phase.place, phase.every, *blocks)
