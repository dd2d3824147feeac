"""Decide for depthwise convolution: one input channel per group, real sums as they are."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    error_bound,
    over_limit,
    precision_name,
    refused,
    rounding_first,
    threads_for,
    threads_within,
)
from fastconv.cpu.depthwise.plan import DepthwisePlan, channels_adjoin, split_count
from fastconv.cpu.implicit_gemm.blocking import beyond_caches, moved_bytes, second_level_bytes
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.narrow import HALVES, sums_of, why_mixed, why_not
from fastconv.cpu.plans import itemsize
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, Problem

# Each phase of an input gradient is a pass of its own over the scratch memory.
MOST_STRIDE = 4
# Measured: the peak's share of products, and of those of taps in a row, which load a vector each,
# where taps above each other share it; bytes that pass through, single items copied where lines
# aren't contiguous, what a channel of an image takes however small it is, or a vector of channels,
# and how much longer it takes to read pixels of which a stride leaves some out, and any pixels from
# beyond so many second-level caches, or, in weight gradients, beyond all caches.
_PEAK_SHARE = 0.75
_ROW_SHARE = 0.2
_BYTES_PER_SECOND = 45e9
_ITEMS_PER_SECOND = 1.5e9
_PLANE_SECONDS = 50e-9
_DEALT = 0.5
_BEYOND = 2.2
_BEYOND_FROM = 8
_BEYOND_GRAD = 0.7


@dataclass(frozen=True, slots=True)
class _Detail:
    """The splits of a weight gradient, and what operands are rounded to as they are read."""

    splits: int
    rounding: str


class Depthwise:
    """Each channel by itself, a band of its padded lines at a time."""

    name = "depthwise"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept real convolutions with one input channel per group."""
        if core is None:
            return refused(self.name, why_no_core)
        assert isinstance(problem, ConvProblem)
        rounding, dtype, reason = sums_of(problem, policy)
        reason = why_not_depthwise(problem) or reason or why_not(problem, dtype)
        reason = reason or why_mixed(problem)
        if reason:
            return refused(self.name, reason)
        if problem.operation == "conv_input_grad" and max(problem.stride) > MOST_STRIDE:
            return refused(
                self.name, f"strides {problem.stride} exceed {MOST_STRIDE} in an input gradient"
            )
        found = self._within_limit(problem, dtype, policy, rounding)
        return rounding_first(found, rounding) if rounding and found.can else found

    def _within_limit(
        self, problem: ConvProblem, dtype: str, policy: Policy, rounding: str
    ) -> Decision:
        threads, limit = threads_for(policy), policy.workspace_limit
        splits = split_count(problem, limit // 2)
        plan = DepthwisePlan(problem, threads, splits)
        if plan.workspace_bytes > limit:
            once = DepthwisePlan(problem, 0, splits).workspace_bytes
            threads = max(1, threads_within(threads, limit, once, plan.thread_bytes))
            plan = DepthwisePlan(problem, threads, splits)
        if plan.workspace_bytes > limit:
            return over_limit(self.name, "its bands and tables", plan.workspace_bytes, limit)
        widened = f", widening {problem.dtype} on the way" if problem.dtype in HALVES else ""
        return Decision(
            True,
            f"{active()} kernels on bands of single channels{widened}",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            predicted_seconds(problem, dtype, threads),
            plan.workspace_bytes,
            threads=threads,
            detail=_Detail(splits, rounding),
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem)
        detail = decision.detail
        assert isinstance(detail, _Detail)
        return DepthwisePlan(problem, decision.threads, detail.splits, rounding=detail.rounding)


def why_not_depthwise(problem: ConvProblem) -> str:
    """Return why a problem isn't a depthwise one with something to sum."""
    if problem.weight.shape[1] != 1 or problem.groups != problem.x.shape[1]:
        return f"its groups have {problem.weight.shape[1]} input channels, not one"
    if any(operand.size == 0 for operand in (problem.x, problem.weight, problem.y)):
        return "an array is empty"
    return ""


def predicted_seconds(problem: ConvProblem, dtype: str, threads: int) -> float:
    """Return what a depthwise problem with sums in a dtype takes on so many threads."""
    share = _PEAK_SHARE if problem.kernel[-2:-1] > (1,) else _ROW_SHARE
    flops = problem.flops / (share * peak_flops(active(), dtype, 1))
    planes, adjoin = prod(problem.y.shape[:2]), channels_adjoin(problem)
    if adjoin:
        assert core is not None
        lanes = core.vector_bytes() // itemsize(dtype)
        vectors = -(-problem.x.shape[1] // lanes)
        flops *= vectors * lanes / problem.x.shape[1]
        planes = problem.y.shape[0] * vectors
    seconds = flops + planes * _PLANE_SECONDS
    strided = problem.stride[-1] > 1 and problem.operation != "conv_input_grad"
    deals_pixels = strided and adjoin
    if adjoin:
        seconds += moved_bytes(problem) * _beyond(problem) / _BYTES_PER_SECOND
    for operand in (problem.x, problem.y):
        size = itemsize(operand.dtype)
        seconds += operand.size * size / _BYTES_PER_SECOND
        if operand is problem.x and deals_pixels:
            seconds += operand.size * size * _DEALT / _BYTES_PER_SECOND
        if operand.strides[-1] != size and not adjoin:
            seconds += operand.size / _ITEMS_PER_SECOND
    return seconds / threads


def _beyond(problem: ConvProblem) -> float:
    """Return how much longer channels side by side take to come from where they are."""
    if problem.operation == "conv_weight_grad":
        return _BEYOND_GRAD if beyond_caches(problem) else 0.0
    return _BEYOND if moved_bytes(problem) > _BEYOND_FROM * second_level_bytes() else 0.0
