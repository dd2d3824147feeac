"""Convolution of 8-bit integers by Hopper's own instructions, their sums exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import IntegerConvProblem, Problem
from fastconv_cuda.arithmetic import HOPPER, WGMMA
from fastconv_cuda.boxes import Boxes, boxes_of
from fastconv_cuda.candidate import alignments, itemsize, refused, total_bytes
from fastconv_cuda.copied_integers import Copied, Multiply, copied_for
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import integer_arrays, integer_params, typed
from fastconv_cuda.integer_gemm import plain_plan
from fastconv_cuda.plan import Launch, LaunchPlan, Place, Scratch, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.shapes import Shape, shape_of, why_too_large
from fastconv_cuda.units import Unit
from fastconv_cuda.wgmma import (
    ROW_BYTES,
    THREADS,
    TILES,
    box_params,
    grid_of,
    is_wide,
    maps_of,
    shared_bytes,
    stages,
    tile_of,
    waste_of,
)

# A warp's windows, and a block of ones at the start of a swizzle's pattern.
_MORE_BYTES = 8 * 16 * 20 + 2048
_BLOCKS = 1
_NAMES = ("int8", "uint8")


def unit_for(x: str, weight: str, y: str, columns: int, row_bytes: int, row_sums: bool) -> Unit:
    """Return wgmma_integer for a tile and the types of its arrays."""
    numbers = {
        "FC_COLUMNS": columns,
        "FC_ROW_BYTES": row_bytes,
        "FC_STAGES": stages(columns, row_bytes, _BLOCKS),
        "FC_BLOCKS": _BLOCKS,
    }
    words = [("FC_ELEMENT", x), ("FC_MATH", f"{x}_{weight}"), ("FC_W", weight), ("FC_Y", y)]
    if row_sums:
        words.append(("FC_ROW_SUMS", ""))
    return Unit("wgmma_integer.cu", (*words, *((name, str(n)) for name, n in numbers.items())))


def every_unit() -> Iterator[tuple[str, Unit]]:
    """Yield all units by what they are for."""
    for x in _NAMES:
        for w in _NAMES:
            for y in (x, "int32"):
                for tile in TILES:
                    for row_bytes in ROW_BYTES:
                        for sums in (True, False):
                            unit = unit_for(x, w, y, tile.columns, row_bytes, sums)
                            yield f"{x},{w},{y},{tile.columns},{row_bytes},{sums}", unit


class WgmmaInteger:
    """int8 and uint8 of any zero points, on arrays or on copies with their channels last."""

    name = "implicit_gemm_wgmma"
    operations = IntegerConvProblem.OPERATIONS

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what boxes can be made of, with the weight and its taps' sums in the workspace."""
        assert isinstance(problem, IntegerConvProblem)
        if card.capability != HOPPER:
            have, need = (".".join(map(str, c)) for c in (card.capability, HOPPER))
            reason = f"its instructions are those of capability {need} alone, not {have}"
            return refused(self.name, reason)
        shape = shape_of(problem)
        reason = why_too_large(shape.rows, shape.columns, shape.products)
        if reason:
            return refused(self.name, reason)
        boxes, reason = boxes_of(shape, problem.x.dtype)
        if boxes is not None:
            return self._decision(problem, boxes, None, card)
        copied = copied_for(problem, shape, _before(shape), policy.workspace_limit)
        if copied.copy.why_not:
            return refused(self.name, copied.copy.why_not)
        boxes, why = boxes_of(_last(copied.part), problem.x.dtype)
        if boxes is None:
            return refused(self.name, f"{reason}; of a copy: {why}")
        return self._decision(problem, boxes, copied, card)

    def _decision(
        self, problem: IntegerConvProblem, boxes: Boxes, copied: Copied | None, card: Card
    ) -> Decision:
        shape, tile = boxes.shape, tile_of(boxes.shape, card)
        flops = problem.flops * waste_of(boxes, tile)
        moved = total_bytes(problem) + 2 * shape.packed
        if copied is not None:
            moved += copied.copy.bytes
        predicted = seconds(card, flops, "int8", WGMMA.share * tile.rate, moved)
        how = ""
        if copied is not None:
            predicted += copied.seconds(card)
            how = " of a copy with its channels last"
        return Decision(
            True,
            f"tiles of {tile.rows} x {tile.columns}, boxes of {boxes.row_bytes} bytes a pixel{how}",
            self.name,
            problem.dtype,
            0.0,
            predicted,
            _before(shape) if copied is None else copied.bytes,
            device=card.device,
            detail=copied,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run; arrays that start elsewhere than at 16 bytes go another way."""
        assert isinstance(problem, IntegerConvProblem)
        aligned = alignments(problem)
        copied = decision.detail
        if isinstance(copied, Copied):
            # Results go one by one, as nobody looks where they start.
            multiply = _multiply(problem, _last(copied.part), False, device.card)

            def on_copy(part: Shape, x: Place, out: Place) -> Launch:
                return multiply(_last(part), x, out)

            launches = (*_packing(problem, copied.shape), *copied.launches(problem, on_copy))
            return LaunchPlan(device, launches, aligned, copied.bytes)
        shape = shape_of(problem)
        wide = is_wide(shape, itemsize(problem.y.dtype))
        aligned[0] = 16
        if wide:
            aligned[-1] = 16
        launch = _multiply(problem, shape, wide, device.card)(shape, 0, len(problem.inputs))
        return LaunchPlan(
            device,
            (*_packing(problem, shape), launch),
            aligned,
            decision.workspace_bytes,
            plain_plan(problem, device),
        )


def _last(shape: Shape) -> Shape:
    """Return the product on a copy, whose groups have as many channels as the packed weight."""
    return replace(shape, geometry=replace(shape.geometry, c=shape.padded))


def _before(shape: Shape) -> int:
    """Return the bytes of the packed weight and of its taps' sums."""
    return shape.packed + _sums(shape) * 4


def _sums(shape: Shape) -> int:
    return shape.geometry.groups * shape.columns * shape.geometry.taps


def _packing(problem: IntegerConvProblem, shape: Shape) -> tuple[Launch, Launch]:
    """Return what packs the weight, and sums up each of its taps."""
    kind, packed, sums = problem.weight.dtype, Scratch(0), Scratch(shape.packed)
    pack, add = typed("pack_weight.cu", kind), typed("sum_weight.cu", kind)
    taps = _tap_by_tap(shape)
    return (
        over_elements(pack, "pack_weight", shape.packed, (1, packed), shape.params()),
        over_elements(add, "sum_weight", _sums(shape), (packed, sums), taps),
    )


def _tap_by_tap(shape: Shape) -> Any:
    """Return a Gather in which each tap is a channel of its own, as their sums are wanted."""
    params = shape.params()
    conv = params[0]["conv"]
    conv["k"] *= shape.geometry.taps
    conv["axis"]["taps"] = 1
    return params


def _multiply(problem: IntegerConvProblem, first: Shape, wide: bool, card: Card) -> Multiply:
    """Return what makes the launches of products, all of the first one's tile."""
    tile = tile_of(first, card)
    kinds = problem.x.dtype, problem.weight.dtype, problem.y.dtype
    _, _, *rest, _ = integer_arrays(problem)
    zero = problem.w_zero_point is not None

    def launch(part: Shape, x: Place, out: Place) -> Launch:
        boxes, reason = boxes_of(part, problem.x.dtype)
        assert boxes is not None, reason
        row_bytes = boxes.row_bytes
        return Launch(
            unit_for(*kinds, tile.columns, row_bytes, zero),
            "wgmma_integer",
            grid_of(boxes, tile, card.processors * _BLOCKS),
            (THREADS, 1, 1),
            (Scratch(part.packed), *rest, out),
            (box_params(boxes, tile, wide), integer_params(problem)),
            shared_bytes(tile.columns, row_bytes, _BLOCKS) + _MORE_BYTES,
            maps_of(boxes, tile, x, Scratch(0)),
        )

    return launch


WGMMA_INTEGER = WgmmaInteger()
