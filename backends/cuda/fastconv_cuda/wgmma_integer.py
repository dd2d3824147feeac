"""Convolution of 8-bit integers by Hopper's own instructions, their sums exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import IntegerConvProblem, Problem
from fastconv_cuda.arithmetic import HOPPER, WGMMA
from fastconv_cuda.boxes import Boxes, boxes_of
from fastconv_cuda.candidate import alignments, itemsize, refused, total_bytes
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import integer_arrays, integer_params, typed
from fastconv_cuda.integer_gemm import INTEGER_GEMM
from fastconv_cuda.plan import Launch, LaunchPlan, Scratch, over_elements
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
    """int8 and uint8 of any zero points, channels side by side."""

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
        if boxes is None:
            return refused(self.name, reason)
        tile = tile_of(shape, card)
        flops = problem.flops * waste_of(boxes, tile)
        moved = total_bytes(problem) + 2 * shape.packed
        share = WGMMA.share * tile.rate
        return Decision(
            True,
            f"tiles of {tile.rows} x {tile.columns}, boxes of {boxes.row_bytes} bytes a pixel",
            self.name,
            problem.dtype,
            0.0,
            seconds(card, flops, "int8", share, moved),
            shape.packed + _sums(shape) * 4,
            device=card.device,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run; arrays that start elsewhere than at 16 bytes go another way."""
        assert isinstance(problem, IntegerConvProblem)
        otherwise = INTEGER_GEMM.plan(problem, decision, device)
        assert isinstance(otherwise, LaunchPlan)
        shape = shape_of(problem)
        boxes, reason = boxes_of(shape, problem.x.dtype)
        assert boxes is not None, reason
        kind, params, sums = problem.weight.dtype, shape.params(), Scratch(shape.packed)
        pack = over_elements(
            typed("pack_weight.cu", kind), "pack_weight", shape.packed, (1, Scratch(0)), params
        )
        add = over_elements(
            typed("sum_weight.cu", kind),
            "sum_weight",
            _sums(shape),
            (Scratch(0), sums),
            _tap_by_tap(shape),
        )
        wide = is_wide(shape, itemsize(problem.y.dtype))
        aligned = alignments(problem)
        aligned[0] = 16
        if wide:
            aligned[-1] = 16
        launches = (pack, add, _launch(problem, boxes, sums, wide, device.card))
        return LaunchPlan(device, launches, aligned, decision.workspace_bytes, otherwise)


def _sums(shape: Shape) -> int:
    return shape.geometry.groups * shape.columns * shape.geometry.taps


def _tap_by_tap(shape: Shape) -> Any:
    """Return a Gather in which each tap is a channel of its own, as their sums are wanted."""
    params = shape.params()
    conv = params[0]["conv"]
    conv["k"] *= shape.geometry.taps
    conv["axis"]["taps"] = 1
    return params


def _launch(
    problem: IntegerConvProblem, boxes: Boxes, sums: Scratch, wide: bool, card: Card
) -> Launch:
    tile, row_bytes = tile_of(boxes.shape, card), boxes.row_bytes
    _, _, *rest = integer_arrays(problem)
    return Launch(
        unit_for(
            problem.x.dtype,
            problem.weight.dtype,
            problem.y.dtype,
            tile.columns,
            row_bytes,
            problem.w_zero_point is not None,
        ),
        "wgmma_integer",
        grid_of(boxes, tile, card.processors * _BLOCKS),
        (THREADS, 1, 1),
        (sums, *rest),
        (box_params(boxes, tile, wide), integer_params(problem)),
        shared_bytes(tile.columns, row_bytes, _BLOCKS) + _MORE_BYTES,
        maps_of(boxes, tile, 0, Scratch(0)),
    )


WGMMA_INTEGER = WgmmaInteger()
