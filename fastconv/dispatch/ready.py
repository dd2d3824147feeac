"""A call made ready: run its plan on a caller's arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from time import perf_counter
from typing import Any

import numpy as np

from fastconv.backend import Decision, PackingPlan, Plan, Policy
from fastconv.dispatch.arrays import may_overlap_any
from fastconv.dispatch.overflow import check_for
from fastconv.dispatch.prepared import PreparedWeight
from fastconv.dispatch.request import Request, View
from fastconv.dispatch.trace import TRACE, Ran
from fastconv.dispatch.workspace import borrow, fresh, give_back
from fastconv.errors import WorkspaceLimitError, bad_argument
from fastconv.problem import Ints

Step = Callable[[Any], Any]


class Ready:
    """A call made ready: its plan, and how its arrays become the plan's.

    All that doesn't depend on the arrays' addresses is settled here, once: `run` is most of what
    a small layer costs beside its kernel.

    Parameters
    ----------
    request : Request
        The problem, and views of the call's arrays.
    decision : Decision
        What was chosen.
    plan : Plan
        That decision's plan.
    policy : Policy
        The call's, less what its conversions take.
    weight : int, optional
        Which of the call's arrays comes as a PreparedWeight that may be packed.
    """

    __slots__ = (
        "_borrows", "_check", "_pick", "_reshapes", "_results", "_run", "_scratch_bytes", "_steps",
        "_to_targets", "decision", "plan", "policy", "request",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        decision: Decision,
        plan: Plan,
        policy: Policy,
        weight: int | None = None,
    ) -> None:
        self.request, self.decision, self.plan, self.policy = request, decision, plan, policy
        self._run = plan.run
        self._check = check_for(request, decision)
        self._pick = _picker([index for index, _ in request.inputs])
        steps = [view.step() for _, view in request.inputs]
        for place, (index, view) in enumerate(request.inputs):
            if index == weight:
                steps[place] = self._from_prepared(view)
        self._steps = tuple(steps) if any(steps) else ()
        to_targets = [output.view.step() for output in request.outputs]
        self._to_targets = tuple(to_targets) if any(to_targets) else ()
        self._results = tuple((output.shape, output.dtype) for output in request.outputs)
        self._reshapes = request.outputs[0].view.shape is not None
        # Device memory goes back to its library's pool instead: kernels may still be running.
        self._scratch_bytes = plan.workspace_bytes
        self._borrows = self._scratch_bytes > 0 and type(plan.empty((0,), "uint8")) is np.ndarray

    def _from_prepared(self, view: View) -> Step:
        """Return the step from a PreparedWeight to what the plan takes."""
        plan = self.plan
        if not isinstance(plan, PackingPlan):
            return lambda weight: view(weight.array)

        def pack(array: Any) -> Any:
            return plan.pack(view(array))

        self._run = plan.run_packed
        key = (self.decision.backend, self.decision.algorithm, getattr(plan, "pack_key", id(plan)))
        return lambda weight: weight.packed(key, pack)

    def run(self, arrays: Sequence[Any], out: Any) -> tuple[Any, ...]:
        """Run the plan; return the results as the caller sees them."""
        if out is None:
            results = targets = self._fresh(self._results)
        else:
            results = (out, *self._fresh(self._results[1:]))
            targets = self._apart(arrays, results)
        inputs = self._pick(arrays)
        if self._steps:
            inputs = _stepped(inputs, self._steps)
        outputs = _stepped(targets, self._to_targets) if self._to_targets else targets
        records = TRACE.get()
        started = perf_counter() if records is not None else 0.0
        try:
            if self._borrows:
                block, workspace = borrow(self.plan, self._scratch_bytes)
                overflowed = self._run(inputs, outputs, workspace)
                give_back(block)
            else:
                overflowed = self._run(inputs, outputs, self._workspace())
        except Exception as error:
            error.add_note(
                f"raised by fastconv's backend {self.decision.backend!r}, algorithm "
                f"{self.decision.algorithm!r}, in {self.request.problem.function}"
            )
            raise
        if records is not None:
            records.append(self._ran(perf_counter() - started))
        if self._check is not None and overflowed is not False:
            self._check(arrays, targets)
        if targets is not results and targets[0] is not out:
            out[...] = targets[0]
        return results

    def pack(self, arrays: Sequence[Any]) -> None:
        """Pack the weight of the call, where it is a prepared one, ahead of a run."""
        for array, step in zip(self._pick(arrays), self._steps, strict=False):
            if type(array) is PreparedWeight and step is not None:
                step(array)

    def _fresh(self, results: Sequence[tuple[Ints, str]]) -> tuple[Any, ...]:
        empty = self.plan.empty
        try:
            return tuple([empty(shape, dtype) for shape, dtype in results])
        except (MemoryError, ValueError, OverflowError) as error:
            described = " and ".join(f"{shape} and dtype {dtype}" for shape, dtype in results)
            raise MemoryError(
                f"{self.request.problem.function}: no memory for a result of shape {described} "
                f"({error})"
            ) from error

    def _workspace(self) -> Any:
        size = self._scratch_bytes
        return fresh(self.plan, size) if size else None

    def _apart(self, arrays: Sequence[Any], results: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return where the plan may write: not to an `out` that overlaps an input."""
        out = results[0]
        # A reshape of what isn't contiguous would be a copy.
        copied = self._reshapes and not out.flags.c_contiguous
        if not copied and not may_overlap_any(out, self._pick(arrays)):
            return results
        self._afford_copy(out)
        return (*self._fresh(self._results[:1]), *results[1:])

    def _afford_copy(self, out: Any) -> None:
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

    def _ran(self, seconds: float) -> Ran:
        decision, problem = self.decision, self.request.problem
        return Ran(
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


def _picker(indices: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(indices) == 1:
        return lambda arrays: (arrays[indices[0]],)
    pick: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(*indices)
    return pick


def _stepped(arrays: Sequence[Any], steps: tuple[Step | None, ...]) -> tuple[Any, ...]:
    return tuple(
        [array if step is None else step(array) for array, step in zip(arrays, steps, strict=True)]
    )
