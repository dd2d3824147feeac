"""How a weight gradient's sums over pixels are cut, and which operands are copied before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastconv_cuda.arithmetic import Kind, Product
from fastconv_cuda.candidate import itemsize
from fastconv_cuda.copies import ImageCopy, copy_of
from fastconv_cuda.device import Card
from fastconv_cuda.geometry import Geometry
from fastconv_cuda.shapes import MOST_BLOCKS
from fastconv_cuda.tiles import Tile, chunk, depth, tile_for, weight_tiles_of

# Blocks that a processor should have to choose from, and tiles that make a block worth starting.
_BLOCKS_EACH = 2
_LEAST_TILES = 8
# What weight_gemm_last is compiled for: (factor, math).
LAST = (
    ("float16", "float16"),
    ("bfloat16", "bfloat16"),
    ("float32", "tf32"),
    ("float32", "fma"),
    ("float64", "fma"),
)


@dataclass(frozen=True, slots=True)
class Split:
    """A sum over pixels cut into parts.

    Attributes
    ----------
    tile : Tile
        Of each block.
    splits, part : int
        How many parts, of how many pixels.
    bytes : int
        What the parts' sums take.
    """

    tile: Tile
    splits: int
    part: int
    bytes: int


def split_for(geometry: Geometry, dtype: str, math: str, card: Card, limit: int) -> Split:
    """Return how pixels are cut: into enough blocks for the card, within so many bytes."""
    rows, columns = geometry.k, geometry.c * geometry.taps
    tile = tile_for(card, rows, columns, geometry.groups, weight_tiles_of(dtype, math))
    blocks = -(-rows // tile.rows) * -(-columns // tile.columns) * geometry.groups
    pixels = geometry.batch * geometry.outputs
    step = depth(dtype)
    each = geometry.groups * rows * columns * max(itemsize(dtype), 4)
    most = min(
        _BLOCKS_EACH * card.processors // max(blocks, 1),
        pixels // (step * _LEAST_TILES),
        limit // max(each, 1),
        MOST_BLOCKS // max(geometry.groups, 1),
    )
    part = -(-pixels // max(most, 1))
    part = max(-(-part // step) * step, step)
    splits = max(-(-pixels // part), 1)
    return Split(tile, splits, part, splits * each)


def is_last(geometry: Geometry, name: str, dtype: str) -> bool:
    """Whether an operand's channels lie side by side in whole 16-byte chunks."""
    x = name == "x"
    strides = geometry.x if x else geometry.y
    extents = (geometry.batch, *(axis.extent if x else axis.out for axis in geometry.axes))
    others = zip((strides[0], *strides[2:]), extents, strict=True)
    return (
        (geometry.c if x else geometry.k) % chunk(dtype) == 0
        and strides[1] == itemsize(dtype)
        and all(stride % 16 == 0 for stride, extent in others if extent > 1)
    )


def copies_for(problem: Product, geometry: Geometry, kind: Kind) -> dict[str, ImageCopy]:
    """Return the copies that must be made before 16 bytes can be read at a time."""
    return {
        name: copy_of(geometry, name, problem.dtype, kind)
        for name in ("x", "y")
        if kind.by_copy(problem) or not is_last(geometry, name, problem.dtype)
    }


def last_geometry(geometry: Geometry, kind: Kind, copies: Mapping[str, ImageCopy]) -> Geometry:
    """Return the geometry that copies make: their strides, and channels to whole chunks."""
    whole = chunk(kind.factor)
    changes: dict[str, Any] = {name: copy.steps for name, copy in copies.items()}
    return replace(
        geometry,
        c=-(-geometry.c // whole) * whole,
        k=-(-geometry.k // whole) * whole,
        **changes,
    )
