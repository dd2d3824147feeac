"""im2col and col2im by the compiled core."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    arithmetic,
    error_bound,
    precision_name,
    refused,
    threads_for,
    threads_within,
)
from fastconv.cpu.conversion import convert
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.narrow import HALVES
from fastconv.cpu.plans import HostPlan, Scratch, itemsize
from fastconv.precision import FLOATING
from fastconv.problem import ColumnsProblem, Problem

_BYTES_PER_SECOND = 6e9
# Of widened columns, which should still be in a cache when they are added up.
_BLOCK_BYTES = 2**22


class ColumnsPlan(HostPlan):
    """Copy columns out of an image, or add them up into one."""

    def __init__(self, problem: ColumnsProblem, dtype: str, threads: int) -> None:
        assert core is not None
        self._problem = problem
        self._dtype = dtype
        self._threads = threads
        self._scratch = Scratch()
        self._geometry = core.Geometry(
            problem.x.shape[2:],
            problem.kernel,
            problem.stride,
            tuple(before for before, _ in problem.padding),
            problem.dilation,
            problem.spatial_out,
        )
        self._widens = problem.operation == "col2im" and dtype != problem.dtype
        # Scratch bytes of a thread, where the core takes 16-bit arrays as they are.
        self.thread_bytes = 0
        if self._widens and problem.dtype in HALVES and dtype == "float32":
            self.thread_bytes = core.half_col2im_scratch(self._geometry)
            self._scratch.add("halves", (threads * self.thread_bytes,), "uint8")
        elif self._widens:
            volume, positions = prod(problem.kernel), prod(problem.spatial_out)
            each = itemsize(dtype) * max(1, volume * positions)
            self._channels = max(1, min(problem.x.shape[1], _BLOCK_BYTES // each))
            self._scratch.add("sums", (1, self._channels, *problem.x.shape[2:]), dtype)
            self._scratch.add("columns", (1, self._channels * volume, positions), dtype)

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
    ) -> bool | None:
        """Fill the columns or x; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        if self._problem.operation == "im2col":
            core.im2col(self._geometry, inputs[0], outputs[0], 0, 0, 0, self._threads)
        elif self.thread_bytes:
            scratch = self._scratch.cut("halves", workspace)
            overflowed: bool | None = core.half_col2im(
                self._geometry, inputs[0], outputs[0], self._problem.dtype, scratch, self._threads
            )
            return overflowed
        elif self._widens:
            self._add_planes(inputs[0], outputs[0], workspace)
        else:
            outputs[0][...] = 0
            self._add(inputs[0], outputs[0])
        return None

    def _add(self, columns: Any, x: Any) -> None:
        assert core is not None
        parts = [(columns, x)]
        if self._dtype.startswith("complex"):
            parts = [(columns.real, x.real), (columns.imag, x.imag)]
        for source, target in parts:
            core.col2im(self._geometry, source, target, source.dtype.name, 0, 0, 0, self._threads)

    def _add_planes(self, columns: Any, x: Any, workspace: Any) -> None:
        sums = self._scratch.cut("sums", workspace)
        wide = self._scratch.cut("columns", workspace)
        volume, channels = prod(self._problem.kernel), x.shape[1]
        for n in range(x.shape[0]):
            for c in range(0, channels, self._channels):
                end = min(c + self._channels, channels)
                some, total = wide[:, : (end - c) * volume], sums[:, : end - c]
                convert(some[0], columns[n, c * volume : end * volume], self._threads)
                total[...] = 0
                self._add(some, total)
                convert(x[n, c:end], total[0], self._threads)


class CompiledColumns:
    """The compiled copies: any dtype, any strides, threads over images and channels."""

    name = "compiled"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept everything but sums of dtypes that the core doesn't add."""
        assert isinstance(problem, ColumnsProblem)
        if core is None:
            return refused(self.name, why_no_core)
        dtype, reason = arithmetic(problem, policy)
        if reason:
            return refused(self.name, reason)
        if problem.operation == "im2col":
            dtype = problem.dtype
        elif dtype not in FLOATING and np.dtype(dtype).kind not in "iu":
            return refused(self.name, f"it doesn't add {dtype}")
        threads, limit = threads_for(policy), policy.workspace_limit
        plan = ColumnsPlan(problem, dtype, threads)
        if plan.thread_bytes and plan.workspace_bytes > limit:
            threads = max(1, threads_within(threads, limit, 0, plan.thread_bytes))
            plan = ColumnsPlan(problem, dtype, threads)
        if plan.workspace_bytes > limit:
            return refused(
                self.name,
                f"one channel's sums take {plan.workspace_bytes} bytes in {dtype}, over the "
                f"limit of {limit}",
                over_limit=True,
            )
        moved = 2 * problem.columns.size * itemsize(problem.dtype)
        return Decision(
            True,
            f"{active()} copies",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            moved / _BYTES_PER_SECOND,
            plan.workspace_bytes,
            threads=threads,
            detail=dtype,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ColumnsProblem)
        return ColumnsPlan(problem, str(decision.detail), decision.threads)
