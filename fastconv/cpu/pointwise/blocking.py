"""How a pointwise convolution is cut: panels and channels of a unit, channels at a time.

It follows from the shape and the caches, never from the number of threads. No choice changes a
sum's order, hence no bit of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from fastconv.cpu.cuts import even
from fastconv.cpu.implicit_gemm.blocking import second_level_bytes, tile_cycles, tile_rows
from fastconv.cpu.isa import core

# Enough for a few threads each; units that share a panel take a copy of it for each thread.
_UNITS = 32
# Panels of few source channels are taken together, so that results are written in longer lines.
_PANEL_BYTES = 24 * 2**10
_MOST_PANELS = 16


class Pieces(NamedTuple):
    """Images whose positions are one line; a unit's panels, blocks; source channels at a time."""

    images: int
    panels: int
    blocks: int
    depth: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A product's shape; inner and channels are a group's."""

    batch: int
    positions: int
    groups: int
    inner: int
    channels: int
    size: int
    lanes: int


def choose(s: Shape) -> tuple[Pieces, float]:
    """Return how to cut a product, and the cycles that one thread will take."""
    options = ((images, _cycles(s, images)) for images in sorted({1, s.batch}))
    images, cycles = min(options, key=lambda option: option[1])
    rows, vectors = _tile(s)
    depth = even(s.inner, max(1, second_level_bytes() // 2 // (vectors * s.lanes * s.size)))
    heights = ceil(s.channels / rows)
    across = ceil(ceil(images * s.positions / s.lanes) / vectors)
    lines = ceil(s.batch / images) * s.groups
    panels = min(_MOST_PANELS, _PANEL_BYTES // (depth * vectors * s.lanes * s.size))
    panels = max(1, min(panels, lines * across // _UNITS))
    units = lines * ceil(across / panels)
    parts = min(heights, ceil(_UNITS / units))
    return Pieces(images, panels, ceil(heights / parts), depth), cycles


def _tile(s: Shape) -> tuple[int, int]:
    assert core is not None
    rows = tile_rows(s.channels)
    return rows, int(core.tile_vectors(rows))


def _cycles(s: Shape, images: int) -> float:
    """Return the model's cycles of one thread."""
    rows, most = _tile(s)
    vectors = ceil(images * s.positions / s.lanes)
    across = ceil(vectors / most)
    narrow, wider = vectors // across, vectors % across
    tile = (across - wider) * tile_cycles(rows, narrow) + wider * tile_cycles(rows, narrow + 1)
    heights = ceil(s.channels / rows)
    # Panels that do not end with a vector, or lie in several images, are put down by way of a copy.
    broken = across + images if s.positions % s.lanes else 0
    stores = across * 40.0 + vectors * rows * 2.0 + broken * rows * 8.0
    packing = s.inner * (vectors * 3.0 + broken * 5.0)
    line = heights * (tile * s.inner + stores) + packing
    weight = 0.5 * s.channels * s.inner
    return s.groups * (ceil(s.batch / images) * line + weight)
