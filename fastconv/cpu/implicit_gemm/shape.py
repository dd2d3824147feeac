"""The extents of a packed product, and the panels that it is cut into."""

from __future__ import annotations

from dataclasses import dataclass

from fastconv.cpu.isa import core
from fastconv.cpu.plans import itemsize

# A panel and its sums stay in the second-level cache, beside the weight passing through.
PANEL_BYTES = 384 * 2**10
DEPTH = 256


@dataclass(frozen=True, slots=True)
class Shape:
    """A product per group: weight (channels, rows) times columns (rows, positions).

    `filled` is channels rounded up to whole tiles; a panel has `depth` rows and `width`
    positions, or all positions of several `images`.
    """

    groups: int
    channels: int
    rows: int
    filled: int
    images: int
    width: int
    depth: int

    def packed_bytes(self, size: int) -> int:
        """Return the bytes of the packed weight."""
        return self.groups * self.filled * self.rows * size

    def panel_bytes(self, size: int) -> int:
        """Return the bytes of one thread's panel and sums."""
        return (self.depth + self.filled) * self.width * size


def round_up(number: int, step: int) -> int:
    """Return the least multiple of `step` that isn't below `number`."""
    return -(-number // step) * step


def even_width(extent: int, widest: int, step: int) -> int:
    """Return the width of equal panels over an extent, whole steps, `widest` if that is one.

    A narrow last panel would do less work for as many loads.
    """
    steps = -(-extent // step)
    panels = -(-steps // max(1, min(widest // step, steps)))
    return -(-steps // panels) * step


def choose_shape(
    groups: int, channels: int, rows: int, positions: int, images: int, dtype: str, budget: int
) -> Shape:
    """Return the panels of a product; as wide as the cache and a thread's budget allow."""
    assert core is not None
    tile_rows, tile_columns = core.gemm_tile(dtype)
    filled = round_up(channels, tile_rows)
    depth = min(rows, DEPTH)
    widest = min(PANEL_BYTES, budget) // ((depth + filled) * itemsize(dtype))
    widest = widest // tile_columns * tile_columns
    if widest >= 2 * positions:
        images = min(images, widest // positions)
        width = round_up(images * positions, tile_columns)
    else:
        images, width = 1, even_width(positions, widest, tile_columns)
    return Shape(groups, channels, rows, filled, images, width, depth)
