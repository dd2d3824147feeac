"""Implicit GEMM by Hopper's own instructions, of arrays or of copies with their channels last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, GemmProblem, Problem
from fastconv_cuda.arithmetic import WGMMA, Kind, Product
from fastconv_cuda.boxes import Boxes, boxes_of, flattened
from fastconv_cuda.candidate import alignments, itemsize, refused, total_bytes
from fastconv_cuda.copied_gemm import Multiply, copied_plan, copied_shape, copy_for
from fastconv_cuda.copies import apart, images_within, parts_of
from fastconv_cuda.device import Card, Device
from fastconv_cuda.implicit_gemm import PackedPlan, gemm_plan, pack_launch
from fastconv_cuda.plan import Launch, Packed, Place, Scratch
from fastconv_cuda.rates import LAUNCH_SECONDS, seconds
from fastconv_cuda.shapes import Shape, shape_of, why_too_large
from fastconv_cuda.wgmma import is_wide, launch_of, maps_of, tile_of, waste_of


class WgmmaGemm:
    """Forward and input gradient."""

    name = "implicit_gemm_wgmma"
    operations = ("conv_forward", "conv_input_grad", "linear_forward", "linear_input_grad")

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what boxes can be made of, or of a copy of it, on the one capability for it."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        kind, reason = WGMMA.choose(problem, policy, card)
        if reason:
            return refused(self.name, reason)
        shape = shape_of(problem)
        reason = why_too_large(shape.rows, shape.columns, shape.products)
        if reason:
            return refused(self.name, reason)
        if kind.by_copy(problem):
            shape = shape_of(problem, kind.factor)
            return self._copied(problem, kind, shape, policy, card, "")
        boxes, reason = boxes_of(_flat(shape), kind.math)
        if boxes is None:
            return self._copied(problem, kind, shape, policy, card, reason)
        size = shape.packed * itemsize(problem.dtype)
        return self._decision(problem, kind, boxes, card, 2 * size, 0.0, size, 0)

    def _copied(
        self, problem: Product, kind: Kind, shape: Shape, policy: Policy, card: Card, why: str
    ) -> Decision:
        copy = copy_for(shape, problem, kind)
        if copy.why_not:
            return refused(self.name, copy.why_not)
        packed = apart(shape.packed * itemsize(kind.factor))
        batch = shape.geometry.batch
        images = images_within(batch, copy.image_bytes, policy.workspace_limit - packed)
        whole, reason = boxes_of(_last(copied_shape(shape, copy, batch)), kind.math)
        if whole is None:
            return refused(self.name, f"{why}; of a copy: {reason}" if why else reason)
        copied = copy.of(images).bytes
        launches = 2 * (len(parts_of(batch, images)) - 1) * LAUNCH_SECONDS
        more = copy.seconds(card) + launches
        moved = 2 * packed + copied
        return self._decision(problem, kind, whole, card, moved, more, packed + copied, images)

    def _decision(
        self,
        problem: Product,
        kind: Kind,
        boxes: Boxes,
        card: Card,
        moved: int,
        more: float,
        size: int,
        images: int,
    ) -> Decision:
        tile = tile_of(boxes.shape, card)
        flops, share = problem.flops * waste_of(boxes, tile), WGMMA.share * tile.rate
        how = " of a copy with its channels last" if images else ""
        if kind.by_copy(problem):
            how += f", rounded to {kind.factor}"
        return Decision(
            True,
            f"tiles of {tile.rows} x {tile.columns}, boxes of {boxes.row_bytes} bytes a pixel{how}",
            self.name,
            kind.precision,
            kind.bound(problem),
            seconds(card, flops, kind.rate, share, total_bytes(problem) + moved) + more,
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
            return copied_plan(problem, kind, images, device, _box_launch)
        return _plain_plan(problem, kind, device)


def _plain_plan(problem: Product, kind: Kind, device: Device) -> PackedPlan:
    """Return the plan without a copy; arrays that start beside 16 bytes go another way."""
    otherwise = gemm_plan(problem, kind.math, device)
    shape = _flat(shape_of(problem))
    boxes = _boxes(shape, kind)
    wide = is_wide(shape, itemsize(problem.dtype))
    aligned = alignments(problem)
    aligned[0] = 16
    if wide:
        aligned[-1] = 16
    arrays = (2, 3) if len(problem.inputs) == 3 else (None, 2)
    tile = tile_of(shape, device.card)
    multiply = launch_of(
        boxes, tile, device.card, arrays, wide, maps_of(boxes, tile, 0, Scratch(0))
    )
    return PackedPlan(
        device,
        (pack_launch(problem, shape), multiply),
        aligned,
        otherwise.workspace_bytes,
        otherwise,
        otherwise.pack_key,
    )


def _box_launch(problem: Product, kind: Kind, first: Shape, device: Device) -> Multiply:
    """Return what makes the launches on copies, all of the first part's tile.

    Results go one by one, as nobody looks where they start.
    """
    tile = tile_of(_last(first), device.card)
    bias = 2 if len(problem.inputs) == 3 else None

    def launch(part: Shape, copy: Place, out: Place) -> Launch:
        boxes = _boxes(_last(part), kind)
        maps = maps_of(boxes, tile, copy, Packed())
        return launch_of(boxes, tile, device.card, (bias, out), False, maps, problem.dtype)

    return launch


def _boxes(shape: Shape, kind: Kind) -> Boxes:
    boxes, reason = boxes_of(shape, kind.math)
    assert boxes is not None, reason
    return boxes


def _flat(shape: Shape) -> Shape:
    return replace(shape, geometry=flattened(shape.geometry))


def _last(shape: Shape) -> Shape:
    """Return the product on a copy, whose groups have as many channels as the packed weight."""
    changes: dict[str, Any] = {"k" if shape.input_grad else "c": shape.padded}
    return _flat(replace(shape, geometry=replace(shape.geometry, **changes)))


WGMMA_GEMM = WgmmaGemm()
