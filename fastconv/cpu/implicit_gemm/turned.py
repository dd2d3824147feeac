"""How a turned product is cut up: output channels along the lanes, pixels broadcast.

It wastes nothing between lines, and strides cost it nothing; but its results are transposed on
their way to channels-first arrays, and channels that fill no vector are computed in vain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, prod
from typing import NamedTuple

from fastconv.cpu.cuts import ceil_div
from fastconv.cpu.implicit_gemm.blocking import (
    Extent,
    imbalance,
    second_level_bytes,
    stream_bytes,
)
from fastconv.cpu.isa import core

# Cycles: of a vector and a line of the box, of a tile, and of a vector of channels of its pixels
# that is transposed and put down side by side, in every second place, or elsewhere; that lies as
# the target has it.
_COPY, _LINE, _TILE = 5.0, 15.0, 40.0
_STORE, _STORE_SECOND, _STORE_APART, _STORE_AS_IT_IS = 60.0, 120.0, 300.0, 20.0
# One vector of channels alone loads as much as it multiplies.
_ALONE = 1.35
_WEIGHT_BYTES = 16.0
# Results larger than the caches, put down in pieces of lines, take so many cycles a byte.
_SPILL = 0.55
# Vectors of channels of a tile.
_VECTORS = 2


class Unit(NamedTuple):
    """Lines of all phases, items of a line, vectors of target channels."""

    lines: int
    items: int
    blocks: int


def choose(phases: Sequence[Extent], budget: int) -> tuple[Unit, float, int]:
    """Return the unit that takes the fewest cycles, these, and the bytes of a thread.

    Cycles are infinite where nothing fits.
    """
    best = (inf, Unit(1, 1, _VECTORS), 0)
    for unit in _units(phases):
        taken = _box_bytes(phases, unit)
        if taken <= min(budget, second_level_bytes() // 2):
            cycles = _cycles(phases, unit)
            if cycles < best[0]:
                best = cycles, unit, taken
    return best[1], best[0], best[2]


def _out(phases: Sequence[Extent], axis: int) -> int:
    return max(e.out[axis] for e in phases)


def _units(phases: Sequence[Extent]) -> Iterator[Unit]:
    lines, items = _out(phases, 1), _out(phases, 2)
    vectors = ceil_div(phases[0].channels, phases[0].lanes)
    shares = {ceil_div(ceil_div(vectors, parts), _VECTORS) * _VECTORS for parts in (1, 2, 4, 8)}
    for blocks in sorted(shares):
        for parts in range(1, lines + 1):
            if parts <= 8 or parts == lines:
                yield Unit(ceil_div(lines, parts), items, blocks)
        for parts in (2, 4, 8, 16, 32, 64, 128):
            if parts < items:
                yield Unit(1, ceil_div(items, parts), blocks)


def _box(phases: Sequence[Extent], unit: Unit) -> list[int]:
    """Return the extents of a unit's box of the source: conv_box's."""
    extents = []
    for axis, outputs in enumerate((1, unit.lines, unit.items)):
        low = min(-e.before[axis] for e in phases)
        high = max((e.kernel[axis] - 1) * e.dilation[axis] - e.before[axis] for e in phases)
        step = phases[0].stride[axis] if high > low else 1
        extents.append((outputs - 1) * step + high - low + 1)
    return extents


def _box_bytes(phases: Sequence[Extent], unit: Unit) -> int:
    e, pixels = phases[0], prod(_box(phases, unit))
    if e.source_turned:  # whole pixels, an odd number of vectors
        return pixels * (ceil_div(e.inner, e.lanes) | 1) * e.lanes * e.size + 1024
    return e.inner * (pixels * e.size + 64) + 1024


def _tile(pixels: int, vectors: int) -> float:
    """Return the cycles of a row of the reduction."""
    if vectors == 1:
        return max(pixels / 2 * _ALONE, 4.0)
    return max(pixels * vectors / 2, (pixels + vectors) / 2, 4.0)


def _tiles(lines: int, items: int, most: int) -> Iterator[tuple[int, int, int]]:
    """Yield how many tiles there are of so many pixels, in one piece or two."""
    if 2 * items <= most and lines > 1:
        yield lines // 2, 2 * items, 2
        lines %= 2
    pieces = ceil_div(items, most)
    narrow, wider = items // pieces, items % pieces
    yield lines * (pieces - wider), narrow, 1
    yield lines * wider, narrow + 1, 1


def _cycles(phases: Sequence[Extent], unit: Unit) -> float:
    e = phases[0]
    vectors = ceil_div(e.channels, e.lanes)
    parts = ceil_div(vectors, unit.blocks)
    down, across = ceil_div(_out(phases, 1), unit.lines), ceil_div(_out(phases, 2), unit.items)
    units = e.batch * e.groups * _out(phases, 0) * down * across
    planes, lines, items = _box(phases, unit)
    spread = 2 if e.stride[2] > 1 and _box(phases, Unit(1, 2, 1))[2] == 2 else 1
    copied = e.inner * planes * lines * (_LINE + _COPY * spread * items / e.lanes)
    products = sum(_phase(p, unit, vectors) for p in phases)
    outputs = e.groups * e.batch * e.channels * sum(prod(p.out) for p in phases)
    written = outputs * (e.target_bytes or e.size)
    if written > stream_bytes():
        products = max(products, _SPILL * written / units)
    return units * (products + parts * copied) * imbalance(e, units * parts)


def _phase(e: Extent, unit: Unit, vectors: int) -> float:
    """Return the average cycles that a unit spends on a phase, copies left out."""
    assert core is not None
    depth = e.inner * prod(e.kernel)
    store = {1: _STORE, 2: _STORE_SECOND}.get(e.steps, _STORE_APART)
    store = _STORE_AS_IT_IS if e.target_turned else store
    pairs, single = vectors // _VECTORS, vectors % _VECTORS
    total = 0.0
    lines, items = min(unit.lines, e.out[1]), min(unit.items, e.out[2])
    for count, pixels, pieces in _tiles(lines, items, core.tile_pixels()):
        for heights, wide in ((pairs, _VECTORS), (single, 1)):
            end = _TILE + wide * pieces * ceil_div(pixels, e.lanes) * store
            total += count * heights * (depth * _tile(pixels, wide) + end)
    weight = e.groups * e.channels * depth * e.size
    fetch = e.channels * depth * e.size / _WEIGHT_BYTES if weight > second_level_bytes() // 2 else 0
    return max(total, fetch)
