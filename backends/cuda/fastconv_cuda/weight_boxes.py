"""How Hopper's weight gradient is cut into tiles and parts, and its operands into boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from fastconv_cuda.boxes import (
    ROWS,
    Array,
    View,
    axes_of,
    forward_view,
    image_of,
    row_bytes_of,
)
from fastconv_cuda.device import Card
from fastconv_cuda.geometry import Geometry
from fastconv_cuda.tensor_maps import SIZES, TensorMap
from fastconv_cuda.tiles import Tile
from fastconv_cuda.units import Unit
from fastconv_cuda.wgmma import ALIGNMENT, ROW_BYTES, TILES, blocks_each, stages

TYPES = ("float16", "bfloat16")
# Pixels of a box, and channels of y in each of its boxes.
PIXELS = 64
Y_ACROSS = 64
# Layers of 64 channels are common: a tile of 64 rows lets both groups of warps have half of it.
WEIGHT_TILES = (*TILES, Tile(64, 256, 0, 0.85), Tile(64, 128, 0, 0.65))
# Where each of a tile's boxes reads, of which the narrowest has 16 channels.
_SOURCE_BYTES = 256 // 16 * 16
# Boxes that make a part worth its sums' way to memory and back.
_LEAST_BOXES = 8


@dataclass(frozen=True, slots=True)
class Cut:
    """How a sum over pixels is divided.

    Attributes
    ----------
    tile : Tile
        Of each block.
    across : int
        Channels of x in a box.
    row_tiles, column_tiles, chunks : int
        Tiles of the result, and boxes that a tap's channels take.
    splits, part : int
        Parts, and pixels in each: whole boxes.
    bytes : int
        What the parts' sums take.
    """

    tile: Tile
    across: int
    row_tiles: int
    column_tiles: int
    chunks: int
    splits: int
    part: int
    bytes: int


def cut_for(geometry: Geometry, dtype: str, card: Card, limit: int) -> Cut:
    """Return the tile that wastes least, and as many parts as keep the card busy."""
    g, size = geometry, SIZES[dtype]
    across = min((cost, -row) for cost, row in row_bytes_of(g.c, size))[1] // -size
    chunks = -(-g.c // across)
    boxes = chunks * g.taps

    def counts(tile: Tile) -> tuple[int, int]:
        return -(-g.k // tile.rows), -(-boxes * across // tile.columns)

    def work(tile: Tile) -> float:
        return prod(counts(tile)) * tile.rows * tile.columns / tile.rate

    tile = min(WEIGHT_TILES, key=work)
    row_tiles, column_tiles = counts(tile)
    tiles = row_tiles * column_tiles * g.groups
    pixels = g.batch * g.outputs
    each = g.groups * g.k * g.c * g.taps * 4
    most = min(
        card.processors * blocks_of(tile) // tiles,
        pixels // (PIXELS * _LEAST_BOXES),
        limit // each,
    )
    part = -(-pixels // max(most, 1))
    part = -(-part // PIXELS) * PIXELS
    splits = -(-pixels // part)
    return Cut(tile, across, row_tiles, column_tiles, chunks, splits, part, splits * each)


def maps_of(
    geometry: Geometry, dtype: str, across: int
) -> tuple[tuple[TensorMap, TensorMap] | None, str]:
    """Return the maps of x and of y; without them why there are none."""
    g, axes = geometry, axes_of(geometry)
    if 0 in (g.batch, g.groups, g.c, g.k, g.outputs, g.positions):
        return None, "there is nothing to multiply"
    if g.c % 2:
        return None, f"it writes two channels at a time, and groups have {g.c}"
    windows = tuple(map(forward_view, g.axes[3 - axes :]))
    pixels = tuple(View(a.out, 1, 0, 1, 1, a.out) for a in g.axes[3 - axes :])
    x = Array(dtype, g.groups * g.c, g.batch, g.x)
    y = Array(dtype, g.groups * g.k, g.batch, g.y)
    x_map, reason = image_of(x, windows, (across, PIXELS))
    if x_map is None:
        return None, f"x: {reason}"
    y_map, reason = image_of(y, pixels, (Y_ACROSS, PIXELS))
    return (None, f"y: {reason}") if y_map is None else ((x_map, y_map), "")


def blocks_of(tile: Tile) -> int:
    """Return how many blocks share a multiprocessor."""
    return blocks_each(tile.columns) if tile.rows == ROWS else 1


def _stages(tile: Tile) -> int:
    # 64 pixels of 2-byte channels are what rows of 128 bytes are in the other kernel.
    return stages(tile.columns, 128, blocks_of(tile))


def shared_of(tile: Tile) -> int:
    """Return the shared memory of a block."""
    return ALIGNMENT + _stages(tile) * ((tile.rows + tile.columns) * 128 + 16) + _SOURCE_BYTES


def unit_for(dtype: str, tile: Tile, row_bytes: int) -> Unit:
    """Return wgmma_weight for a tile."""
    numbers = {
        "FC_ROWS": tile.rows,
        "FC_COLUMNS": tile.columns,
        "FC_ROW_BYTES": row_bytes,
        "FC_STAGES": _stages(tile),
        "FC_BLOCKS": blocks_of(tile),
    }
    words = (("FC_ELEMENT", dtype), ("FC_MATH", dtype))
    return Unit("wgmma_weight.cu", (*words, *((name, str(n)) for name, n in numbers.items())))


def every_unit() -> Iterator[tuple[str, Unit]]:
    """Yield all units by what they are for."""
    for dtype in TYPES:
        for tile in WEIGHT_TILES:
            for row_bytes in ROW_BYTES:
                key = f"{dtype},{tile.rows}x{tile.columns},{row_bytes}"
                yield key, unit_for(dtype, tile, row_bytes)
