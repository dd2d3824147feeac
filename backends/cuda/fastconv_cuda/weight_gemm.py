"""The weight gradient as a product over pixels, in parts that are added up in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, GemmProblem, Problem
from fastconv_cuda.arithmetic import FMA, MMA, Math
from fastconv_cuda.candidate import alignments, itemsize, refused, total_bytes
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import typed
from fastconv_cuda.geometry import Geometry, geometry_of
from fastconv_cuda.implicit_gemm import MOST_BLOCKS, why_too_large
from fastconv_cuda.params import WEIGHT_SUM, conv_params
from fastconv_cuda.plan import Launch, LaunchPlan, Scratch, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.tiles import (
    Tile,
    depth,
    tile_for,
    weight_last_unit,
    weight_tiles_of,
    weight_unit,
)
from fastconv_cuda.units import Unit

# Blocks that a processor should have to choose from, and tiles that make a block worth starting.
_BLOCKS_EACH = 2
_LEAST_TILES = 8
# What ldmatrix can turn around: 2-byte elements.
TURNED = ("float16", "bfloat16")
# Both operands are gathered element by element.
_SHARE = 0.4


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


class WeightGemm:
    """The weight gradient, by one way of multiplying tiles."""

    operations = ("conv_weight_grad", "linear_weight_grad")

    def __init__(self, math: Math) -> None:
        self.name = f"implicit_gemm_{math.name}"
        self._math = math

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what its arithmetic serves, with as many parts as the workspace holds."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        kind, reason = self._math.choose(problem, policy, card)
        if reason:
            return refused(self.name, reason)
        geometry = geometry_of(problem)
        reason = why_too_large(geometry.k, geometry.c * geometry.taps, geometry.groups)
        if reason:
            return refused(self.name, reason)
        split = split_for(geometry, problem.dtype, kind.math, card, policy.workspace_limit)
        moved = total_bytes(problem) + 2 * split.bytes
        share = self._math.share * _SHARE
        return Decision(
            True,
            f"tiles of {split.tile.rows} x {split.tile.columns}, pixels in {split.splits} parts",
            self.name,
            kind.precision,
            kind.bound(problem),
            seconds(card, problem.flops, kind.rate, share, moved),
            split.bytes,
            device=card.device,
            detail=(kind.math, split),
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        assert isinstance(decision.detail, tuple)
        math, split = decision.detail
        geometry = geometry_of(problem)
        params = _params(geometry, split)
        rows, columns = geometry.k, geometry.c * geometry.taps
        tile = split.tile
        add = over_elements(
            typed("reduce_weight.cu", problem.dtype),
            "reduce_weight",
            geometry.groups * rows * columns,
            (Scratch(0), 2),
            params,
        )
        grid = (-(-rows // tile.rows), -(-columns // tile.columns), split.splits * geometry.groups)
        block = (tile.threads(math), 1, 1)

        def launch(unit: Unit, kernel: str, stages: int) -> Launch:
            shared = stages * tile.stage_bytes
            return Launch(unit, kernel, grid, block, (0, 1, Scratch(0)), (params,), shared)

        plain = launch(weight_unit(tile, problem.dtype, math), "weight_gemm", 2)
        aligned = alignments(problem)
        plan = LaunchPlan(device, (plain, add), aligned, split.bytes)
        if math not in TURNED or not _channels_last(geometry):
            return plan
        last = launch(weight_last_unit(tile, problem.dtype, math), "weight_gemm_last", tile.stages)
        return LaunchPlan(device, (last, add), (16, 16, aligned[2]), split.bytes, plan)


def _channels_last(geometry: Geometry) -> bool:
    """Whether both operands' channels are whole 16-byte chunks of 2-byte elements."""
    g = geometry
    x = (g.x, (g.batch, *(axis.extent for axis in g.axes)))
    y = (g.y, (g.batch, *(axis.out for axis in g.axes)))
    return (
        g.c % 8 == g.k % 8 == 0
        and g.x[1] == g.y[1] == 2
        and all(
            stride % 16 == 0
            for strides, extents in (x, y)
            for stride, extent in zip((strides[0], *strides[2:]), extents, strict=True)
            if extent > 1
        )
    )


def _params(geometry: Geometry, split: Split) -> Any:
    params = np.zeros(1, WEIGHT_SUM)
    params[0]["conv"] = conv_params(geometry)[0]
    params[0]["splits"], params[0]["part"] = split.splits, split.part
    return params


WEIGHT_GEMMS = (WeightGemm(MMA), WeightGemm(FMA))
