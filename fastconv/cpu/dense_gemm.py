"""The linear layer by our own matrix product: operands as they are, threads as asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import (
    error_bound,
    over_limit,
    refused,
    threads_for,
    threads_within,
)
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.plans import HostPlan, itemsize, padded
from fastconv.machine import peak_flops
from fastconv.precision import rounded_error_bound
from fastconv.problem import GemmProblem, Problem

# Measured share of the peak where tiles are full, and bytes that one core moves in a second.
_PEAK_SHARE = 0.75
_BYTES_PER_SECOND = 3e10


class ProductPlan(HostPlan):
    """Plan of a linear operation by the packed product."""

    def __init__(self, problem: GemmProblem, threads: int, dtype: str) -> None:
        self._problem = problem
        self._threads = threads
        self._dtype = dtype
        self._rounds = dtype != narrow.operands_dtype(problem)
        self.workspace_bytes = threads * _scratch_bytes(self._dtype)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        operation = self._problem.operation
        first, second, *rest = inputs
        if operation == "linear_forward":
            a, b = first, second.T
        elif operation == "linear_input_grad":
            a, b = first, second
        else:
            a, b = second.T, first
        bias = rest[0] if rest else None
        if bias is not None and not bias.flags.c_contiguous:
            bias = bias.copy()
        overflowed: bool | None = core.product(
            a[None],
            b[None],
            outputs[0][None],
            bias,
            self._dtype,
            CODES[self._problem.activation],
            LEAKY_SLOPE,
            workspace,
            self._threads,
            narrow.target_bytes(self._problem),
            self._rounds,
        )
        return overflowed


def _scratch_bytes(dtype: str) -> int:
    assert core is not None
    return padded(core.product_scratch(dtype))


class Gemm:
    """A matrix product of our own."""

    name = "gemm"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept real products whose result has rows in one piece."""
        assert isinstance(problem, GemmProblem)
        if core is None:
            return refused(self.name, why_no_core)
        # Rounding is part of the copies that the product makes of its operands anyway.
        rounds, dtype, reason = narrow.sums_of(problem, policy)
        given = rounds or narrow.operands_dtype(problem)
        reason = reason or narrow.why_not(problem, dtype)
        if reason:
            return refused(self.name, reason)
        if any(operand.size == 0 for operand in problem.inputs + problem.outputs):
            return refused(self.name, "an array is empty")
        (result,) = problem.outputs
        if result.shape[1] > 1 and result.strides[1] != itemsize(result.dtype):
            return refused(self.name, "it writes rows whose items lie side by side only")
        scratch = _scratch_bytes(given)
        threads = threads_within(threads_for(policy), policy.workspace_limit, 0, scratch)
        if threads == 0:
            return over_limit(self.name, "its panels", scratch, policy.workspace_limit)
        bound = error_bound(problem, dtype)
        kernels = narrow.described(given).rstrip(",")
        return Decision(
            True,
            f"operands rounded to {given} on the way; {active()} kernels" if rounds else kernels,
            self.name,
            given if rounds else dtype,
            rounded_error_bound(given, bound, problem.dtype) if rounds else bound,
            _seconds(problem, given, threads),
            threads * scratch,
            threads=threads,
            flushes=narrow.flushes(given),
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, GemmProblem)
        dtype = narrow.operands_dtype(problem)
        if decision.precision in narrow.ROUNDED:
            dtype = decision.precision
        return ProductPlan(problem, decision.threads, dtype)


def _seconds(problem: GemmProblem, given: str, threads: int) -> float:
    moved = sum(o.size * itemsize(o.dtype) for o in problem.inputs + problem.outputs)
    rate = peak_flops(active(), narrow.rate_dtype(given), threads)
    compute = problem.flops / (_PEAK_SHARE * rate * narrow.products_at_once(given))
    return float(max(compute, moved / _BYTES_PER_SECOND))
