"""Decide for convolutions whose groups have few channels, side by side in memory."""

from __future__ import annotations

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    error_bound,
    over_limit,
    precision_name,
    refused,
    rounding_first,
    threads_for,
)
from fastconv.cpu.grouped.plan import GroupedPlan, borders
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.narrow import sums_of, why_mixed, why_not
from fastconv.cpu.plans import itemsize
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, Problem

# What the core has loops for.
_GROUPS = (2, 4, 8)
# Measured: the peak's share of products, by channels of a group; bytes that pass through; and what
# packing takes for each weight.
_PEAK_SHARE = {2: 0.33, 4: 0.7, 8: 0.55}
_BYTES_PER_SECOND = 80e9
_PACKED_SECONDS = 2e-9


class Grouped:
    """Vectors of channels, each channel of a group spread over the group."""

    name = "grouped"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept real convolutions of as many channels in as out, side by side."""
        if core is None:
            return refused(self.name, why_no_core)
        assert isinstance(problem, ConvProblem)
        rounding, dtype, reason = sums_of(problem, policy)
        reason = _why_not(problem) or reason or why_not(problem, dtype) or why_mixed(problem)
        if reason:
            return refused(self.name, reason)
        threads = threads_for(policy)
        plan = GroupedPlan(problem, threads, rounding)
        if plan.workspace_bytes > policy.workspace_limit:
            limit = policy.workspace_limit
            return over_limit(self.name, "its packed weight", plan.workspace_bytes, limit)
        found = Decision(
            True,
            f"{active()} kernels on vectors of channels",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            _seconds(problem, dtype) / threads,
            plan.workspace_bytes,
            threads=threads,
            detail=plan,
        )
        return rounding_first(found, rounding) if rounding else found

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Return what `decide` has made ready."""
        assert isinstance(decision.detail, GroupedPlan)
        return decision.detail


def _why_not(problem: ConvProblem) -> str:
    group = problem.weight.shape[1]
    if problem.operation == "conv_weight_grad":
        return "it has no weight gradient"
    if group not in _GROUPS or problem.x.shape[1] != problem.y.shape[1]:
        return "it takes groups of 2, 4 or 8 channels, as many in as out"
    if any(operand.size == 0 for operand in (problem.x, problem.weight, problem.y)):
        return "an array is empty"
    if not all(a.strides[1] == itemsize(problem.dtype) for a in (problem.x, problem.y)):
        return "it takes channels that lie side by side"
    if problem.operation == "conv_input_grad" and (
        set(problem.stride) != {1} or min(borders(problem)) < 0
    ):
        return "its input gradients are those of stride 1, without more padding than taps"
    return ""


def _seconds(problem: ConvProblem, dtype: str) -> float:
    lanes = 64 // itemsize(dtype)
    channels = problem.x.shape[1]
    # Lanes past the last channel compute for nothing.
    filled = channels / (-(-channels // lanes) * lanes)
    rate = _PEAK_SHARE[problem.weight.shape[1]] * filled * peak_flops(active(), dtype, 1)
    moved = sum(a.size * itemsize(a.dtype) for a in (problem.x, problem.y))
    return problem.flops / rate + moved / _BYTES_PER_SECOND + problem.weight.size * _PACKED_SECONDS
