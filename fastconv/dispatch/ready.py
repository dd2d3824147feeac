"""A call made ready: run its plan on a caller's arrays."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.dispatch.arrays import may_overlap
from fastconv.dispatch.request import Output, Request
from fastconv.dispatch.trace import TRACE, Ran
from fastconv.errors import WorkspaceLimitError, bad_argument


@dataclass(frozen=True, slots=True)
class Ready:
    """A call made ready: its plan, and how its arrays become the plan's."""

    request: Request
    decision: Decision
    plan: Plan
    policy: Policy

    def run(self, arrays: Sequence[Any], out: Any) -> tuple[Any, ...]:
        """Run the plan; return the results as the caller sees them."""
        request, plan = self.request, self.plan
        results = [
            out if i == 0 and out is not None else self._empty(output)
            for i, output in enumerate(request.outputs)
        ]
        inputs = [view(arrays[i]) for i, view in request.inputs]
        targets = list(results)
        if out is not None and self._needs_copy(arrays, out):
            self._afford_copy(out)
            targets[0] = plan.empty(tuple(out.shape), request.outputs[0].dtype)
        outputs = [spec.view(target) for spec, target in zip(request.outputs, targets, strict=True)]
        workspace = _borrow(plan)
        started = time.perf_counter()
        try:
            plan.run(inputs, outputs, workspace)
        except Exception as error:
            error.add_note(
                f"raised by fastconv's backend {self.decision.backend!r}, algorithm "
                f"{self.decision.algorithm!r}, in {request.problem.function}"
            )
            raise
        self._record(time.perf_counter() - started)
        _give_back(workspace)
        if targets[0] is not results[0]:
            results[0][...] = targets[0]
        return tuple(results)

    def _empty(self, output: Output) -> Any:
        try:
            return self.plan.empty(output.shape, output.dtype)
        except (MemoryError, ValueError, OverflowError) as error:
            raise MemoryError(
                f"{self.request.problem.function}: no memory for a result of shape "
                f"{output.shape} and dtype {output.dtype} ({error})"
            ) from error

    def _needs_copy(self, arrays: Sequence[Any], out: Any) -> bool:
        """Whether the plan must not write to `out`, or can't: a reshape of it would be a copy."""
        if self.request.outputs[0].view.shape is not None and not out.flags.c_contiguous:
            return True
        return any(may_overlap(out, arrays[i]) for i, _ in self.request.inputs)

    def _afford_copy(self, out: Any) -> None:
        # The policy here is the call's less what its conversions take.
        needed = out.nbytes + self.decision.workspace_bytes
        if needed > self.policy.workspace_limit:
            raise WorkspaceLimitError(
                bad_argument(
                    self.request.problem.function,
                    "out",
                    got="an array that overlaps an input, or that can't be reshaped in place: "
                    f"{needed} bytes of workspace with the copy that this needs",
                    expected=f"at most workspace_limit={self.policy.workspace_limit}",
                    hint="Give an out= of its own, or raise workspace_limit=",
                )
            )

    def _record(self, seconds: float) -> None:
        records = TRACE.get()
        if records is not None:
            decision, problem = self.decision, self.request.problem
            records.append(
                Ran(
                    problem.function,
                    problem.operation,
                    decision.backend,
                    decision.algorithm,
                    decision.precision,
                    decision.device,
                    decision.threads,
                    decision.workspace_bytes + self.request.conversion_bytes,
                    seconds,
                )
            )


_SCRATCH = threading.local()


def _borrow(plan: Plan) -> Any:
    """Take this thread's scratch memory, or new memory where it is too small or in use."""
    if plan.workspace_bytes == 0:
        return None
    kept = getattr(_SCRATCH, "array", None)
    _SCRATCH.array = None
    if kept is not None and kept.size >= plan.workspace_bytes:
        probe = plan.empty((0,), "uint8")
        if type(probe) is type(kept):
            return kept[: plan.workspace_bytes]
    return plan.empty((plan.workspace_bytes,), "uint8")


def _give_back(workspace: Any) -> None:
    # Device memory goes back to its library's pool instead: kernels may still be running.
    if isinstance(workspace, np.ndarray):
        _SCRATCH.array = workspace if workspace.base is None else workspace.base
