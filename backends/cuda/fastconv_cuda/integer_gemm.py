"""Convolution of 8-bit integers by tensor cores."""

from __future__ import annotations

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import IntegerConvProblem, Problem
from fastconv_cuda.arithmetic import TENSOR_CAPABILITY
from fastconv_cuda.candidate import alignments, refused, total_bytes
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import direct_plan, integer_arrays, integer_params, typed
from fastconv_cuda.plan import Launch, LaunchPlan, Scratch, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.shapes import shape_of, tile_of, why_too_large
from fastconv_cuda.tiles import INTEGER_TILES, integer_unit

_VECTOR_SHARE, _SCALAR_SHARE = 0.4, 0.15


class IntegerGemm:
    """int8 and uint8 of any zero points, their sums exact."""

    name = "implicit_gemm_mma"
    operations = IntegerConvProblem.OPERATIONS

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what a grid holds, the weight and its sums in the workspace."""
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
        share = _VECTOR_SHARE if shape.is_vector(1) else _SCALAR_SHARE
        flops = problem.flops * shape.padded / max(shape.channels, 1)
        moved = total_bytes(problem) + 2 * shape.packed
        return Decision(
            True,
            "products of 8-bit integers, sums in int32",
            self.name,
            problem.dtype,
            0.0,
            seconds(card, flops, "int8", share, moved),
            shape.packed + 4 * problem.weight.shape[0],
            device=card.device,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, IntegerConvProblem)
        shape = shape_of(problem)
        tile = tile_of(shape, device.card, INTEGER_TILES)
        params, kind = shape.params(), problem.weight.dtype
        sums = Scratch(shape.packed)
        before = (
            over_elements(
                typed("pack_weight.cu", kind), "pack_weight", shape.packed, (1, Scratch(0)), params
            ),
            over_elements(
                typed("sum_weight.cu", kind),
                "sum_weight",
                problem.weight.shape[0],
                (Scratch(0), sums),
                params,
            ),
        )
        rows, columns = -(-shape.rows // tile.rows), -(-shape.columns // tile.columns)
        x, _, *rest = integer_arrays(problem)

        def plan(vector: bool, otherwise: LaunchPlan) -> LaunchPlan:
            multiply = Launch(
                integer_unit(tile, problem.x.dtype, kind, problem.y.dtype, vector),
                "integer_gemm",
                (rows, columns, shape.products),
                (tile.threads("integer"), 1, 1),
                (x, Scratch(0), sums, *rest),
                (params, integer_params(problem)),
                tile.stages * tile.stage_bytes,
            )
            aligned = alignments(problem)
            aligned[0] = 16 if vector else 1
            size = shape.packed + 4 * problem.weight.shape[0]
            return LaunchPlan(device, (*before, multiply), aligned, size, otherwise)

        scalar = plan(False, direct_plan(problem, device))
        return plan(True, scalar) if shape.is_vector(1) else scalar


INTEGER_GEMM = IntegerGemm()
