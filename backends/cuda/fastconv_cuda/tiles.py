"""Tiles of the matrix kernels: their sizes, and which one suits a product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastconv_cuda.candidate import itemsize
from fastconv_cuda.device import Card
from fastconv_cuda.units import Unit

ROW_BYTES = 64
CHUNK_BYTES = 16


@dataclass(frozen=True, slots=True)
class Tile:
    """A block's part of a product.

    Attributes
    ----------
    rows, columns : int
        Of the result.
    stages : int
        Tiles of operands that are under way at once.
    rate : float
        How well its arithmetic hides its loads, beside that of the others.
    """

    rows: int
    columns: int
    stages: int
    rate: float

    @property
    def stage_bytes(self) -> int:
        """Shared memory of one tile of both operands."""
        return (self.rows + self.columns) * ROW_BYTES

    def threads(self, math: str) -> int:
        """Return the threads of a block; math_fma.cuh and math_mma.cuh say the same."""
        if math == "fma":
            return self.rows // 32 * 2 * 32
        return 2 * (self.columns // 32) * 32


# No more than 48 KiB of stages each, which every card grants without being asked.
TILES = (Tile(128, 128, 3, 1.0), Tile(128, 64, 4, 0.85), Tile(64, 64, 4, 0.65))


def tiles_of(dtype: str) -> tuple[Tile, ...]:
    """Return the tiles for a dtype: sums in float64 of the largest would fill all registers."""
    return TILES[1:] if dtype == "float64" else TILES


def tile_for(
    card: Card, rows: int, columns: int, products: int, tiles: Sequence[Tile] = TILES
) -> Tile:
    """Return the tile that finishes `products` products of that size first.

    Whole waves of blocks count: a tile that fits badly, or leaves processors idle, loses.
    """

    def cost(tile: Tile) -> float:
        blocks = -(-rows // tile.rows) * -(-columns // tile.columns) * products
        waves = -(-blocks // card.processors)
        return waves * tile.rows * tile.columns / tile.rate

    return min(tiles, key=cost)


def chunk(dtype: str) -> int:
    """Return the elements of 16 bytes."""
    return CHUNK_BYTES // itemsize(dtype)


def depth(dtype: str) -> int:
    """Return the reduction's elements in one tile."""
    return ROW_BYTES // itemsize(dtype)


def gemm_unit(tile: Tile, dtype: str, math: str, vector: bool, result: str = "") -> Unit:
    """Return implicit_gemm for a tile; `vector` where 16 bytes of channels lie side by side.

    `result` is the type of bias and result, where it isn't that of the factors.
    """
    blocks = 3 if tile.rows == 64 else 2 if tile.threads(math) == 128 else 1
    extra = [("FC_VECTOR", "")] if vector else []
    if result not in ("", dtype):
        extra.append(("FC_RESULT", result))
    return _unit("implicit_gemm.cu", tile, dtype, math, tile.stages, blocks, *extra)


def weight_last_unit(tile: Tile, dtype: str, math: str) -> Unit:
    """Return weight_gemm_last for a tile."""
    blocks = 4 if tile.rows == 64 else 1
    return _unit("weight_gemm_last.cu", tile, dtype, math, tile.stages, blocks)


def integer_unit(tile: Tile, x: str, weight: str, y: str, vector: bool) -> Unit:
    """Return integer_gemm for a tile and the types of its arrays; real results are scaled."""
    more = [("FC_W", weight), ("FC_Y", y)]
    if vector:
        more.append(("FC_VECTOR", ""))
    if y.startswith(("float", "bfloat")):
        more.append(("FC_SCALED", ""))
    blocks = 1 if tile.rows > 64 else 3 if vector else 2
    return _unit("integer_gemm.cu", tile, x, "integer", tile.stages, blocks, *more)


def weight_unit(tile: Tile, dtype: str, math: str) -> Unit:
    """Return weight_gemm for a tile."""
    blocks = 3 if tile.rows == 64 else 2 if tile.columns == 64 else 1
    return _unit("weight_gemm.cu", tile, dtype, math, 2, blocks)


def _unit(
    file: str,
    tile: Tile,
    dtype: str,
    math: str,
    stages: int,
    blocks: int,
    *more: tuple[str, str],
) -> Unit:
    """Return a unit.

    `blocks` of them should fit a multiprocessor, which bounds a thread's registers: as many as
    the compiler manages without a spill, which a test watches.
    """
    if dtype == "float64":
        blocks = 1
    numbers = {
        "FC_ROWS": tile.rows,
        "FC_COLUMNS": tile.columns,
        "FC_STAGES": stages,
        "FC_BLOCKS": blocks,
    }
    words = (("FC_ELEMENT", dtype), ("FC_MATH", math))
    return Unit(file, (*words, *((name, str(n)) for name, n in numbers.items()), *more))


# 128 threads of the middle tile would hold too much each, beside x's sums.
INTEGER_TILES = (TILES[0], TILES[2])


def weight_tiles_of(dtype: str, math: str) -> tuple[Tile, ...]:
    """Return weight_gemm's tiles: 128 threads of the middle one would gather too much each."""
    return tiles_of(dtype) if math == "fma" else (TILES[0], TILES[2])
