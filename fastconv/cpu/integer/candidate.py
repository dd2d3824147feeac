"""Decide for integer convolutions: any signs, within the workspace."""

from __future__ import annotations

from math import prod
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import over_limit, refused, threads_for, threads_within
from fastconv.cpu.implicit_gemm.blocking import second_level_bytes
from fastconv.cpu.implicit_gemm.plan import ProductPlan
from fastconv.cpu.integer.convolution import Planner, as_convolution
from fastconv.cpu.integer.plan import IntegerPlan, ScaledPlan
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.packed_plan import PackedPlan
from fastconv.cpu.pointwise.blocking import choose
from fastconv.cpu.pointwise.candidate import why_no_pointwise
from fastconv.cpu.pointwise.plan import PointwisePlan, shape_of
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, IntegerConvProblem, Operand, Problem

_DTYPE = "int8"
# Each is a plane of lines, most of which no tap may use.
_MOST_RESIDUES = 4096


def _gemm(threads: int) -> Planner:
    def plan(problem: ConvProblem, **options: object) -> PackedPlan:
        return ProductPlan(problem, _DTYPE, threads, second_level_bytes(), **options)

    return plan


def _pointwise(threads: int) -> Planner:
    def plan(problem: ConvProblem, **options: object) -> PackedPlan:
        pieces, _ = choose(shape_of(problem, _DTYPE))
        return PointwisePlan(problem, _DTYPE, threads, pieces, **options)

    return plan


class IntegerCandidate:
    """What candidates of bytes have in common.

    A subclass says why it can't, makes the plan, of `thread_bytes` for each thread, and tells how
    long that takes.
    """

    name = ""
    needs = "its packed weight, panels and sums"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept what fits the workspace on some number of threads."""
        if core is None:
            return refused(self.name, why_no_core)
        assert isinstance(problem, IntegerConvProblem)
        empty = any(operand.size == 0 for operand in (problem.x, problem.weight, problem.y))
        reason = "an array is empty" if empty else self._why_not(problem)
        if reason:
            return refused(self.name, reason)
        limit, plan = policy.workspace_limit, self._plan(problem, 1)
        once, each = plan.workspace_bytes - plan.thread_bytes, plan.thread_bytes
        threads = threads_within(threads_for(policy), limit, once, each)
        if threads == 0:
            return over_limit(self.name, self.needs, plan.workspace_bytes, limit)
        plan = self._plan(problem, threads)
        return Decision(
            True,
            self._described(),
            self.name,
            _DTYPE,
            0.0,
            self._seconds(problem, plan, threads),
            plan.workspace_bytes,
            threads=threads,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, IntegerConvProblem)
        found: Plan = self._plan(problem, decision.threads)
        return found

    def _described(self) -> str:
        return f"{narrow.described(_DTYPE)} exact sums"

    def _why_not(self, problem: IntegerConvProblem) -> str:
        raise NotImplementedError

    def _plan(self, problem: IntegerConvProblem, threads: int) -> Any:
        raise NotImplementedError

    def _seconds(self, problem: IntegerConvProblem, plan: Any, threads: int) -> float:
        raise NotImplementedError


class _Panels(IntegerCandidate):
    """Those whose product is one of the core's that packs the weight."""

    def scaled_plan(
        self, problem: IntegerConvProblem, y: Operand, activation: str | None, threads: int
    ) -> ScaledPlan:
        """Return the plan of sums that become float32, in an array that lies as the sums would."""
        return ScaledPlan(problem, y, activation, self._planner(threads))

    def _plan(self, problem: IntegerConvProblem, threads: int) -> IntegerPlan:
        return IntegerPlan(problem, self._planner(threads))

    def _planner(self, threads: int) -> Planner:
        raise NotImplementedError


class IntegerGemm(_Panels):
    """Panels of columns, as for floating types."""

    name = "implicit_gemm"

    def _why_not(self, problem: IntegerConvProblem) -> str:
        if prod(problem.stride) > _MOST_RESIDUES:
            return f"its stride {problem.stride} leaves too many residues"
        return ""

    def _planner(self, threads: int) -> Planner:
        return _gemm(threads)

    def _seconds(self, problem: IntegerConvProblem, plan: IntegerPlan, threads: int) -> float:
        assert isinstance(plan.product, ProductPlan)
        return float(plan.product.seconds)


class IntegerPointwise(_Panels):
    """Panels of positions, as for floating types."""

    name = "pointwise"

    def _why_not(self, problem: IntegerConvProblem) -> str:
        return why_no_pointwise(as_convolution(problem))

    def _planner(self, threads: int) -> Planner:
        return _pointwise(threads)

    def _seconds(self, problem: IntegerConvProblem, plan: IntegerPlan, threads: int) -> float:
        shape = shape_of(as_convolution(problem), _DTYPE)
        _, cycles = choose(shape)
        busy = max(1, min(threads, plan.units))
        return float(4 * shape.lanes * cycles / (peak_flops(active(), "float32", 1) * busy))
