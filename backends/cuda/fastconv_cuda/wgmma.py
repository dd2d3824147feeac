"""What launches of Hopper's own matrix kernels have in common: tiles, memory, grids and maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastconv_cuda.arithmetic import CONVERTED
from fastconv_cuda.boxes import MOST_PHASES, ROWS, Boxes
from fastconv_cuda.device import Card, Grid
from fastconv_cuda.params import BOXES
from fastconv_cuda.plan import Launch, Place, TensorMaps
from fastconv_cuda.shapes import Shape
from fastconv_cuda.tiles import Tile, tile_for
from fastconv_cuda.units import Unit

THREADS = 384
# A block may have 227 KiB, of which results and barriers want some.
_RING_BYTES = 192 * 1024
_MOST_STAGES = 8
_RESULT_BYTES = 8 * 16 * (40 * 4 + 8)
ALIGNMENT = 1024
# Operands are copied by a unit of its own, so that only narrow tiles wait for them.
TILES = (Tile(ROWS, 256, 0, 1.0), Tile(ROWS, 128, 0, 0.9), Tile(ROWS, 64, 0, 0.65))
MATHS = {"float16": "float16", "bfloat16": "bfloat16", "tf32": "float32"}
ROW_BYTES = (128, 64, 32)


def blocks_each(columns: int) -> int:
    """Return how many blocks share a multiprocessor: one's stores hide behind the other's work."""
    return 2 if columns == 64 else 1


def stages(columns: int, row_bytes: int, blocks: int) -> int:
    """Return how many steps may be under way, where so many blocks share a multiprocessor."""
    # Two blocks have their results' room each.
    room = _RING_BYTES // blocks - (blocks - 1) * 16 * 1024
    return min(room // ((ROWS + columns) * row_bytes), _MOST_STAGES)


def shared_bytes(columns: int, row_bytes: int, blocks: int) -> int:
    """Return the shared memory of a block."""
    count = stages(columns, row_bytes, blocks)
    return ALIGNMENT + count * ((ROWS + columns) * row_bytes + 16) + _RESULT_BYTES


def unit_for(math: str, columns: int, row_bytes: int, result: str = "") -> Unit:
    """Return wgmma_gemm for a tile; `result` is the type of bias and result, if another."""
    numbers = {
        "FC_COLUMNS": columns,
        "FC_ROW_BYTES": row_bytes,
        "FC_STAGES": stages(columns, row_bytes, blocks_each(columns)),
        "FC_BLOCKS": blocks_each(columns),
    }
    words = [("FC_ELEMENT", MATHS[math]), ("FC_MATH", math)]
    words += [(name, str(n)) for name, n in numbers.items()]
    if result not in ("", MATHS[math]):
        words.append(("FC_RESULT", result))
    return Unit("wgmma_gemm.cu", tuple(words))


def every_unit() -> Iterator[tuple[str, Unit]]:
    """Yield all units by what they are for."""
    results = [(dtype, math) for math, dtype in MATHS.items()]
    results += [(result, math) for result, _, math in CONVERTED if math in MATHS]
    for result, math in results:
        for tile in TILES:
            for row_bytes in ROW_BYTES:
                key = f"{result},{math},{tile.columns},{row_bytes}"
                yield key, unit_for(math, tile.columns, row_bytes, result)


def tile_of(shape: Shape, card: Card) -> Tile:
    """Return the tile for a product on a card."""
    return tile_for(card, shape.rows, shape.columns, shape.products, TILES)


def waste_of(boxes: Boxes, tile: Tile) -> float:
    """Return how many products are made for each that is wanted."""
    shape, waste = boxes.shape, 1.0
    for extent, whole in (
        (shape.rows, tile.rows),
        (shape.columns, tile.columns),
        (shape.channels, boxes.depth),
    ):
        waste *= -(-extent // whole) * whole / extent
    return waste


def is_wide(shape: Shape, size: int) -> bool:
    """Whether each pixel of the result has its channels in whole chunks of 16 bytes."""
    g = shape.geometry
    strides = g.x if shape.input_grad else g.y
    extents = (g.batch, *((a.extent if shape.input_grad else a.out) for a in g.axes))
    others = (strides[0], *strides[2:])
    return (
        shape.columns * size % 16 == 0
        and strides[1] == size
        and all(s % 16 == 0 for s, n in zip(others, extents, strict=True) if n > 1)
    )


def box_params(boxes: Boxes, tile: Tile, wide: bool) -> Any:
    """Return a Boxes of one element, the kernels' word for it."""
    shape = boxes.shape
    params: Any = np.zeros(1, BOXES)
    p = params[0]
    p["gather"] = shape.params()[0]
    p["axes"], p["wide"] = boxes.axes, wide
    p["row_tiles"] = -(-shape.rows // tile.rows)
    p["column_tiles"] = -(-shape.columns // tile.columns)
    return params


def grid_of(boxes: Boxes, tile: Tile, blocks: int) -> Grid:
    """Return as many blocks as a card holds at once, and no more than there are tiles."""
    shape = boxes.shape
    tiles = -(-shape.rows // tile.rows) * -(-shape.columns // tile.columns) * shape.products
    return (min(tiles, blocks), 1, 1)


def maps_of(boxes: Boxes, tile: Tile, image: Place, packed: Place) -> TensorMaps:
    """Return the maps of the packed weight and of what is gathered, wherever they lie."""
    images = [(image, wanted) for wanted in boxes.images]
    images += [(image, None)] * (MOST_PHASES - len(images))
    return TensorMaps([(packed, boxes.weight(tile.columns)), *images])


def launch_of(
    boxes: Boxes,
    tile: Tile,
    card: Card,
    arrays: tuple[Place, Place],
    wide: bool,
    maps: TensorMaps,
    result: str = "",
) -> Launch:
    """Return the launch of a product; `arrays` are the bias and the result, of type `result`."""
    blocks = blocks_each(tile.columns)
    return Launch(
        unit_for(boxes.dtype, tile.columns, boxes.row_bytes, result),
        "wgmma_gemm",
        grid_of(boxes, tile, card.processors * blocks),
        (THREADS, 1, 1),
        arrays,
        (box_params(boxes, tile, wide),),
        shared_bytes(tile.columns, boxes.row_bytes, blocks),
        maps,
    )
