"""Convolution of 8-bit integers by tensor cores."""

from __future__ import annotations

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import IntegerConvProblem, Problem
from fastconv_cuda.arithmetic import TENSOR_CAPABILITY
from fastconv_cuda.candidate import alignments, refused, total_bytes
from fastconv_cuda.copied_integers import Copied, Multiply, copied_for
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import direct_plan, integer_arrays, integer_params, typed
from fastconv_cuda.plan import Launch, LaunchPlan, Place, Scratch, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.shapes import Shape, shape_of, tile_of, why_too_large
from fastconv_cuda.tiles import INTEGER_TILES, integer_unit

_VECTOR_SHARE, _SCALAR_SHARE = 0.4, 0.15


class IntegerGemm:
    """int8 and uint8 of any zero points, their sums exact."""

    name = "implicit_gemm_mma"
    operations = IntegerConvProblem.OPERATIONS

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what a grid holds: on the array or on a copy of it, whichever is faster."""
        assert isinstance(problem, IntegerConvProblem)
        if card.capability < TENSOR_CAPABILITY:
            have, need = (".".join(map(str, c)) for c in (card.capability, TENSOR_CAPABILITY))
            return refused(
                self.name, f"its tensor core instructions need capability {need}, not {have}"
            )
        shape = shape_of(problem)
        reason = why_too_large(shape.rows, shape.columns, shape.products)
        if reason:
            return refused(self.name, reason)
        ways = [self._way(problem, shape, None, card)]
        if not shape.is_vector(1):
            copied = copied_for(problem, shape, before(problem, shape), policy.workspace_limit)
            if not copied.copy.why_not:
                ways.append(self._way(problem, shape, copied, card))
        can = [way for way in ways if way.workspace_bytes <= policy.workspace_limit]
        return min(can or ways, key=lambda way: way.seconds)

    def _way(
        self, problem: IntegerConvProblem, shape: Shape, copied: Copied | None, card: Card
    ) -> Decision:
        fast = copied is not None or shape.is_vector(1)
        share = _VECTOR_SHARE if fast else _SCALAR_SHARE
        flops = problem.flops * shape.padded / max(shape.channels, 1)
        moved = total_bytes(problem) + 2 * shape.packed
        if copied is not None:
            moved += copied.copy.bytes
        predicted = seconds(card, flops, "int8", share, moved)
        how = "16 at a time" if fast else "one by one"
        if copied is not None:
            predicted += copied.seconds(card)
            how += " of a copy with its channels last"
        return Decision(
            True,
            f"products of 8-bit integers, {how}, sums in int32",
            self.name,
            problem.dtype,
            0.0,
            predicted,
            before(problem, shape) if copied is None else copied.bytes,
            device=card.device,
            detail=copied,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, IntegerConvProblem)
        copied = decision.detail
        if not isinstance(copied, Copied):
            return plain_plan(problem, device)
        shape = copied.shape
        launches = (
            *_before(problem, shape),
            *copied.launches(problem, _multiply(problem, copied.part, True, device)),
        )
        return LaunchPlan(device, launches, alignments(problem), copied.bytes)


def before(problem: IntegerConvProblem, shape: Shape) -> int:
    """Return the bytes of the packed weight and of its sums."""
    return shape.packed + 4 * problem.weight.shape[0]


def _before(problem: IntegerConvProblem, shape: Shape) -> tuple[Launch, Launch]:
    """Return what packs the weight and sums it up."""
    kind, params, packed = problem.weight.dtype, shape.params(), Scratch(0)
    channels, sums = problem.weight.shape[0], Scratch(shape.packed)
    pack, add = typed("pack_weight.cu", kind), typed("sum_weight.cu", kind)
    return (
        over_elements(pack, "pack_weight", shape.packed, (1, packed), params),
        over_elements(add, "sum_weight", channels, (packed, sums), params),
    )


def _multiply(problem: IntegerConvProblem, first: Shape, vector: bool, device: Device) -> Multiply:
    """Return what makes the launches of products, all of the first one's tile."""
    tile = tile_of(first, device.card, INTEGER_TILES)
    kinds = problem.x.dtype, problem.weight.dtype, problem.y.dtype
    unit = integer_unit(tile, *kinds, vector)
    _, _, *rest, _ = integer_arrays(problem)

    def launch(part: Shape, x: Place, out: Place) -> Launch:
        rows, columns = -(-part.rows // tile.rows), -(-part.columns // tile.columns)
        return Launch(
            unit,
            "integer_gemm",
            (rows, columns, part.products),
            (tile.threads("integer"), 1, 1),
            (x, Scratch(0), Scratch(part.packed), *rest, out),
            (part.params(), integer_params(problem)),
            tile.stages * tile.stage_bytes,
        )

    return launch


def plain_plan(problem: IntegerConvProblem, device: Device) -> LaunchPlan:
    """Return the plan without a copy."""
    shape = shape_of(problem)
    packing, size, out = _before(problem, shape), before(problem, shape), len(problem.inputs)

    def plan(vector: bool, otherwise: LaunchPlan) -> LaunchPlan:
        aligned = alignments(problem)
        aligned[0] = 16 if vector else 1
        multiply = _multiply(problem, shape, vector, device)(shape, 0, out)
        return LaunchPlan(device, (*packing, multiply), aligned, size, otherwise)

    scalar = plan(False, direct_plan(problem, device))
    return plan(True, scalar) if shape.is_vector(1) else scalar


INTEGER_GEMM = IntegerGemm()
