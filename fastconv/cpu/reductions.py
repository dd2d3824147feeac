"""The gradient of a bias, by NumPy's own sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import arithmetic, error_bound, precision_name, refused
from fastconv.cpu.plans import HostPlan, itemsize
from fastconv.problem import BiasProblem, Problem

_BYTES_PER_SECOND = 8e9


class SumPlan(HostPlan):
    """Sum y over everything but the channels."""

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the bias; see :class:`fastconv.backend.Plan`."""
        y = inputs[0]
        with np.errstate(all="ignore"):
            outputs[0][...] = y.sum(axis=(0, *range(2, y.ndim)), dtype=self._dtype)


class NumpySum:
    """NumPy's sum: pairwise along the innermost axis, converted in small buffers."""

    name = "numpy_sum"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept every dtype."""
        assert isinstance(problem, BiasProblem)
        dtype, reason = arithmetic(problem, policy)
        if reason:
            return refused(self.name, reason)
        return Decision(
            True,
            "one reduction",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            problem.y.size * itemsize(problem.dtype) / _BYTES_PER_SECOND,
            detail=dtype,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        return SumPlan(str(decision.detail))
