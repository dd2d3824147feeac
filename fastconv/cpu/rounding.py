"""A lower precision on float32 arrays, by kernels that round operands as they read them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import Candidate, least_gain, rounding_first
from fastconv.cpu.lowered.problem import names_of
from fastconv.cpu.plans import ROUNDED_AS
from fastconv.problem import ConvProblem, Problem


@dataclass(frozen=True, slots=True)
class _Rounded:
    """The problem whose operands are rounded, and what the candidate decided on it."""

    problem: ConvProblem
    decision: Decision


class Rounding:
    """A candidate that also multiplies float32 operands rounded to fewer bits, if asked to.

    They are rounded in registers, on their way to where the candidate copies them anyway: sums,
    bias and results are float32.
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
        precision = narrow.rounding_of(problem, policy)
        if own.can or not precision:
            return own
        assert isinstance(problem, ConvProblem)
        rounded = _rounded(problem, precision)
        inside = replace(policy, precision=None, tolerance=None)
        found = self._inner.decide(rounded, inside)
        if not found.can:
            return found
        return replace(rounding_first(found, precision), detail=_Rounded(rounded, found))

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        left = decision.detail
        if not isinstance(left, _Rounded):
            return self._inner.plan(problem, decision)
        return self._inner.plan(left.problem, replace(left.decision, threads=decision.threads))


def _rounded(problem: ConvProblem, precision: str) -> ConvProblem:
    """Return the problem on operands that are rounded as they are read."""
    factors = problem.inputs[:2]
    changes: dict[str, Any] = {
        name: replace(factor, dtype=ROUNDED_AS + precision)
        for name, factor in zip(names_of(problem, factors), factors, strict=True)
    }
    return replace(problem, **changes)
