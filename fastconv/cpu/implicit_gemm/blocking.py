"""How a product is cut up: the tile's height, a unit's extent, how deep it sums at a time.

A model of the processor's cycles settles it, from the product's shape, the tile and the caches:
never from the number of threads. No choice changes a sum's order, hence no bit of the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import gcd, inf, prod
from typing import NamedTuple

from fastconv.cpu.cuts import ceil_div, even
from fastconv.cpu.isa import core
from fastconv.cpu.plans import itemsize
from fastconv.machine import describe
from fastconv.problem import ConvProblem, Ints

# Vectors that the widest unit has, and what a vector, a line and a tile cost besides the products:
# cycles, measured where they are copied from and to the second-level cache.
_WIDTHS = (1, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
_COPY, _LINE, _GATHER, _TILE, _STORE = 5.0, 12.0, 2.0, 30.0, 2.0
_STRIDED_STORE = 20.0
# Where items of a line don't lie side by side, all of them one by one; channels that do, of fewer
# bits, are transposed in registers.
_COPY_APART, _COPY_TURNED, _STORE_APART = 24.0, 6.0, 32.0
# Of a vector of a tile that covers what lies between lines: its sums are put down line by line.
_BROKEN_STORE = 8.0
# Where the weight doesn't stay in the second-level cache, it comes at so many bytes a cycle.
_WEIGHT_BYTES = 16.0
# Whether columns are gathered; whether lines are apart.
_FORMS = ((False, False), (True, False), (False, True))
# Products from which on units should share out evenly among two, four, eight threads.
_WORTH_SHARING = 4e6
_DEFAULT_L2 = 512 * 2**10


class Blocks(NamedTuple):
    """A unit: images, lines, items of a line; source channels at a time; tiles' heights.

    Columns may be gathered without what lies between lines, or tiles begin with lines, apart.
    """

    images: int
    lines: int
    items: int
    depth: int
    blocks: int
    gathered: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Extent:
    """A product's shape: what :func:`choose` looks at, per group where that applies."""

    batch: int
    groups: int
    inner: int
    channels: int
    kernel: Ints
    stride: Ints
    dilation: Ints
    before: Ints
    source: Ints
    out: Ints
    size: int
    lanes: int
    steps: int = 1
    source_apart: bool = False
    target_apart: bool = False
    source_turned: bool = False
    target_turned: bool = False
    target_bytes: int = 0

    @property
    def products(self) -> int:
        """Number of multiplications."""
        positions = self.batch * prod(self.out)
        return positions * self.groups * self.inner * self.channels * prod(self.kernel)


@cache
def second_level_bytes() -> int:
    """Return the size of a core's second-level cache."""
    return describe().l2 or _DEFAULT_L2


