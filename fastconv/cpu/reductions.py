"""The gradient of a bias: by compiled sums in blocks, or NumPy's own sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    arithmetic,
    error_bound,
    precision_name,
    refused,
    threads_for,
)
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.narrow import HALVES, why_not
from fastconv.cpu.plans import HostPlan, Scratch, itemsize
from fastconv.problem import BiasProblem, Problem

_BYTES_PER_SECOND = 8e9


# Measured: what one core reads at best, from memory.
_COMPILED_BYTES_PER_SECOND = 30e9
# Enough parts for a few threads each, where there are few channels.
_PARTS = 16


class BlockSumPlan(HostPlan):
    """Let the core sum each channel's lines in splits that follow from the shape."""

    def __init__(self, problem: BiasProblem, threads: int) -> None:
        shape = problem.y.shape
        self._threads = threads
        self._dtype = problem.dtype
        self._flat = len(shape) == 2
        self._splits = max(1, min(shape[0], _PARTS // shape[1]))
        self._scratch = Scratch()
        halves = problem.dtype in HALVES
        wide = "float32" if halves else problem.dtype
        self._scratch.add("sums", (self._splits, shape[1]), wide)
        if halves:
            self._scratch.add("bias", (1, shape[1], 1), wide)

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the bias; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        y = inputs[0][:, :, None] if self._flat else inputs[0]
        bias = target = outputs[0][None, :, None]
        if "bias" in self._scratch:
            target = self._scratch.cut("bias", workspace)
        sums = self._scratch.cut("sums", workspace)
        core.bias_grad(y, target, sums, self._dtype, self._splits, self._threads)
        if target is not bias:
            with np.errstate(over="ignore"):
                np.copyto(bias, target, casting="unsafe")  # few items


class CompiledSum:
    """Our own sums of real numbers, in blocks and at the speed of memory."""

    name = "compiled"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept real numbers as they are, if their few sums fit the workspace."""
        if core is None:
            return refused(self.name, why_no_core)
        assert isinstance(problem, BiasProblem)
        dtype, reason = arithmetic(problem, policy)
        reason = reason or why_not(problem, dtype)
        if reason:
            return refused(self.name, reason)
        if problem.y.size == 0:
            return refused(self.name, "an array is empty")
        threads = threads_for(policy)
        needed = BlockSumPlan(problem, threads).workspace_bytes
        if needed > policy.workspace_limit:
            return refused(self.name, f"its sums take {needed} bytes", over_limit=True)
        return Decision(
            True,
            f"{active()} kernels, sums in blocks",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            problem.y.size * itemsize(problem.dtype) / _COMPILED_BYTES_PER_SECOND,
            needed,
            threads=threads,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, BiasProblem)
        return BlockSumPlan(problem, decision.threads)


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
