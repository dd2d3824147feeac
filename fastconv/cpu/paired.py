"""precision="bfloat16" or "float16" on float32 arrays, by kernels that multiply such arrays.

Both factors are rounded into 16-bit copies; sums, bias and results are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import Candidate, least_gain, over_limit, threads_for
from fastconv.cpu.conversion import round_to_bits
from fastconv.cpu.isa import core
from fastconv.cpu.lowered.problem import Product, copy_of, names_of
from fastconv.cpu.plans import HostPlan, Scratch
from fastconv.precision import rounded_error_bound
from fastconv.problem import ConvProblem, GemmProblem, Problem

# Measured: items rounded in a second, on one thread.
_ITEMS_PER_SECOND = 3e9


class PairedPlan(HostPlan):
    """Rounds both factors, and has a plan of mixed operands do the rest."""

    def __init__(self, problem: Product, dtype: str, inner: Any, threads: int) -> None:
        self._dtype, self._inner, self._threads = dtype, inner, threads
        self._source, self._weight = (copy_of(operand) for operand in problem.inputs[:2])
        self._scratch = Scratch()
        self._scratch.add("source", (self._source.size,), "uint16")
        self._scratch.add("weight", (self._weight.size,), "uint16")
        self._scratch.add("inner", (inner.workspace_bytes,), "uint8")
        self.workspace_bytes = self._scratch.bytes
        key = getattr(inner, "pack_key", None)
        if key is not None:
            self.pack_key = ("paired", dtype, self._weight.axes, key)

    def pack(self, weight: Any) -> Any:
        """Return a weight rounded, in the order in which the plan reads it."""
        copy = self._weight.of(np.empty(self._weight.size, np.uint16))
        round_to_bits(copy, weight, self._dtype, self._threads)
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
        round_to_bits(weight, inputs[1], self._dtype, self._threads)
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
        round_to_bits(source, inputs[0], self._dtype, self._threads)
        run((source, weight, *inputs[2:]), outputs, self._scratch.cut("inner", workspace))


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

    def least_gain(self, problem: Problem) -> float:
        """Return the candidate's."""
        return least_gain(self._inner, problem)

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Return the candidate's decision, on rounded copies where 16 bits are asked for."""
        if not _is_asked_for(problem, policy):
            return self._inner.decide(problem, policy)
        assert isinstance(problem, ConvProblem | GemmProblem)
        dtype = str(policy.precision)
        copies = 2 * sum(operand.size for operand in problem.inputs[:2]) + 4096
        inside = replace(
            policy,
            precision=None,
            tolerance=None,
            workspace_limit=max(policy.workspace_limit - copies, 1),
        )
        found = self._inner.decide(_mixed(problem, dtype), inside)
        if not found.can:
            return found
        made = self._plan(problem, dtype, found)
        if made.workspace_bytes > policy.workspace_limit:
            what = "16-bit copies, and what multiplies them,"
            return over_limit(self.name, what, made.workspace_bytes, policy.workspace_limit)
        return replace(
            found,
            reason=f"operands rounded to {dtype}; {found.reason}",
            precision=dtype,
            error_bound=rounded_error_bound(dtype, found.error_bound, problem.dtype),
            seconds=found.seconds + copies / 2 / (_ITEMS_PER_SECOND * threads_for(policy)),
            workspace_bytes=made.workspace_bytes,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        if decision.precision not in narrow.HALVES:
            return self._inner.plan(problem, decision)
        assert isinstance(problem, ConvProblem | GemmProblem)
        return self._plan(problem, decision.precision, decision)

    def _plan(self, problem: Product, dtype: str, decision: Decision) -> PairedPlan:
        inner = self._inner.plan(_mixed(problem, dtype), decision)
        return PairedPlan(problem, dtype, inner, decision.threads)


def _is_asked_for(problem: Problem, policy: Policy) -> bool:
    return (
        policy.precision in narrow.HALVES
        and core is not None
        and isinstance(problem, ConvProblem | GemmProblem)
        and problem.dtype == problem.inputs[0].dtype == "float32"
    )


def _mixed(problem: Product, dtype: str) -> Product:
    """Return the problem on rounded copies of its two factors."""
    factors = problem.inputs[:2]
    names = names_of(problem, factors)
    copies: dict[str, Any] = {
        name: copy_of(factor).operand(dtype) for name, factor in zip(names, factors, strict=True)
    }
    return replace(problem, **copies)
