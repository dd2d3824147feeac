"""precision="bfloat16" on float32 arrays, where the processor multiplies pairs of bfloat16.

Both factors are rounded into 16-bit copies; sums, bias and results are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import Candidate, over_limit, threads_for
from fastconv.cpu.conversion import round_to_bfloat16
from fastconv.cpu.isa import core
from fastconv.cpu.lowered.problem import Product, copy_of, names_of
from fastconv.cpu.plans import HostPlan, Scratch
from fastconv.precision import rounded_error_bound
from fastconv.problem import ConvProblem, GemmProblem, Problem

_DTYPE = "bfloat16"
# Measured: items rounded in a second, on one thread.
_ITEMS_PER_SECOND = 3e9


class PairedPlan(HostPlan):
    """Rounds both factors, and has a plan of mixed operands do the rest."""

    def __init__(self, problem: Product, inner: Any, threads: int) -> None:
        self._inner, self._threads = inner, threads
        self._source, self._weight = (copy_of(operand) for operand in problem.inputs[:2])
        self._scratch = Scratch()
        self._scratch.add("source", (self._source.size,), "uint16")
        self._scratch.add("weight", (self._weight.size,), "uint16")
        self._scratch.add("inner", (inner.workspace_bytes,), "uint8")
        self.workspace_bytes = self._scratch.bytes
        key = getattr(inner, "pack_key", None)
        if key is not None:
            self.pack_key = ("paired", self._weight.axes, key)

    def pack(self, weight: Any) -> Any:
        """Return a weight rounded, in the order in which the plan reads it."""
        copy = self._weight.of(np.empty(self._weight.size, np.uint16))
        round_to_bfloat16(copy, weight, self._threads)
        return self._inner.pack(copy)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        weight = self._weight.of(self._scratch.cut("weight", workspace))
        round_to_bfloat16(weight, inputs[1], self._threads)
        self._run(self._inner.run, inputs, weight, outputs, workspace)

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
    ) -> None:
        source = self._source.of(self._scratch.cut("source", workspace))
        round_to_bfloat16(source, inputs[0], self._threads)
        run((source, weight, *inputs[2:]), outputs, self._scratch.cut("inner", workspace))


class Paired:
    """A candidate that also multiplies float32 operands rounded to bfloat16, if asked to.

    Parameters
    ----------
    inner : Candidate
        One that takes bfloat16 operands of a float32 result.
    """

    def __init__(self, inner: Candidate) -> None:
        self._inner = inner
        self.name = inner.name

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Return the candidate's decision, on rounded copies under precision="bfloat16"."""
        if not _is_asked_for(problem, policy):
            return self._inner.decide(problem, policy)
        assert isinstance(problem, ConvProblem | GemmProblem)
        copies = 2 * sum(operand.size for operand in problem.inputs[:2]) + 4096
        inside = replace(
            policy,
            precision=None,
            tolerance=None,
            workspace_limit=max(policy.workspace_limit - copies, 1),
        )
        found = self._inner.decide(_mixed(problem), inside)
        if not found.can:
            return found
        made = self._plan(problem, found)
        if made.workspace_bytes > policy.workspace_limit:
            what = "16-bit copies, and what multiplies them,"
            return over_limit(self.name, what, made.workspace_bytes, policy.workspace_limit)
        return replace(
            found,
            reason=f"operands rounded to {_DTYPE}; {found.reason}",
            precision=_DTYPE,
            error_bound=rounded_error_bound(_DTYPE, found.error_bound, problem.dtype),
            seconds=found.seconds + copies / 2 / (_ITEMS_PER_SECOND * threads_for(policy)),
            workspace_bytes=made.workspace_bytes,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        if decision.precision != _DTYPE:
            return self._inner.plan(problem, decision)
        assert isinstance(problem, ConvProblem | GemmProblem)
        return self._plan(problem, decision)

    def _plan(self, problem: Product, decision: Decision) -> PairedPlan:
        inner = self._inner.plan(_mixed(problem), decision)
        return PairedPlan(problem, inner, decision.threads)


def _is_asked_for(problem: Problem, policy: Policy) -> bool:
    return (
        policy.precision == _DTYPE
        and core is not None
        and isinstance(problem, ConvProblem | GemmProblem)
        and problem.dtype == problem.inputs[0].dtype == "float32"
        and narrow.flushes(_DTYPE)
    )


def _mixed(problem: Product) -> Product:
    """Return the problem on rounded copies of its two factors."""
    factors = problem.inputs[:2]
    names = names_of(problem, factors)
    copies: dict[str, Any] = {
        name: copy_of(factor).operand(_DTYPE) for name, factor in zip(names, factors, strict=True)
    }
    return replace(problem, **copies)
