"""The weight gradient by Hopper's own instructions: products of boxes of pixels, turned around."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, GemmProblem, Problem
from fastconv_cuda.arithmetic import MMA, WGMMA, Product
from fastconv_cuda.boxes import (
    ROWS,
    Array,
    View,
    axes_of,
    flattened,
    forward_view,
    image_of,
    row_bytes_of,
)
from fastconv_cuda.candidate import alignments, refused, total_bytes
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import typed
from fastconv_cuda.geometry import Geometry, geometry_of
from fastconv_cuda.params import WEIGHT_BOXES, conv_params
from fastconv_cuda.plan import Launch, LaunchPlan, Scratch, TensorMaps, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.tensor_maps import SIZES, TensorMap
from fastconv_cuda.tiles import Tile
from fastconv_cuda.units import Unit
from fastconv_cuda.weight_gemm import WeightGemm
from fastconv_cuda.wgmma import ALIGNMENT, ROW_BYTES, THREADS, TILES, blocks_each, stages

TYPES = ("float16", "bfloat16")
# Pixels of a box, and channels of y in each of its boxes.
PIXELS = 64
_Y_ACROSS = 64
# Layers of 64 channels are common: a tile of 64 rows lets both groups of warps have half of it.
WEIGHT_TILES = (*TILES, Tile(64, 256, 0, 0.85), Tile(64, 128, 0, 0.65))
# Boxes that make a part worth its sums' way to memory and back.
_LEAST_BOXES = 8
_OTHER = WeightGemm(MMA)


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
        card.processors * _blocks_each(tile) // tiles,
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
    y_map, reason = image_of(y, pixels, (_Y_ACROSS, PIXELS))
    return (None, f"y: {reason}") if y_map is None else ((x_map, y_map), "")


def _blocks_each(tile: Tile) -> int:
    return blocks_each(tile.columns) if tile.rows == ROWS else 1


def _stages(tile: Tile) -> int:
    # 64 pixels of 2-byte channels are what rows of 128 bytes are in the other kernel.
    return stages(tile.columns, 128, _blocks_each(tile))


def unit_for(dtype: str, tile: Tile, row_bytes: int) -> Unit:
    """Return wgmma_weight for a tile."""
    numbers = {
        "FC_ROWS": tile.rows,
        "FC_COLUMNS": tile.columns,
        "FC_ROW_BYTES": row_bytes,
        "FC_STAGES": _stages(tile),
        "FC_BLOCKS": _blocks_each(tile),
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


class WgmmaWeight:
    """The weight gradient of arrays whose channels lie side by side."""

    name = "implicit_gemm_wgmma"
    operations = ("conv_weight_grad", "linear_weight_grad")

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept 16-bit floats that boxes can be made of, and that others take where they must."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        kind, reason = WGMMA.choose(problem, policy, card)
        if reason:
            return refused(self.name, reason)
        if problem.dtype not in TYPES:
            return refused(self.name, "its instructions turn 16-bit operands around alone")
        if kind.by_copy(problem):
            return refused(self.name, f"it copies nothing, and rounds no operands to {kind.factor}")
        other = _OTHER.decide(problem, policy, card)
        if not other.can:
            return refused(self.name, other.reason)
        geometry = flattened(geometry_of(problem))
        maps, reason = maps_of(geometry, problem.dtype, _Y_ACROSS)
        if maps is None:
            return refused(self.name, reason)
        cut = cut_for(geometry, problem.dtype, card, policy.workspace_limit)
        elements = cut.row_tiles * cut.tile.rows * cut.column_tiles * cut.tile.columns
        whole = elements / (geometry.k * geometry.c * geometry.taps)
        moved = total_bytes(problem) + 2 * cut.bytes
        share = WGMMA.share * cut.tile.rate
        return Decision(
            True,
            f"tiles of {cut.tile.rows} x {cut.tile.columns}, pixels in {cut.splits} parts",
            self.name,
            kind.precision,
            kind.bound(problem),
            seconds(card, problem.flops * whole, kind.rate, share, moved),
            max(cut.bytes, other.workspace_bytes),
            device=card.device,
            detail=(cut, other),
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run; arrays that start elsewhere than at 16 bytes go another way."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        assert isinstance(decision.detail, tuple)
        cut, other = decision.detail
        otherwise = _OTHER.plan(problem, other, device)
        assert isinstance(otherwise, LaunchPlan)
        geometry = flattened(geometry_of(problem))
        params = _params(geometry, cut)
        count = geometry.groups * geometry.k * geometry.c * geometry.taps
        unit = typed("reduce_weight.cu", problem.dtype)
        add = over_elements(unit, "reduce_weight", count, (Scratch(0), 2), params["sum"].copy())
        multiply = _launch(problem, geometry, cut, params, device.card)
        aligned = (16, 16, alignments(problem)[2])
        return LaunchPlan(device, (multiply, add), aligned, decision.workspace_bytes, otherwise)


def _params(geometry: Geometry, cut: Cut) -> Any:
    params = np.zeros(1, WEIGHT_BOXES)
    p = params[0]
    p["sum"]["conv"] = conv_params(geometry)[0]
    p["sum"]["splits"], p["sum"]["part"] = cut.splits, cut.part
    p["sum"]["c"], p["sum"]["k"] = geometry.c, geometry.k
    p["axes"], p["chunks"] = axes_of(geometry), cut.chunks
    p["row_tiles"], p["column_tiles"] = cut.row_tiles, cut.column_tiles
    return params


def _launch(problem: Product, geometry: Geometry, cut: Cut, params: Any, card: Card) -> Launch:
    maps, reason = maps_of(geometry, problem.dtype, cut.across)
    assert maps is not None, reason
    tile = cut.tile
    tiles = cut.row_tiles * cut.column_tiles * geometry.groups * cut.splits
    return Launch(
        unit_for(problem.dtype, tile, cut.across * SIZES[problem.dtype]),
        "wgmma_weight",
        (min(tiles, card.processors * _blocks_each(tile)), 1, 1),
        (THREADS, 1, 1),
        (Scratch(0),),
        (params,),
        ALIGNMENT + _stages(tile) * ((tile.rows + tile.columns) * 128 + 16),
        TensorMaps([(0, maps[0]), (1, maps[1])]),
    )


WGMMA_WEIGHT = WgmmaWeight()
