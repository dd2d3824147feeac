"""Candidates for float32 on arrays of 16 bits: on widened copies, so many images at a time."""

from __future__ import annotations

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import Candidate, least_gain
from fastconv.cpu.lowered import decide_rounded
from fastconv.cpu.lowered.decide_rounded import Lowered
from fastconv.cpu.narrow import HALVES
from fastconv.problem import ConvProblem, GemmProblem, Problem

# What sums of 16-bit operands may be asked to be; anything else is for others to round.
_PRECISIONS = (None, "auto", "float32", "float32_strict", *HALVES)


class Widened:
    """A candidate that also takes float16 and bfloat16, whose kernels know float32 alone.

    Parameters
    ----------
    inner : Candidate
        The candidate.
    operations : tuple of str
        Those whose 16-bit operands it doesn't take as they are.
    """

    def __init__(self, inner: Candidate, operations: tuple[str, ...]) -> None:
        self._inner = inner
        self._operations = operations
        self.name = inner.name

    def least_gain(self, problem: Problem, precision: str) -> float:
        """Return the candidate's."""
        return least_gain(self._inner, problem, precision)

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Return the candidate's decision, on copies where it needs them."""
        copied = (
            isinstance(problem, ConvProblem | GemmProblem)
            and problem.dtype in HALVES
            and problem.operation in self._operations
            and policy.precision in _PRECISIONS
        )
        if not copied:
            return self._inner.decide(problem, policy)
        assert isinstance(problem, ConvProblem | GemmProblem)
        strict = policy.precision == "float32_strict"
        return decide_rounded.on_copies(
            self, problem, "float32_strict" if strict else "float32", policy
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        if isinstance(decision.detail, Lowered):
            return decide_rounded.plan(problem, decision)
        return self._inner.plan(problem, decision)
