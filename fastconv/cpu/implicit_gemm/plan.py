"""Plan of a convolution's forward pass or input gradient: a product for each phase."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastconv.cpu import narrow, pixels
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.implicit_gemm import over_pixels, turned
from fastconv.cpu.implicit_gemm.blocking import Blocks, Extent, choose, stream_bytes, tile_rows
from fastconv.cpu.implicit_gemm.phases import Phase, leaves_gaps, phases_of
from fastconv.cpu.isa import active, core
from fastconv.cpu.packed_plan import PackedPlan
from fastconv.cpu.plans import itemsize
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, Ints, Operand

# Of an item of the weight, on its way to where it is packed.
_PACK_CYCLES = 2.0
# How much longer a product takes than the model's cycles: caches miss.
_SLOWER = 1.06
# Phases that share boxes; with more of them, each has too little to do.
_MOST_TURNED = 64


class Cut(NamedTuple):
    """How a convolution's products are cut up, each of them."""

    rows: int
    blocks: list[Blocks]
    cycles: float
    turned: int = 0
    pixels: int = 0


class ProductPlan(PackedPlan):
    """Lets the core pack the weight and convolve: one call, whatever the number of phases."""

    def __init__(
        self, problem: ConvProblem, dtype: str, threads: int, budget: int, **options: Any
    ) -> None:
        assert core is not None
        backward = problem.operation == "conv_input_grad"
        source, target = (problem.y, problem.x) if backward else (problem.x, problem.y)
        outputs = problem.weight.shape[0] // problem.groups
        inner, channels = outputs, problem.weight.shape[1]
        if not backward:
            inner, channels = channels, inner
        inner = narrow.items_of(inner, dtype)
        phases = phases_of(problem)
        extents = [_extent(phase, problem, inner, channels, dtype) for phase in phases]
        cut = _cut(problem, dtype, extents, channels, budget)
        # What decides in which order an output's products are added up.
        self.kind = (cut.turned > 0, cut.pixels > 0)
        products = [
            _product(phase, source.shape[2:], blocks)
            for phase, blocks in zip(phases, cut.blocks, strict=True)
        ]
        product = core.Convolution(
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
            streams=_streams(target),
            activation=CODES[problem.activation],
            parameter=LEAKY_SLOPE,
            pixels=cut.pixels,
            **(narrow.item_sizes(problem) | options),
        )
        super().__init__(product, threads, rounds=narrow.rounds(problem))
        # A cycle of the model has two multiply-adds of whole vectors.
        flops = 4 * core.vector_bytes() // narrow.item_bytes(dtype) * cut.cycles
        busy = max(1, min(threads, self.units))
        self.seconds = flops / (peak_flops(active(), narrow.rate_dtype(dtype), 1) * busy)


def _streams(target: Operand) -> bool:
    """Whether results are too many for the caches: those that are stored as they were summed."""
    size = itemsize(target.dtype)
    return target.dtype in ("float32", "float64") and target.size * size > stream_bytes()


def _cut(
    problem: ConvProblem, dtype: str, extents: list[Extent], channels: int, budget: int
) -> Cut:
    """Return the cut that takes the fewest cycles."""
    cuts = [_upright(problem, extents, channels, budget)]
    adjoining = dtype not in narrow.NARROW and pixels.adjoin(problem)
    if dtype in narrow.NARROW:
        pass  # they have no tiles of pixels
    elif extents and (adjoining or over_pixels.is_worth_turning(problem, extents[0])):
        cuts.append(_over_pixels(problem, extents, channels, budget, adjoining))
    if 0 < len(extents) <= _MOST_TURNED and not adjoining:
        cuts.append(_turned(problem, extents, budget))
    return min(cuts, key=lambda cut: cut.cycles)


def _upright(problem: ConvProblem, extents: list[Extent], channels: int, budget: int) -> Cut:
    rows = tile_rows(channels)
    chosen = [choose(extent, rows, budget) for extent in extents]
    cycles = _SLOWER * sum(taken for _, taken in chosen) + _PACK_CYCLES * problem.weight.size
    return Cut(rows, [blocks for blocks, _ in chosen], cycles)


def _over_pixels(
    problem: ConvProblem, extents: list[Extent], channels: int, budget: int, adjoining: bool
) -> Cut:
    width = pixels.block_channels(channels, problem.dtype)
    chosen = [over_pixels.choose(extent, width, budget, not adjoining) for extent in extents]
    cycles = sum(taken for _, taken in chosen) + over_pixels.pack_cycles(problem)
    return Cut(width, [blocks for blocks, _ in chosen], cycles, pixels=1 if adjoining else 2)


def _turned(problem: ConvProblem, extents: list[Extent], budget: int) -> Cut:
    unit, cycles, _ = turned.choose(extents, budget)
    blocks = [
        Blocks(1, min(unit.lines, e.out[1]), min(unit.items, e.out[2]), e.inner, unit.blocks)
        for e in extents
    ]
    cycles = _SLOWER * cycles + _PACK_CYCLES * problem.weight.size
    return Cut(extents[0].lanes, blocks, cycles, turned=2 if extents[0].source_turned else 1)


def _extent(phase: Phase, problem: ConvProblem, inner: int, channels: int, dtype: str) -> Extent:
    """Return what blocks are chosen by, all three spatial axes filled in."""
    assert core is not None
    backward = problem.operation == "conv_input_grad"
    given, target = (problem.y, problem.x) if backward else (problem.x, problem.y)
    source = given.shape
    missing = 3 - len(phase.kernel)
    ones, zeros = (1,) * missing, (0,) * missing
    size = narrow.item_bytes(dtype)
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
        source_apart=_apart(given, itemsize(given.dtype)),
        target_apart=_apart(target, itemsize(target.dtype)),
        source_turned=_turns(given, dtype, inner),
        target_turned=target.strides[1] == itemsize(target.dtype) and target.shape[1] > 1,
        target_bytes=itemsize(target.dtype),
    )


def _apart(operand: Operand, size: int) -> bool:
    """Whether the items of a line do not lie side by side."""
    return operand.shape[-1] > 1 and operand.strides[-1] != size


def _turns(operand: Operand, dtype: str, items: int) -> bool:
    """Whether channels lie side by side, enough of them to be transposed while they are copied."""
    assert core is not None
    size, lanes = itemsize(operand.dtype), core.vector_bytes() // narrow.item_bytes(dtype)
    adjoin = operand.strides[1] == size and operand.strides[-1] != size
    return dtype in narrow.NARROW and adjoin and items >= lanes // 2


def _product(phase: Phase, spatial: Ints, blocks: Blocks) -> tuple[Any, ...]:
    assert core is not None
    geometry = core.Geometry(
        spatial, phase.kernel, phase.stride, phase.before, phase.dilation, phase.out
    )
    return (geometry, phase.first, phase.step, phase.place, phase.every, *blocks)
