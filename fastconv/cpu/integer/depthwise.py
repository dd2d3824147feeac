"""Integer convolutions of each channel by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.depthwise.candidate import predicted_seconds, why_not_depthwise
from fastconv.cpu.depthwise.plan import DepthwisePlan
from fastconv.cpu.integer.candidate import IntegerCandidate
from fastconv.cpu.integer.convolution import as_convolution, options_of, signed, unsigned
from fastconv.cpu.isa import active
from fastconv.cpu.plans import HostPlan
from fastconv.problem import IntegerConvProblem

_DTYPE = "int8"
# Sums are float32, where whole numbers up to 2^24 are exact; no product of bytes less their zero
# points is larger than 255 * 255.
MOST_TAPS = 2**24 // 255**2


class IntegerDepthwise(IntegerCandidate):
    """Bands of single channels, as for floating types, with exact sums of float32.

    It takes kernels of so few taps that sums are exact.
    """

    name = "depthwise"
    needs = "its bands and tables"

    def _described(self) -> str:
        return f"{active()} kernels on bands of single channels, exact sums in float32"

    def _why_not(self, problem: IntegerConvProblem) -> str:
        reason = why_not_depthwise(as_convolution(problem))
        if not reason and problem.reduction > MOST_TAPS:
            reason = (
                f"sums of {problem.reduction} products may not be exact in float32: those of "
                f"{MOST_TAPS} are"
            )
        return reason

    def _plan(self, problem: IntegerConvProblem, threads: int) -> IntegerDepthwisePlan:
        return IntegerDepthwisePlan(problem, threads)

    def _seconds(self, problem: IntegerConvProblem, plan: Any, threads: int) -> float:
        return predicted_seconds(as_convolution(problem), "float32", threads)


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
        self.thread_bytes = self._plan.thread_bytes

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
