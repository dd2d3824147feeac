"""Integer convolutions of each channel by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import over_limit, refused, threads_for, threads_within
from fastconv.cpu.depthwise.candidate import predicted_seconds, why_not_depthwise
from fastconv.cpu.depthwise.plan import DepthwisePlan
from fastconv.cpu.integer.convolution import as_convolution, options_of, signed, unsigned
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.plans import HostPlan
from fastconv.problem import IntegerConvProblem, Problem

_DTYPE = "int8"
# Sums are float32, where whole numbers up to 2^24 are exact; no product of bytes less their zero
# points is larger than 255 * 255.
MOST_TAPS = 2**24 // 255**2


class IntegerDepthwise:
    """Bands of single channels, as for floating types, with exact sums of float32."""

    name = "depthwise"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept kernels of so few taps that sums are exact."""
        if core is None:
            return refused(self.name, why_no_core)
        assert isinstance(problem, IntegerConvProblem)
        reason = why_not_depthwise(as_convolution(problem))
        if reason:
            return refused(self.name, reason)
        if problem.reduction > MOST_TAPS:
            return refused(
                self.name,
                f"sums of {problem.reduction} products may not be exact in float32: those of "
                f"{MOST_TAPS} are",
            )
        limit = policy.workspace_limit
        plan = IntegerDepthwisePlan(problem, threads_for(policy))
        threads = plan.threads_within(limit)
        if threads == 0:
            return over_limit(self.name, "its bands and tables", plan.workspace_bytes, limit)
        plan = IntegerDepthwisePlan(problem, threads)
        return Decision(
            True,
            f"{active()} kernels on bands of single channels, exact sums in float32",
            self.name,
            _DTYPE,
            0.0,
            predicted_seconds(as_convolution(problem), "float32", threads),
            plan.workspace_bytes,
            threads=threads,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, IntegerConvProblem)
        return IntegerDepthwisePlan(problem, decision.threads)


class IntegerDepthwisePlan(HostPlan):
    """One call of the core."""

    def __init__(self, problem: IntegerConvProblem, threads: int) -> None:
        self._problem = problem
        self._threads = threads
        self._flips = options_of(problem)["flips"]
        ends = np.iinfo(problem.y.dtype)
        self._ends = int(ends.min), int(ends.max)
        self._plan = DepthwisePlan(as_convolution(problem), threads, dtype=_DTYPE)
        self.workspace_bytes = self._plan.workspace_bytes

    def threads_within(self, limit: int) -> int:
        """Return on how many threads there is room for it in a workspace; 0 for none."""
        each = self._plan.thread_bytes
        once = self.workspace_bytes - each * self._threads
        return threads_within(self._threads, limit, once, each)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        problem, y = self._problem, outputs[0]
        x, weight, x_zero, *rest = inputs
        zeros = rest.pop(0) if problem.w_zero_point is not None else None
        bias = np.ascontiguousarray(rest.pop(0)) if problem.bias is not None else None
        zero = unsigned(int(x_zero[0]), problem.x.dtype)
        numbers: tuple[Any, ...] = (zero, None, None, 0, 0, 0)
        if rest:
            multiplier, y_zero = rest
            factors = np.ascontiguousarray(multiplier)
            numbers = (zero, None, factors, int(y_zero[0]), *self._ends)
        if zeros is None and problem.weight.dtype == "uint8":
            zeros = np.zeros(1, np.uint8)
        taken = None if zeros is None else signed(zeros, problem.weight.dtype)
        self._plan.convolve(x, weight, y, bias, workspace, (self._flips, taken, numbers))
