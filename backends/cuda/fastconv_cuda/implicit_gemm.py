"""Convolution, forward and input gradient, as a product whose operand is gathered on the way."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, GemmProblem, Problem
from fastconv_cuda.arithmetic import FMA, MMA, Kind, Math, Product
from fastconv_cuda.candidate import alignments, itemsize, refused
from fastconv_cuda.copied_gemm import copied_plan, copied_shape, copy_for
from fastconv_cuda.copies import apart, images_within, parts_of
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import typed
from fastconv_cuda.plan import Launch, LaunchPlan, PackingAhead, Scratch, over_elements
from fastconv_cuda.rates import LAUNCH_SECONDS
from fastconv_cuda.shapes import Shape, product_seconds, shape_of, tile_of, why_too_large
from fastconv_cuda.tiles import Tile, gemm_unit, tiles_of

# Gathered one by one, operands take more instructions than products do.
_SCALAR_SHARE = 0.5


class ImplicitGemm:
    """Forward and input gradient, by one way of multiplying tiles."""

    operations = ("conv_forward", "conv_input_grad", "linear_forward", "linear_input_grad")

    def __init__(self, math: Math) -> None:
        self.name = f"implicit_gemm_{math.name}"
        self._math = math

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what its arithmetic serves: on the arrays or on copies, whichever is faster."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        kind, reason = self._math.choose(problem, policy, card)
        if reason:
            return refused(self.name, reason)
        shape = shape_of(problem, kind.factor)
        reason = why_too_large(shape.rows, shape.columns, shape.products)
        if reason:
            return refused(self.name, reason)
        ways = []
        vector = shape.is_vector(itemsize(problem.dtype))
        if not kind.by_copy(problem):
            ways.append(self._as_it_is(problem, kind, shape, vector, card))
        if not (ways and vector):
            ways.append(self._copied(problem, kind, shape, policy, card))
        can = [way for way in ways if way.can and way.workspace_bytes <= policy.workspace_limit]
        return min(can or ways, key=lambda way: (not way.can, way.seconds))

    def _as_it_is(
        self, problem: Product, kind: Kind, shape: Shape, vector: bool, card: Card
    ) -> Decision:
        share = self._math.share if vector else self._math.share * _SCALAR_SHARE
        size = shape.packed * itemsize(kind.factor)
        tile = tile_of(shape, card, tiles_of(kind.factor))
        predicted = product_seconds(problem, kind, shape, tile, share, card, 2 * size)
        how = "16 bytes at a time" if vector else "element by element"
        return self._decision(problem, kind, card, tile, how, predicted, size, 0)

    def _copied(
        self, problem: Product, kind: Kind, shape: Shape, policy: Policy, card: Card
    ) -> Decision:
        copy = copy_for(shape, problem, kind)
        if copy.why_not:
            return refused(self.name, copy.why_not)
        packed = apart(shape.packed * itemsize(kind.factor))
        limit = policy.workspace_limit - packed
        images = images_within(shape.geometry.batch, copy.image_bytes, limit)
        copied = copy.of(images).bytes
        part = copied_shape(shape, copy, images)
        tile = tile_of(part, card, tiles_of(kind.factor))
        predicted = product_seconds(
            problem, kind, shape, tile, self._math.share, card, 2 * packed + copied
        )
        parts = len(parts_of(shape.geometry.batch, images))
        predicted += copy.seconds(card) + 2 * (parts - 1) * LAUNCH_SECONDS
        how = "16 bytes at a time of a copy with its channels last"
        if kind.rounding and kind.by_copy(problem):
            how += f", rounded to {kind.rounding}"
        return self._decision(problem, kind, card, tile, how, predicted, packed + copied, images)

    def _decision(
        self,
        problem: Product,
        kind: Kind,
        card: Card,
        tile: Tile,
        how: str,
        predicted: float,
        size: int,
        images: int,
    ) -> Decision:
        return Decision(
            True,
            f"tiles of {tile.rows} x {tile.columns}, {how}",
            self.name,
            kind.precision,
            kind.bound(problem),
            predicted,
            size,
            device=card.device,
            detail=(kind, images),
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        assert isinstance(decision.detail, tuple)
        kind, images = decision.detail
        if images:
            return copied_plan(problem, kind, images, device)
        return gemm_plan(problem, kind.math, device)


def pack_launch(problem: Product, shape: Shape) -> Launch:
    """Return the launch that packs the weight at the workspace's start."""
    unit = typed("pack_weight.cu", problem.dtype)
    return over_elements(unit, "pack_weight", shape.packed, (1, Scratch(0)), shape.params())


def gemm_plan(problem: Product, math: str, device: Device) -> PackedPlan:
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


class PackedPlan(PackingAhead):
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
        size = self._packed_bytes = self.workspace_bytes
        self._pack = LaunchPlan(device, launches[:1], (1, item_bytes[1]), size)
        self._multiply: LaunchPlan = LaunchPlan(
            device,
            launches[1:],
            # What was packed comes in the weight's place, from our own memory.
            (item_bytes[0], 1, *item_bytes[2:]),
            size,
            None if otherwise is None else otherwise._multiply,
        )

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
