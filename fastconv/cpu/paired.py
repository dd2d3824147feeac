"""precision="float16" or "bfloat16" on float32 arrays, by kernels that take 16-bit numbers.

Both factors are rounded into 16-bit copies. Sums, bias and results are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import Candidate, least_gain, over_limit, threads_for
from fastconv.cpu.conversion import round_to_half
from fastconv.cpu.isa import core
from fastconv.cpu.lowered.problem import Copy, copy_of, names_of
from fastconv.cpu.plans import HostPlan, Scratch, both_known
from fastconv.precision import rounded_error_bound
from fastconv.problem import ConvProblem, Operand, Problem

# Measured: items rounded in a second, on one thread.
_ITEMS_PER_SECOND = 3e9


@dataclass(frozen=True, slots=True)
class _Mixed:
    """What is left: the problem on rounded copies, and what the candidate decided on it."""

    problem: ConvProblem
    decision: Decision


class PairedPlan(HostPlan):
    """Rounds both factors, and has a plan of mixed operands do the rest."""

    def __init__(self, problem: ConvProblem, mixed: ConvProblem, inner: Any, threads: int) -> None:
        self._inner, self._threads = inner, threads
        self._source, self._weight = (copy_of(operand) for operand in problem.inputs[:2])
        self._dtype = mixed.inputs[0].dtype
        self._scratch = Scratch()
        self._scratch.add("source", (self._source.size,), "uint16")
        self._scratch.add("weight", (self._weight.size,), "uint16")
        self._scratch.add("inner", (inner.workspace_bytes,), "uint8")
        self.workspace_bytes = self._scratch.bytes
        key = getattr(inner, "pack_key", None)
        if key is not None:
            self.pack_key = ("paired", self._dtype, self._weight.axes, key)

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
        space = self._scratch.cut("source", workspace)
        source, before = self._rounded(self._source, space, inputs[0])
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

    def least_gain(self, problem: Problem, precision: str) -> float:
        """Return the candidate's."""
        return least_gain(self._inner, problem, precision)

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Return the candidate's decision, on rounded operands where the policy asks for them."""
        own = self._inner.decide(problem, policy)
        if own.can or not _is_asked_for(problem, policy):
            return own
        assert isinstance(problem, ConvProblem)
        return self._on_copies(problem, policy)

    def _on_copies(self, problem: ConvProblem, policy: Policy) -> Decision:
        factors = problem.inputs[:2]
        precision = str(policy.precision)
        copied = sum(factor.size for factor in factors)
        mixed = _mixed(problem, factors, precision)
        limit = max(policy.workspace_limit - 2 * copied - 4096, 1)
        inside = replace(policy, precision=None, tolerance=None, workspace_limit=limit)
        found = self._inner.decide(mixed, inside)
        if not found.can:
            return found
        decision = replace(
            found,
            reason=f"operands rounded to {precision}; {found.reason}",
            precision=precision,
            error_bound=rounded_error_bound(precision, found.error_bound, problem.dtype),
            seconds=found.seconds + copied / (_ITEMS_PER_SECOND * threads_for(policy)),
            detail=_Mixed(mixed, found),
        )
        size = self.plan(problem, decision).workspace_bytes
        if size > policy.workspace_limit:
            what = "16-bit copies, and what multiplies them,"
            return over_limit(self.name, what, size, policy.workspace_limit)
        return replace(decision, workspace_bytes=size)

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        left = decision.detail
        if not isinstance(left, _Mixed):
            return self._inner.plan(problem, decision)
        assert isinstance(problem, ConvProblem)
        inner = self._inner.plan(left.problem, left.decision)
        return PairedPlan(problem, left.problem, inner, decision.threads)


def _is_asked_for(problem: Problem, policy: Policy) -> bool:
    return (
        policy.precision in narrow.HALVES
        and core is not None
        and isinstance(problem, ConvProblem)
        and problem.dtype == problem.inputs[0].dtype == "float32"
    )


def _mixed(problem: ConvProblem, factors: tuple[Operand, ...], dtype: str) -> ConvProblem:
    """Return the problem on rounded copies of some of its operands."""
    names = names_of(problem, factors)
    copies: dict[str, Any] = {
        name: copy_of(factor).operand(dtype) for name, factor in zip(names, factors, strict=True)
    }
    return replace(problem, **copies)
