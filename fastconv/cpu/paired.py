"""precision="float16" or "bfloat16" on float32 arrays, by kernels that multiply 16-bit numbers.

A convolution's weight is rounded into a 16-bit copy, and its source on its way into scratch memory;
of other products both factors are copied. Sums, bias and results are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import Candidate, over_limit, threads_for
from fastconv.cpu.conversion import round_to_half
from fastconv.cpu.isa import core
from fastconv.cpu.lowered.problem import Copy, Product, copy_of, names_of
from fastconv.cpu.plans import HostPlan, Scratch, both_known
from fastconv.precision import rounded_error_bound
from fastconv.problem import ConvProblem, GemmProblem, Problem

# Measured: items rounded in a second, on one thread.
_ITEMS_PER_SECOND = 3e9


class PairedPlan(HostPlan):
    """Rounds one or both factors, and has a plan of mixed operands do the rest."""

    def __init__(self, problem: Product, dtype: str, inner: Any, threads: int) -> None:
        self._inner, self._dtype, self._threads = inner, dtype, threads
        self._source, self._weight = (copy_of(operand) for operand in problem.inputs[:2])
        self._copies_source = not _rounds_source(problem)
        self._scratch = Scratch()
        self._scratch.add("source", (self._source.size * self._copies_source,), "uint16")
        self._scratch.add("weight", (self._weight.size,), "uint16")
        self._scratch.add("inner", (inner.workspace_bytes,), "uint8")
        self.workspace_bytes = self._scratch.bytes
        key = getattr(inner, "pack_key", None)
        if key is not None:
            self.pack_key = ("paired", self._weight.axes, key)

    def pack(self, weight: Any) -> Any:
        """Return a weight rounded, in the order in which the plan reads it."""
        space = np.empty(self._weight.size, np.uint16)
        return self._inner.pack(self._rounded(self._weight, space, weight)[0])

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        weight, before = self._rounded(
            self._weight, self._scratch.cut("weight", workspace), inputs[1]
        )
        after = self._run(self._inner.run, inputs, weight, outputs, workspace)
        return both_known(before, after)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output, given what :meth:`pack` returned in the weight's place."""
        self._run(self._inner.run_packed, inputs, inputs[1], outputs, workspace)

    def _run(
        self, run: Any, inputs: Sequence[Any], weight: Any, outputs: Sequence[Any], workspace: Any
    ) -> bool | None:
        source = inputs[0]
        before: bool | None = False
        if self._copies_source:
            space = self._scratch.cut("source", workspace)
            source, before = self._rounded(self._source, space, source)
        after = run((source, weight, *inputs[2:]), outputs, self._scratch.cut("inner", workspace))
        return both_known(before, after)

    def _rounded(self, copy: Copy, space: Any, array: Any) -> tuple[Any, bool | None]:
        """Return the copy, and False if nothing in it is known to have overflowed."""
        found = copy.of(space)
        return found, round_to_half(found, array, self._dtype, self._threads)


class Paired:
    """A candidate that also multiplies float32 operands rounded to 16 bits, if asked to.

    Parameters
    ----------
    inner : Candidate
        One that takes 16-bit operands of a float32 result.
    """

    def __init__(self, inner: Candidate) -> None:
        self._inner = inner
        self.name = inner.name

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Return the candidate's decision, on rounded operands where the policy asks for them."""
        if not _is_asked_for(problem, policy):
            return self._inner.decide(problem, policy)
        assert isinstance(problem, ConvProblem | GemmProblem)
        assert policy.precision is not None
        precision, copied = policy.precision, _copied_items(problem)
        inside = replace(
            policy,
            precision=None,
            tolerance=None,
            workspace_limit=max(policy.workspace_limit - 2 * copied - 4096, 1),
        )
        found = self._inner.decide(_mixed(problem, precision), inside)
        if not found.can:
            return found
        made = self._plan(problem, replace(found, precision=precision))
        if made.workspace_bytes > policy.workspace_limit:
            what = "16-bit copies, and what multiplies them,"
            return over_limit(self.name, what, made.workspace_bytes, policy.workspace_limit)
        return replace(
            found,
            reason=f"operands rounded to {precision}; {found.reason}",
            precision=precision,
            error_bound=rounded_error_bound(precision, found.error_bound, problem.dtype),
            seconds=found.seconds + copied / (_ITEMS_PER_SECOND * threads_for(policy)),
            workspace_bytes=made.workspace_bytes,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        if problem.dtype != "float32" or decision.precision not in narrow.HALVES:
            return self._inner.plan(problem, decision)
        assert isinstance(problem, ConvProblem | GemmProblem)
        return self._plan(problem, decision)

    def _plan(self, problem: Product, decision: Decision) -> PairedPlan:
        inner = self._inner.plan(_mixed(problem, decision.precision), decision)
        return PairedPlan(problem, decision.precision, inner, decision.threads)


def _is_asked_for(problem: Problem, policy: Policy) -> bool:
    return (
        policy.precision in narrow.HALVES
        and core is not None
        and isinstance(problem, ConvProblem | GemmProblem)
        and problem.dtype == problem.inputs[0].dtype == "float32"
        and (_rounds_source(problem) or narrow.flushes(policy.precision))
    )


def _rounds_source(problem: Product) -> bool:
    """Whether the source stays as it is, to be rounded while it is copied into scratch memory."""
    return isinstance(problem, ConvProblem) and problem.operation != "conv_weight_grad"


def _copied_items(problem: Product) -> int:
    source, weight = problem.inputs[:2]
    return weight.size if _rounds_source(problem) else source.size + weight.size


def _mixed(problem: Product, dtype: str) -> Product:
    """Return the problem on rounded copies of its second factor, or of both."""
    factors = problem.inputs[1:2] if _rounds_source(problem) else problem.inputs[:2]
    names = names_of(problem, factors)
    copies: dict[str, Any] = {
        name: copy_of(factor).operand(dtype) for name, factor in zip(names, factors, strict=True)
    }
    return replace(problem, **copies)
