"""Convolution, forward and input gradient, as a product whose operand is gathered on the way."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, GemmProblem, IntegerConvProblem, Problem
from fastconv_cuda.arithmetic import FMA, MMA, Math
from fastconv_cuda.candidate import alignments, itemsize, refused, total_bytes
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import typed
from fastconv_cuda.geometry import Geometry, conv_geometry, geometry_of
from fastconv_cuda.params import GATHER, conv_params
from fastconv_cuda.plan import Launch, LaunchPlan, Scratch, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.tiles import Tile, chunk, gemm_unit, tile_for, tiles_of

MOST_BLOCKS = 65_535  # along a grid's second and third axis
MOST_ROWS = 2**31 - 1
# Gathered one by one, operands take more instructions than products do.
_SCALAR_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Shape:
    """The product that a pass is: for each group and phase rows x columns x (taps, channels)."""

    geometry: Geometry
    input_grad: bool
    padded: int
    phases: tuple[int, ...]

    @property
    def channels(self) -> int:
        """Channels that are summed over."""
        return self.geometry.k if self.input_grad else self.geometry.c

    @property
    def columns(self) -> int:
        """Channels of the result."""
        return self.geometry.c if self.input_grad else self.geometry.k

    @property
    def rows(self) -> int:
        """Pixels of the largest phase of all images."""
        if not self.input_grad:
            return self.geometry.batch * self.geometry.outputs
        extents = (
            -(-axis.extent // phases)
            for axis, phases in zip(self.geometry.axes, self.phases, strict=True)
        )
        return self.geometry.batch * prod(extents)

    @property
    def products(self) -> int:
        """Products of that size."""
        return self.geometry.groups * prod(self.phases)

    @property
    def packed(self) -> int:
        """Elements of the packed weight."""
        return self.geometry.groups * self.columns * self.geometry.taps * self.padded

    @property
    def strides(self) -> tuple[int, ...]:
        """The gathered operand's strides."""
        return self.geometry.y if self.input_grad else self.geometry.x

    def params(self) -> Any:
        """Return a Gather of one element."""
        params = np.zeros(1, GATHER)
        p = params[0]
        p["conv"] = conv_params(self.geometry)[0]
        p["input_grad"], p["padded"] = self.input_grad, self.padded
        p["phases"] = self.phases
        p["tap_step"] = [a.stride // gcd(a.stride, a.dilation) for a in self.geometry.axes]
        return params

    def is_vector(self, size: int) -> bool:
        """Whether each pixel's channels are whole 16-byte chunks, if the array starts at one."""
        g = self.geometry
        if self.input_grad:
            extents = (g.batch, *(axis.out for axis in g.axes))
        else:
            extents = (g.batch, *(axis.extent for axis in g.axes))
        others = (self.strides[0], *self.strides[2:])
        return (
            self.channels == self.padded
            and (self.strides[1] == size or g.groups * self.channels == 1)
            and all(s % 16 == 0 for s, n in zip(others, extents, strict=True) if n > 1)
        )


def shape_of(problem: ConvProblem | GemmProblem | IntegerConvProblem) -> Shape:
    """Return the product that a forward pass or an input gradient is."""
    if isinstance(problem, IntegerConvProblem):
        geometry = conv_geometry(problem)
    else:
        geometry = geometry_of(problem)
    input_grad = problem.operation.endswith("input_grad")
    channels = geometry.k if input_grad else geometry.c
    whole = chunk(problem.x.dtype)
    return Shape(
        geometry,
        input_grad,
        -(-channels // whole) * whole,
        tuple(axis.stride for axis in geometry.axes) if input_grad else (1, 1, 1),
    )


class ImplicitGemm:
    """Forward and input gradient, by one way of multiplying tiles."""

    operations = ("conv_forward", "conv_input_grad", "linear_forward", "linear_input_grad")

    def __init__(self, math: Math) -> None:
        self.name = f"implicit_gemm_{math.name}"
        self._math = math

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what its arithmetic serves, the weight packed in the workspace."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        kind, reason = self._math.choose(problem, policy, card)
        if reason:
            return refused(self.name, reason)
        shape = shape_of(problem)
        size = itemsize(problem.dtype)
        reason = why_too_large(shape.rows, shape.columns, shape.products)
        if reason:
            return refused(self.name, reason)
        vector = shape.is_vector(size)
        share = self._math.share if vector else self._math.share * _SCALAR_SHARE
        # Zeros beside the channels are multiplied too.
        flops = problem.flops * shape.padded / max(shape.channels, 1)
        moved = total_bytes(problem) + 2 * shape.packed * size
        tile = tile_of(shape, card, tiles_of(problem.dtype))
        waste = _whole(shape.rows, tile.rows) * _whole(shape.columns, tile.columns)
        return Decision(
            True,
            f"tiles of {tile.rows} x {tile.columns}, "
            + ("16 bytes at a time" if vector else "element by element"),
            self.name,
            kind.precision,
            kind.bound(problem),
            seconds(card, flops * waste, kind.rate, share, moved),
            shape.packed * size,
            device=card.device,
            detail=kind.math,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        return gemm_plan(problem, str(decision.detail), device)


def tile_of(shape: Shape, card: Card, tiles: Sequence[Tile]) -> Tile:
    """Return the tile for a product on a card."""
    return tile_for(card, shape.rows, shape.columns, shape.products, tiles)


def _whole(extent: int, tile: int) -> float:
    return -(-extent // tile) * tile / max(extent, 1)


def why_too_large(rows: int, columns: int, products: int) -> str:
    """Return why a grid can't hold a product; empty where it can."""
    if rows > MOST_ROWS:
        return f"{rows} pixels are more than its 32-bit counters hold"
    if products > MOST_BLOCKS or columns > 64 * MOST_BLOCKS:
        return f"{products} products of {columns} columns are more than a grid holds"
    return ""


def pack_launch(problem: ConvProblem | GemmProblem, shape: Shape) -> Launch:
    """Return the launch that packs the weight at the workspace's start."""
    unit = typed("pack_weight.cu", problem.dtype)
    return over_elements(unit, "pack_weight", shape.packed, (1, Scratch(0)), shape.params())


def gemm_plan(problem: ConvProblem | GemmProblem, math: str, device: Device) -> PackedPlan:
    """Return a plan: pack the weight, then multiply."""
    shape = shape_of(problem)
    tile = tile_of(shape, device.card, tiles_of(problem.dtype))
    params = shape.params()
    pack = pack_launch(problem, shape)
    with_bias = len(problem.inputs) == 3
    grid = (
        -(-shape.rows // tile.rows),
        -(-shape.columns // tile.columns),
        shape.products,
    )

    def plan(vector: bool, otherwise: PackedPlan | None) -> PackedPlan:
        multiply = Launch(
            gemm_unit(tile, problem.dtype, math, vector),
            "implicit_gemm",
            grid,
            (tile.threads(math), 1, 1),
            (0, Scratch(0), 2, 3) if with_bias else (0, Scratch(0), None, 2),
            (params,),
            tile.stages * tile.stage_bytes,
        )
        aligned = alignments(problem)
        if vector:
            aligned[0] = 16
        size = shape.packed * itemsize(problem.dtype)
        key = (problem.dtype, shape.input_grad, problem.weight.shape, shape.geometry.groups)
        return PackedPlan(device, (pack, multiply), aligned, size, otherwise, key)

    scalar = plan(False, None)
    return plan(True, scalar) if shape.is_vector(itemsize(problem.dtype)) else scalar


class PackedPlan(LaunchPlan):
    """Packs the weight, which is the second input, into the workspace, and multiplies.

    ``pack_key`` tells weights apart that would be packed differently.
    """

    def __init__(
        self,
        device: Device,
        launches: Sequence[Launch],
        item_bytes: Sequence[int],
        workspace_bytes: int,
        otherwise: PackedPlan | None,
        pack_key: Hashable,
    ) -> None:
        super().__init__(device, launches, item_bytes, workspace_bytes, otherwise)
        self.pack_key = pack_key
        size = self.workspace_bytes
        self._pack = LaunchPlan(device, launches[:1], (1, item_bytes[1]), size)
        self._multiply: LaunchPlan = LaunchPlan(
            device,
            launches[1:],
            # What was packed comes in the weight's place, from our own memory.
            (item_bytes[0], 1, *item_bytes[2:]),
            size,
            None if otherwise is None else otherwise._multiply,
        )

    def pack(self, weight: Any) -> Any:
        """Return the packed weight in an array of its own."""
        packed = self.device.empty((self.workspace_bytes,), "uint8")
        pointer = self.device.pointer
        self._pack.start([0, pointer(weight)], pointer(packed), None)
        return packed

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Do as `run`; the second input is what `pack` returned."""
        pointer = self.device.pointer
        addresses = [pointer(array) for array in (*inputs, *outputs)]
        self._multiply.start(addresses, addresses[1], stream)


IMPLICIT_GEMMS = (ImplicitGemm(MMA), ImplicitGemm(FMA))
