"""The extents of a packed product, and the panels that it is cut into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

from fastconv.cpu.isa import core
from fastconv.cpu.plans import itemsize
from fastconv.problem import Ints

# A panel and its sums stay in the second-level cache, beside the weight passing through.
PANEL_BYTES = 384 * 2**10
DEPTH = 256
BAND_BYTES = 512 * 2**10
# How much longer a padded line may be than what is kept of it.
MOST_WASTE = 1.35
PIECES = 8


class Way(NamedTuple):
    """How a product's columns come about: a kernel's way over an image."""

    kernel: Ints
    stride: Ints
    dilation: Ints
    out: Ints


@dataclass(frozen=True, slots=True)
class Shape:
    """A product per group: weight (channels, rows) times columns (rows, positions).

    `filled` is channels rounded up to whole tiles; a panel has `depth` rows and `width`
    positions, or all positions of several `images`. With a `band`, columns are not made: so
    many lines of the output are computed from padded lines of the input, in `band_items` items.
    """

    groups: int
    channels: int
    rows: int
    filled: int
    images: int
    width: int
    depth: int
    band: int = 0
    band_items: int = 0

    def packed_bytes(self, size: int) -> int:
        """Return the bytes of the packed weight."""
        return self.groups * self.filled * self.rows * size

    def panel_bytes(self, size: int) -> int:
        """Return the bytes of one thread's panel or band, and sums."""
        if self.band:
            return self.band_items * size
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


def with_band(
    shape: Shape, geometry: Any, channels_in: int, way: Way, batch: int, dtype: str, budget: int
) -> Shape:
    """Return a shape that takes bands of lines, where that is possible and pays.

    It needs two spatial axes and stride 1, several taps, and lines that are long beside the
    kernel: what falls between two lines of the output is computed in vain.
    """
    assert core is not None
    if len(way.out) != 2 or set(way.stride) != {1} or prod(way.kernel) == 1:
        return shape
    lines, length = way.out
    reach = [(k - 1) * d for k, d in zip(way.kernel, way.dilation, strict=True)]
    if length + reach[1] > MOST_WASTE * length:
        return shape

    def items(band: int) -> int:
        return int(core.band_items(geometry, channels_in, shape.channels, band, dtype))

    limit = min(BAND_BYTES, budget) // itemsize(dtype)
    first = items(1)
    if first > limit:
        return shape
    widest = min(lines, 1 + (limit - first) // max(items(2) - first, 1))
    # Enough bands to share among threads, whatever their number.
    widest = max(1, min(widest, lines * batch * shape.groups // PIECES))
    if widest < min(lines, reach[0]) or items(widest) > limit:
        return shape
    band = -(-lines // -(-lines // widest))
    return replace(shape, images=1, band=band, band_items=items(band))
