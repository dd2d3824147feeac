"""Decide for pointwise convolutions whose positions lie side by side."""

from __future__ import annotations

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import (
    arithmetic,
    error_bound,
    over_limit,
    precision_name,
    refused,
    threads_for,
    threads_within,
)
from fastconv.cpu.implicit_gemm.blocking import stream_bytes
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.plans import itemsize, merged_stride
from fastconv.cpu.pointwise.blocking import Pieces, choose
from fastconv.cpu.pointwise.plan import PointwisePlan, shape_of
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, Operand, Problem

# Results too large for the caches, whose lines are read before they are written.
_WRITTEN_BYTES_PER_SECOND = 20e9


class Pointwise:
    """A product of the weight and panels of positions."""

    name = "pointwise"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept real kernels of one tap without stride or padding."""
        if core is None:
            return refused(self.name, why_no_core)
        assert isinstance(problem, ConvProblem)
        dtype, reason = arithmetic(problem, policy)
        reason = reason or _why_not(problem, dtype)
        if reason:
            return refused(self.name, reason)
        threads, limit = threads_for(policy), policy.workspace_limit
        given = narrow.operands_dtype(problem)
        shape = shape_of(problem, given)
        pieces, cycles = choose(shape)
        plan = PointwisePlan(problem, given, threads, pieces)
        if plan.workspace_bytes > limit:
            # Narrow units and fewer threads where memory is short: no sum's order changes.
            pieces = Pieces(pieces.images, 1, 1, min(pieces.depth, 64))
            plan = PointwisePlan(problem, given, 1, pieces)
            once = plan.workspace_bytes - plan.scratch_bytes
            threads = threads_within(threads, limit, once, plan.scratch_bytes)
            if threads == 0:
                what = "its packed weight and panels"
                return over_limit(self.name, what, plan.workspace_bytes, limit)
            plan = PointwisePlan(problem, given, threads, pieces)
        # A cycle of the model has two multiply-adds of whole vectors.
        flops = 4 * shape.lanes * cycles
        seconds = flops / (peak_flops(active(), dtype, 1) * max(1, min(threads, plan.units)))
        target = problem.outputs[0]
        written = target.size * itemsize(target.dtype)
        if written > stream_bytes():
            seconds += written / (_WRITTEN_BYTES_PER_SECOND * threads)
        return Decision(
            True,
            f"{narrow.described(given)} on panels of positions",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            seconds,
            plan.workspace_bytes,
            threads=threads,
            flushes=narrow.flushes(given),
            detail=pieces,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem)
        assert isinstance(decision.detail, Pieces)
        given = narrow.operands_dtype(problem)
        return PointwisePlan(problem, given, decision.threads, decision.detail)


def _why_not(problem: ConvProblem, dtype: str) -> str:
    if problem.operation == "conv_weight_grad":
        return "it has no weight gradient"
    return narrow.why_not(problem, dtype) or why_no_pointwise(problem)


def why_no_pointwise(problem: ConvProblem) -> str:
    """Return why a convolution or its input gradient is no plain product of its arrays."""
    reason = why_not_one_tap(problem)
    if reason:
        return reason
    if not (_side_by_side(problem.x) and _side_by_side(problem.y)):
        return "it takes positions that lie side by side"
    return ""


def why_not_one_tap(problem: ConvProblem) -> str:
    """Return why an output's position isn't made of the same position of the input alone."""
    if any(operand.size == 0 for operand in (problem.x, problem.weight, problem.y)):
        return "an array is empty"
    if set(problem.kernel) != {1} or set(problem.stride) != {1}:
        return "it takes kernels of one tap and stride 1"
    # A transposed convolution may have outputs beyond what any input reaches.
    same = problem.x.shape[2:] == problem.y.shape[2:]
    if not same or any(pads != (0, 0) for pads in problem.padding):
        return "it takes no padding"
    return ""


def _side_by_side(operand: Operand) -> bool:
    """Whether the spatial axes are one, whose items are neighbours."""
    # An item that is repeated has a stride of 0, and a single one any.
    merged = merged_stride(operand.shape[2:], operand.strides[2:])
    return merged == itemsize(operand.dtype) or set(operand.shape[2:]) == {1}
