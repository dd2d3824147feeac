"""How a convolution of arrays whose channels lie side by side is cut up.

As in `blocking`, a model of the processor's cycles settles it, never the number of threads, and no
choice changes a sum's order.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from fastconv.cpu.cuts import ceil_div, even
from fastconv.cpu.implicit_gemm.blocking import (
    Blocks,
    Extent,
    imbalance,
    second_level_bytes,
)
from fastconv.cpu.isa import core
from fastconv.problem import ConvProblem

# Positions that a unit has at most, in tiles, and cycles, measured: of a tile, of one of its runs
# of items, of a position's place in the source and of its own, of a copied vector.
_TILES = (2, 4, 6, 8, 12, 16, 24)
_TILE, _RUN, _PLACE, _POSITION, _COPY, _LINE = 40.0, 20.0, 4.0, 8.0, 4.0, 20.0
_UNIT = 300.0
# Of a vector that is transposed, and of an item where there are too few channels for that.
# Short lines go by way of a buffer. Every second item of a line is picked out, or put, one by one.
_TURN, _TURN_SHORT, _TURN_APART, _ITEM = 4.0, 24.0, 60.0, 1.5
_FEW_CHANNELS = 8
# Addresses so many bytes apart fall into the same set of a first-level cache.
_PAGE = 4096
_PACK_BLOCK, _PACK_ITEM = 0.5, 2.0
# Where the weight doesn't stay in the second-level cache, it comes at so many bytes a cycle.
_WEIGHT_BYTES = 16.0
# Source channels that are worth a run of their own; fewer are copied, a line's taps being one run.
_LEAST_RUN = 16


def pack_cycles(problem: ConvProblem) -> float:
    """Return the cycles that packing the weight takes: transposed in registers, or item by item."""
    adjacent = problem.operation == "conv_forward" or prod(problem.kernel) == 1
    return problem.weight.size * (_PACK_BLOCK if adjacent else _PACK_ITEM)


def is_worth_turning(problem: ConvProblem, e: Extent) -> bool:
    """Whether transposing lines on their way may pay.

    With one tap there is little to do for an item, and pixels must not share sets of the cache.
    """
    crowded = prod(problem.kernel) == 1 and e.inner * e.size % _PAGE == 0
    return not (crowded or e.source_apart or e.target_apart)


def choose(e: Extent, width: int, budget: int, turned: bool) -> tuple[Blocks, float]:
    """Return the blocks that take the fewest cycles within `budget` bytes a thread, and these.

    `width` is a tile's target channels. Where nothing fits, the blocks that need least.
    """
    best: tuple[tuple[bool, float], Blocks, float] | None = None
    blocks = ceil_div(e.channels, width)
    copied = turned or (e.kernel[2] > 1 and e.dilation[2] == 1 and e.inner < _LEAST_RUN)
    deepest = max(1, second_level_bytes() // 3 // (prod(e.kernel) * width * e.size))
    depth = e.inner if copied else even(e.inner, deepest)
    for images, lines, items in dict.fromkeys(_units(e)):
        for parts in (1, 2, 4, 8, blocks):
            if parts <= blocks:
                cut = Blocks(images, lines, items, depth, ceil_div(blocks, parts), copied)
                used, cycles = _bytes(e, width, cut, turned), _cycles(e, width, cut, turned)
                over = used > budget
                key = (over, used if over else cycles)
                if best is None or key < best[0]:
                    best = key, cut, cycles
    assert best is not None
    return best[1], best[2]


def _units(e: Extent) -> Iterator[tuple[int, int, int]]:
    rows = _rows()
    for tiles in _TILES:
        most = tiles * rows
        plane = e.out[1] * e.out[2]
        if e.out[2] > most:
            yield 1, 1, even(e.out[2], most)
        elif plane > most or e.batch == 1:
            yield 1, even(e.out[1], most // e.out[2]), e.out[2]
        else:
            yield even(e.batch, most // plane), e.out[1], e.out[2]


def _rows() -> int:
    assert core is not None
    rows: int = core.gemm_tile("float32")[0]
    return rows


def _height(positions: int) -> int:
    """Return the rows of tiles: csrc/pixels_layout.inc's pixel_rows."""
    most = _rows()
    heights = range(most, most // 2, -1)
    return min(positions, min(heights, key=lambda r: ceil_div(positions, r) * (4 * r + 1)))


def _runs(e: Extent, b: Blocks) -> int:
    joined = b.gathered and (e.dilation[2] == 1 or e.kernel[2] == 1)
    return prod(e.kernel[:2]) * (1 if joined else e.kernel[2])


def _copied(e: Extent, b: Blocks) -> tuple[int, int]:
    """Return how many lines a unit copies, and their items."""
    if not b.gathered:
        return 0, 0
    steps = [1 if k == 1 else s for k, s in zip(e.kernel, e.stride, strict=True)]
    lines = (b.lines - 1) * steps[1] + (e.kernel[1] - 1) * e.dilation[1] + 1
    pixels = (b.items - 1) * steps[2] + (e.kernel[2] - 1) * e.dilation[2] + 1
    return b.images * e.kernel[0] * lines, pixels * e.inner


def _bytes(e: Extent, width: int, b: Blocks, turned: bool) -> int:
    """Return a thread's scratch memory: fc.h's pixel_bytes, roughly."""
    positions = ceil_div(b.images * b.lines * b.items, e.lanes) * e.lanes + _rows()
    lines, items = _copied(e, b)
    sums = positions * width if b.depth < e.inner or turned else 0
    return (
        positions * (_runs(e, b) + 1) * 8
        + (lines * items + e.inner * e.kernel[2] + sums) * e.size
        + 4 * 64
    )


def _turn(e: Extent, pixels: int) -> float:
    """Return the cycles of transposing a vector of a source line of so many pixels."""
    if e.kernel[2] == 1 and e.stride[2] > 1:
        return _TURN_APART
    joined = prod(e.kernel) == 1 and pixels == e.source[2]
    return _TURN if joined or pixels >= e.lanes else _TURN_SHORT


def _tile_cycles(rows: int, vectors: int) -> float:
    """Return the cycles of a row of the reduction: two products and two loads start in each."""
    return max(rows * vectors / 2, (rows + vectors) / 2, 4.0)


def _cycles(e: Extent, width: int, b: Blocks, turned: bool) -> float:
    """Return the model's cycles of one thread for the whole convolution."""
    positions = b.images * b.lines * b.items
    rows, vectors = _height(positions), width // e.lanes
    tiles = ceil_div(positions, rows)
    last = ceil_div(e.channels - (ceil_div(e.channels, width) - 1) * width, e.lanes)
    volume, blocks = prod(e.kernel), ceil_div(e.channels, width)
    reduction, steps, runs = e.inner * volume, ceil_div(e.inner, b.depth), _runs(e, b)
    each = (blocks - 1) * _tile_cycles(rows, vectors) + _tile_cycles(rows, last)
    tile_ends = steps * (runs * _RUN + _TILE) + (4 * steps - 2) * rows * vectors
    products = tiles * (each * reduction + blocks * tile_ends)
    weight = reduction * e.channels * e.size
    if e.groups * weight > second_level_bytes() // 2:
        products = max(products, weight / _WEIGHT_BYTES) + weight / _WEIGHT_BYTES / 2
    lines, items = _copied(e, b)
    parts = ceil_div(blocks, b.blocks)
    made = positions * (runs * _PLACE + _POSITION) + _UNIT
    copy = _COPY / e.lanes
    if turned:
        turn = _turn(e, items // e.inner)
        copy = _ITEM if e.inner < _FEW_CHANNELS else (_COPY + turn) / e.lanes
        ends = _TURN if e.steps == 1 else _TURN_APART
        products += positions * ceil_div(e.channels, e.lanes) * ends
    made += lines * (_LINE + copy * items)
    units = ceil_div(e.batch, b.images) * ceil_div(e.out[1], b.lines) * ceil_div(e.out[2], b.items)
    units *= e.groups * e.out[0]
    return units * (products + parts * made) * imbalance(e, units * parts)
