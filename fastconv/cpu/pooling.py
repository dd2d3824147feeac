"""Pools by the compiled core."""

from __future__ import annotations

from math import prod

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    arithmetic,
    error_bound,
    precision_name,
    refused,
    threads_for,
    threads_within,
)
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.plans import HostPlan, itemsize
from fastconv.cpu.pooling_indexed import IndexPlan, Rows, choose_rows
from fastconv.cpu.pooling_plans import Cut, WindowPlan, choose_cut
from fastconv.precision import FLOATING, sum_dtype
from fastconv.problem import PoolProblem, Problem

_INDEXED = ("max_pool_backward", "max_unpool", "max_unpool_backward")
_CORE_DTYPES = frozenset(("float32", "float64", "complex64", "complex128", "bool")) | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
# Measured in floats on common windows: elements read, and bytes moved, by one thread in a second.
_TAPS_PER_SECOND = 8e9
_BYTES_PER_SECOND = 2e10


class CompiledPools:
    """The compiled pools: any strides, threads over lines and planes."""

    name = "compiled"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept everything that the core has a dtype for, in blocks where it is widened."""
        assert isinstance(problem, PoolProblem)
        if core is None:
            return refused(self.name, why_no_core)
        dtype, reason = _sums(problem, policy)
        if reason:
            return refused(self.name, reason)
        how: Rows | Cut | None
        if problem.operation in _INDEXED:
            how = choose_rows(problem, dtype, policy.workspace_limit)
        else:
            how = choose_cut(problem, dtype, policy.workspace_limit)
        if how is None:
            return refused(
                self.name,
                f"a row of one plane in {dtype} is over the limit of {policy.workspace_limit} "
                "bytes",
                over_limit=True,
            )
        threads = threads_for(policy)
        if how.halves:
            threads = threads_within(threads, policy.workspace_limit, 0, how.halves)
        plan = _plan(problem, dtype, how, threads)
        return Decision(
            True,
            f"{active()} code",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            _seconds(problem, dtype) / threads,
            plan.workspace_bytes,
            threads=threads,
            detail=plan,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Return what `decide` has made ready."""
        assert isinstance(decision.detail, HostPlan)
        return decision.detail


def _plan(problem: PoolProblem, dtype: str, how: Rows | Cut, threads: int) -> HostPlan:
    if isinstance(how, Rows):
        return IndexPlan(problem, dtype, how, threads)
    return WindowPlan(problem, problem.dtype if how.halves else dtype, how, threads)


def _sums(problem: PoolProblem, policy: Policy) -> tuple[str, str]:
    """Return the dtype that the core works in, and a reason if there is none."""
    dtype, reason = arithmetic(problem, policy)
    if reason:
        return dtype, reason
    if problem.operation in ("max_unpool", "max_unpool_backward"):
        return problem.dtype, ""  # copies of any size
    if problem.operation == "max_pool":
        dtype = sum_dtype(problem.dtype)  # more precision would change nothing
    adds = problem.operation != "max_pool"
    if dtype not in _CORE_DTYPES or (adds and dtype == "bool"):
        return dtype, f"it doesn't {'add' if adds else 'compare'} {dtype}"
    if (
        dtype.startswith("complex")
        and problem.operation != "max_pool_backward"
        and not (problem.operation.startswith("avg_pool"))
    ):
        return dtype, "complex numbers have no order"
    return dtype, ""


def _seconds(problem: PoolProblem, dtype: str) -> float:
    size = itemsize(problem.dtype) if dtype in FLOATING else itemsize(dtype)
    moved = size * sum(operand.size for operand in problem.inputs + problem.outputs)
    taps = problem.y.size * prod(window.most_taps for window in problem.windows)
    return moved / _BYTES_PER_SECOND + taps / _TAPS_PER_SECOND
