"""Products in a precision that no kernel takes float arrays in: on rounded or quantised copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import Candidate
from fastconv.cpu.lowered import decide_quantized, decide_rounded
from fastconv.cpu.lowered.decide_quantized import Quantized
from fastconv.cpu.lowered.decide_rounded import Lowered
from fastconv.problem import ConvProblem, GemmProblem, Problem

Listing = Callable[[Problem], Sequence[Candidate]]
Named = Callable[[Problem, str], Candidate]


def candidates(problem: Problem, policy: Policy, listing: Listing) -> Sequence[Candidate]:
    """Return the candidates for a problem under a policy: in int8, those for integer sums."""
    if _in_int8(problem, policy):
        assert isinstance(problem, ConvProblem | GemmProblem)
        return listing(decide_quantized.integer_problem(problem))
    return listing(problem)


def decide(candidate: Candidate, problem: Problem, policy: Policy) -> Decision:
    """Return what a candidate decides on a problem, on copies where the policy asks for them."""
    if _in_int8(problem, policy):
        assert isinstance(problem, ConvProblem | GemmProblem)
        return decide_quantized.decide(candidate, problem, policy)
    return decide_rounded.decide(candidate, problem, policy)


def _in_int8(problem: Problem, policy: Policy) -> bool:
    return policy.precision == "int8" and decide_quantized.is_served(problem)


def plan(problem: Problem, decision: Decision, named: Named) -> Plan:
    """Make a decision ready to run, by whoever took it."""
    if isinstance(decision.detail, Quantized):
        return decide_quantized.plan(problem, decision)
    if isinstance(decision.detail, Lowered):
        return decide_rounded.plan(problem, decision)
    return named(problem, decision.algorithm).plan(problem, decision)
