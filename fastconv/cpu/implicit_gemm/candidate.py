"""Decide for implicit GEMM: real sums as they are, within the workspace."""

from __future__ import annotations

from math import prod

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import (
    arithmetic,
    error_bound,
    over_limit,
    refused,
    threads_for,
    threads_within,
)
from fastconv.cpu.implicit_gemm.blocking import second_level_bytes
from fastconv.cpu.implicit_gemm.phases import phase_count
from fastconv.cpu.implicit_gemm.plan import ProductPlan
from fastconv.cpu.isa import core, why_no_core
from fastconv.cpu.weight_grad import decide as decide_weight_grad
from fastconv.cpu.weight_grad import plan as plan_weight_grad
from fastconv.precision import sum_dtype
from fastconv.problem import ConvProblem, Problem

# Measured shares of the peak where tiles are full, and bytes of columns copied in a second.
_PEAK_SHARE = 0.7
_COLUMN_BYTES_PER_SECOND = 8e9
# Each takes some microseconds to plan and to start, however few products it comes to.
_MOST_PHASES = 4096
# Each is a plane of lines, most of which no tap may use.
_MOST_RESIDUES = 4096


class ImplicitGemm:
    """Our own matrix product on panels of columns."""

    name = "implicit_gemm"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept real convolutions whose packed weight and panels fit the workspace."""
        if core is None:
            return refused(self.name, why_no_core)
        assert isinstance(problem, ConvProblem)
        dtype, reason = arithmetic(problem, policy)
        reason = reason or narrow.why_not(problem, dtype)
        if reason:
            return refused(self.name, reason)
        if any(operand.size == 0 for operand in (problem.x, problem.weight, problem.y)):
            return refused(self.name, "an array is empty")
        if problem.operation == "conv_weight_grad":
            return decide_weight_grad(problem, policy, self.name)
        if problem.operation == "conv_forward" and prod(problem.stride) > _MOST_RESIDUES:
            return refused(self.name, f"its stride {problem.stride} leaves too many residues")
        if problem.operation == "conv_input_grad" and phase_count(problem) > _MOST_PHASES:
            return refused(self.name, f"its {phase_count(problem)} phases are too small")
        return self._within_limit(problem, policy)

    def _within_limit(self, problem: ConvProblem, policy: Policy) -> Decision:
        limit = policy.workspace_limit
        dtype = narrow.operands_dtype(problem)
        plan, threads, detail = _plan_within(problem, dtype, threads_for(policy), limit)
        if plan.workspace_bytes > limit:
            what = "its packed weight and narrowest panels"
            return over_limit(self.name, what, plan.workspace_bytes, limit)
        return Decision(
            True,
            f"{narrow.described(dtype)} on panels of columns",
            self.name,
            "float64" if problem.dtype == "float64" else "float32",
            error_bound(problem, sum_dtype(problem.dtype)),
            plan.seconds,
            plan.workspace_bytes,
            threads=threads,
            flushes=narrow.flushes(dtype),
            detail=detail,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem)
        if problem.operation == "conv_weight_grad":
            return plan_weight_grad(problem, decision)
        assert isinstance(decision.detail, int)
        dtype = narrow.operands_dtype(problem)
        return ProductPlan(problem, dtype, decision.threads, decision.detail)


def _plan_within(
    problem: ConvProblem, dtype: str, threads: int, limit: int
) -> tuple[ProductPlan, int, int]:
    """Return a plan, its threads and the bytes of a unit: within `limit`, if any is.

    Where memory is short there are fewer threads and smaller units. Neither changes the order of a
    sum, but a unit's size may change the kind of product: that of one thread is kept.
    """
    budget = second_level_bytes()
    plan = ProductPlan(problem, dtype, threads, budget)
    if plan.workspace_bytes <= limit:
        return plan, threads, budget
    alone, alone_budget = _alone_within(problem, dtype, limit)
    least = ProductPlan(problem, dtype, 1, 0)
    once = least.workspace_bytes - least.scratch_bytes
    left = max(0, limit - once)
    some = max(1, threads_within(threads, limit, once, least.scratch_bytes))
    for budget in (left // some, 0):
        plan = ProductPlan(problem, dtype, some, budget)
        if plan.workspace_bytes <= limit and plan.kind == alone.kind:
            return plan, some, budget
    once = alone.workspace_bytes - alone.scratch_bytes
    some = max(1, threads_within(threads, limit, once, alone.scratch_bytes))
    return ProductPlan(problem, dtype, some, alone_budget), some, alone_budget


def _alone_within(problem: ConvProblem, dtype: str, limit: int) -> tuple[ProductPlan, int]:
    """Return one thread's plan and its budget: the first that fits, or the last."""
    least = ProductPlan(problem, dtype, 1, 0)
    left = max(0, limit - least.workspace_bytes + least.scratch_bytes)
    for budget in (second_level_bytes(), left, 0):
        plan = ProductPlan(problem, dtype, 1, budget)
        if plan.workspace_bytes <= limit:
            break
    return plan, budget