@cache
def stream_bytes() -> int:
    """Return how large a result must be to go past the caches: they'd hold little of it."""
    return max(8 * second_level_bytes(), (describe().l3 or 0) // 2)


def moved_bytes(problem: ConvProblem) -> int:
    """Return what x and y take together."""
    return sum(a.size * itemsize(a.dtype) for a in (problem.x, problem.y))


def beyond_caches(problem: ConvProblem) -> bool:
    """Whether x and y are so large that they come from memory."""
    return 2 * moved_bytes(problem) > 3 * stream_bytes()


def tile_cycles(rows: int, vectors: int) -> float:
    """Return the cycles that a row of the reduction takes a tile.

    Two products and two loads start in each; a vector that straddles cache lines loads twice; a
    sum waits four cycles for the one before.
    """
    return max(rows * vectors / 2, (rows + 2 * vectors) / 2, 4.0)


def tile_rows(channels: int, vectors: int | None = None) -> int:
    """Return the height of tiles that computes so many channels in the least time."""
    assert core is not None

    def cycles(rows: int) -> float:
        most = core.tile_vectors(rows)
        wide = most if vectors is None else min(most, vectors)
        return ceil_div(channels, rows) * tile_cycles(rows, wide) / wide if wide else inf

    return min(range(8, 0, -1), key=cycles)


def _line(e: Extent, items: int) -> int:
    """Return the items of a padded line: fc_product_layout's `line`, residues left out."""
    reach = (e.kernel[2] - 1) * e.dilation[2] // e.stride[2]
    if items < e.out[2]:
        return items + reach
    after = (e.out[2] - 1) * e.stride[2] + (e.kernel[2] - 1) * e.dilation[2] + 1
    after -= e.before[2] + e.source[2]
    shared = min(max(e.before[2], 0) // e.stride[2], max(after, 0) // e.stride[2], reach)
    return max(items, items + reach - shared)


def _period(kernel: int, stride: int, dilation: int) -> int:
    return min(kernel, stride // gcd(stride, dilation))


def _units(e: Extent, width: int) -> Iterator[tuple[int, int, int]]:
    """Yield units (images, lines, items) of about so many items."""
    line = _line(e, e.out[2])
    if line > width:
        yield 1, 1, even(e.out[2], width)
        yield 1, 1, e.out[2]
        return
    plane = line * e.out[1]
    if plane <= width and e.batch > 1:
        yield even(e.batch, width // plane), e.out[1], e.out[2]
    yield 1, even(e.out[1], max(1, width // line)), e.out[2]


def choose(e: Extent, rows: int, budget: int) -> tuple[Blocks, float]:
    """Return the blocks that take the fewest cycles within `budget` bytes a thread, and these.

    Where nothing fits, the blocks that need least.
    """
    best: tuple[tuple[bool, float], Blocks, float] | None = None
    seen = set()
    blocks = ceil_div(e.channels, rows)
    several = prod(e.kernel) > 1 or e.kernel[1] * e.kernel[2] > 1
    for width in _WIDTHS:
        for unit in _units(e, width * e.lanes):
            if unit in seen:
                continue
            seen.add(unit)
            for parts in (1, 2, 4, 8, blocks):
                some = ceil_div(blocks, parts)
                for gathered, apart in _FORMS if several or e.batch > 1 else _FORMS[:1]:
                    cut, used = _deepest(e, rows, Blocks(*unit, 1, some, gathered, apart), budget)
                    if apart and cut.depth < e.inner:
                        continue
                    cycles = _cycles(e, rows, cut)
                    over = used > budget
                    key = (over, used if over else cycles)
                    if best is None or key < best[0]:
                        best = key, cut, cycles
                if parts >= blocks:
                    break
    assert best is not None
    return best[1], best[2]


def _deepest(e: Extent, rows: int, unit: Blocks, budget: int) -> tuple[Blocks, int]:
    """Return the unit with as many channels at a time as fit, and the bytes that it takes."""
    line, positions = _line(e, unit.items), _positions(e, unit)
    reach = (e.kernel[1] - 1) * e.dilation[1] // e.stride[1]
    planes = e.kernel[0] * _period(e.kernel[1], e.stride[1], e.dilation[1])
    planes *= _period(e.kernel[2], e.stride[2], e.dilation[2])
    plane = unit.images * (unit.lines + reach) * line
    channel = planes * plane + (prod(e.kernel) * positions if unit.gathered else 0)
    fixed = 4 * 64 + (e.kernel[2] - 1) * e.dilation[2] * e.size + 24 * unit.images * unit.lines
    fixed += 4 * 64
    left = min(budget, second_level_bytes() // 2) - fixed
    depth = max(1, min(e.inner, left // (channel * e.size)))
    sums = 0
    if depth < e.inner:
        sums = unit.blocks * rows * positions * e.size
        left = min(budget - fixed - sums, second_level_bytes() * 3 // 8)
        depth = even(e.inner, max(1, left // (channel * e.size)))
    return unit._replace(depth=depth), fixed + depth * channel * e.size + sums


def _positions(e: Extent, unit: Blocks) -> int:
    """Return the positions that a unit computes, those between lines included."""
    if unit.gathered:
        count = unit.images * unit.lines * unit.items
    else:
        reach = (e.kernel[1] - 1) * e.dilation[1] // e.stride[1]
        lines = (unit.images - 1) * (unit.lines + reach) + unit.lines
        count = (lines - 1) * _line(e, unit.items) + unit.items
    return ceil_div(count, e.lanes) * e.lanes


def _cycles(e: Extent, rows: int, b: Blocks) -> float:
    """Return the model's cycles of one thread for the whole product."""
    assert core is not None
    pieces = b.images * b.lines if b.apart else 1
    vectors = ceil_div(b.items, e.lanes) if b.apart else _positions(e, b) // e.lanes
    most = int(core.tile_vectors(rows))
    tiles = ceil_div(vectors, most)
    narrow, wider = vectors // tiles, vectors % tiles
    reduction = e.inner * prod(e.kernel)
    products = (tiles - wider) * tile_cycles(rows, narrow) + wider * tile_cycles(rows, narrow + 1)
    products *= pieces
    steps = ceil_div(e.inner, b.depth)
    # Sums are put down and taken up again between steps, and go to the target at last.
    broken = (
        not b.gathered and not b.apart and _line(e, b.items) > b.items and b.lines * b.images > 1
    )
    store = _BROKEN_STORE if broken else _STORE
    if b.apart and b.items % e.lanes:
        store += (_BROKEN_STORE - _STORE) / tiles
    store = _STRIDED_STORE if e.steps > 1 else store
    store = _STORE_APART if e.target_apart else store
    ends = pieces * (tiles * _TILE * steps + vectors * rows * (2.0 * (steps - 1) + store))
    weight = e.groups * e.channels * reduction * e.size
    fetch = rows * reduction * e.size / _WEIGHT_BYTES if weight > second_level_bytes() // 4 else 0
    block = max(products * reduction, fetch) + ends
    heights = ceil_div(e.channels, rows)
    parts = ceil_div(heights, b.blocks)
    units = ceil_div(e.batch, b.images) * ceil_div(e.out[1], b.lines) * ceil_div(e.out[2], b.items)
    units *= e.groups * e.out[0]
    each = heights * block + parts * _copy_cycles(e, b)
    return units * each * imbalance(e, units * parts)


def _copy_cycles(e: Extent, b: Blocks) -> float:
    """Return the cycles that a unit takes to fill its planes and to gather columns."""
    reach = (e.kernel[1] - 1) * e.dilation[1] // e.stride[1]
    lines = b.images * (b.lines + reach)
    planes = e.kernel[0] * _period(e.kernel[1], e.stride[1], e.dilation[1])
    planes *= _period(e.kernel[2], e.stride[2], e.dilation[2])
    vectors = _line(e, b.items) / e.lanes
    strided = 1 if e.stride[2] == 1 else 2
    copy = _COPY_APART if e.source_apart else _COPY * strided
    copy = _COPY_TURNED if e.source_turned else copy
    filled = planes * lines * (_LINE + copy * vectors)
    if b.gathered:
        filled += prod(e.kernel) * b.images * b.lines * ceil_div(b.items, e.lanes) * _GATHER
    return e.inner * filled


def imbalance(e: Extent, units: int) -> float:
    """Return how much longer two to eight threads take than if units could be split at will."""
    if e.products < _WORTH_SHARING:
        return 1.0
    shares = ((2, 0.5), (4, 0.2), (8, 0.1))
    return 1 + sum(w * (ceil_div(units, t) * t / units - 1) for t, w in shares)
