"""Decide for the reference: it takes everything, slowly, and says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    arithmetic,
    error_bound,
    over_limit,
    precision_of,
    rate_dtype,
    refused,
)
from fastconv.cpu.plans import HostPlan, itemsize
from fastconv.cpu.reference import columns, convolution, dense, integer, pooling, reductions
from fastconv.machine import peak_flops
from fastconv.problem import IntegerConvProblem, PoolProblem, Problem

Solve = Callable[[Any, Sequence[Any], Sequence[Any], str], None]


@dataclass(frozen=True, slots=True)
class Solver:
    """How the reference solves one operation.

    `workspace` tells the bytes of its temporary arrays from the itemsize of the sums, and
    `steps` how many array operations it takes.
    """

    solve: Solve
    workspace: Callable[[Any, int], int]
    steps: Callable[[Any], int]


_SOLVERS = {
    "conv_forward": Solver(convolution.forward, convolution.workspace_bytes, convolution.steps),
    "conv_input_grad": Solver(
        convolution.input_grad, convolution.workspace_bytes, convolution.steps
    ),
    "conv_weight_grad": Solver(
        convolution.weight_grad, convolution.workspace_bytes, convolution.steps
    ),
    "bias_grad": Solver(reductions.bias_grad, reductions.bias_workspace, reductions.bias_steps),
    "im2col": Solver(columns.im2col, columns.workspace_bytes, columns.steps),
    "col2im": Solver(columns.col2im, columns.workspace_bytes, columns.steps),
    "linear_forward": Solver(dense.forward, dense.workspace_bytes, dense.steps),
    "linear_input_grad": Solver(dense.input_grad, dense.workspace_bytes, dense.steps),
    "linear_weight_grad": Solver(dense.weight_grad, dense.workspace_bytes, dense.steps),
    **{
        name: Solver(integer.convolve, integer.workspace_bytes, integer.steps)
        for name in IntegerConvProblem.OPERATIONS
    },
    **{
        name: Solver(getattr(pooling, name), pooling.workspace_bytes, pooling.steps)
        for name in PoolProblem.OPERATIONS
    },
}
# Measured: einsum's loops stay far below the peak, and a step of Python costs microseconds.
_PEAK_SHARE = 0.02
_STEP_SECONDS = 20e-6
_SLOW = (
    "the readable NumPy reference solves this, because nothing faster can; "
    "fastconv.explain() says why"
)


class ReferencePlan(HostPlan):
    """A plan that calls one function of the reference."""

    def __init__(self, problem: Problem, dtype: str) -> None:
        self._problem = problem
        self._dtype = dtype

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        _SOLVERS[self._problem.operation].solve(self._problem, inputs, outputs, self._dtype)


class Reference:
    """Every problem, by NumPy alone."""

    name = "reference"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept everything whose temporary arrays fit the workspace limit."""
        solver = _SOLVERS[problem.operation]
        dtype, reason = arithmetic(problem, policy)
        if reason:
            return refused(self.name, reason)
        size = solver.workspace(problem, itemsize(dtype))
        if size > policy.workspace_limit:
            return over_limit(self.name, "its temporary arrays", size, policy.workspace_limit)
        empty = any(operand.size == 0 for operand in problem.inputs + problem.outputs)
        return Decision(
            True,
            "NumPy, tap by tap",
            self.name,
            precision_of(problem, dtype),
            error_bound(problem, dtype),
            self._seconds(problem, dtype, solver),
            size,
            slow="" if empty else _SLOW,
            detail=dtype,
        )

    def _seconds(self, problem: Problem, dtype: str, solver: Solver) -> float:
        elements = sum(operand.size for operand in problem.inputs + problem.outputs)
        work = getattr(problem, "flops", elements)
        rate = _PEAK_SHARE * peak_flops("baseline", rate_dtype(dtype), 1)
        return float(work / rate + solver.steps(problem) * _STEP_SECONDS)

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        return ReferencePlan(problem, str(decision.detail))
