"""How a pointwise convolution is cut: panels and channels of a unit, channels at a time.

It follows from the shape and the caches, never from the number of threads. No choice changes a
sum's order, hence no bit of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from fastconv.cpu.implicit_gemm.blocking import second_level_bytes, tile_cycles, tile_rows
from fastconv.cpu.isa import core


class Pieces(NamedTuple):
    """Images in a line; a unit's panels and blocks; source channels at a time."""

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
    options = {1, s.batch}
    images, cycles = min(((n, _cycles(s, n)) for n in options), key=lambda option: option[1])
    rows, vectors = _tile(s)
    panel = vectors * s.lanes * s.size
    import os
    KC=int(os.environ.get("PW_KC","2048")); G=int(os.environ.get("PW_G","1")); UN=int(os.environ.get("PW_U","32"))
    depth = ceil(s.inner / ceil(s.inner / KC))
    line = ceil(images * s.positions / s.lanes)
    across = ceil(line / vectors)
    panels = 1
    if depth * panel > 32 * 2**10:
        panels = max(1, min(across, second_level_bytes() // 2 // (depth * panel)))
    if G: panels=G
    heights = ceil(s.channels / rows)
    sets = ceil(s.batch / images) * s.groups * ceil(across / panels)
    parts = min(heights, max(1, ceil(UN / sets)))
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
    # Panels that do not end with a vector, or lie in two images, are put down by way of a copy.
    broken = across if s.positions % s.lanes else 0
    stores = across * 40.0 + vectors * rows * 2.0 + broken * rows * 8.0
    packing = s.inner * (vectors * 3.0 + broken * 4.0)
    line = heights * (tile * s.inner + stores) + packing
    weight = 0.5 * s.channels * s.inner
    return s.groups * (ceil(s.batch / images) * line + weight)
