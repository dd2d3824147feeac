"""A candidate: one algorithm that may solve a problem, or says why it can't."""

from __future__ import annotations

from typing import Protocol

from fastconv.backend import Decision, Plan, Policy
from fastconv.machine import usable_cores
from fastconv.precision import COMPLEX, FLOATING, classical_error_bound, sum_dtype
from fastconv.problem import IntegerConvProblem, PoolProblem, Problem


class Candidate(Protocol):
    """An algorithm of the CPU backend."""

    @property
    def name(self) -> str:
        """What ``algorithm=`` takes."""

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Say whether this algorithm can solve the problem, and at what cost.

        The candidate with the least predicted seconds on one thread is taken, so that seconds
        must be honest beside those of the others. They follow from shapes and this machine's
        rates alone, never from fresh timings.
        """

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""


def least_gain(candidate: Candidate, problem: Problem, precision: str) -> float:
    """Return how many times faster than others a candidate must be to be taken.

    `precision` is what it multiplies in.
    """
    own = getattr(candidate, "least_gain", None)
    return 1.0 if own is None else float(own(problem, precision))


def threads_for(policy: Policy) -> int:
    """Return the number of threads that a policy lets our kernels use."""
    return policy.threads or usable_cores()


def refused(name: str, reason: str, *, over_limit: bool = False) -> Decision:
    """Return the decision that declines a problem."""
    return Decision(False, reason, name, over_limit=over_limit)


def threads_within(threads: int, limit: int, once: int, each: int) -> int:
    """Return how many of the threads have room in a workspace, 0 where none has.

    Short memory takes threads, and nothing that would change the order of a sum.

    Parameters
    ----------
    threads, limit : int
        As many as may run, and the bytes of the workspace.
    once, each : int
        Bytes that all of them share, and that each takes besides.
    """
    return max(0, min(threads, (limit - once) // max(each, 1)))


def over_limit(name: str, what: str, size: int, limit: int) -> Decision:
    """Return the decision that declines a problem for want of memory.

    `what` takes `size` bytes at the least.
    """
    return refused(name, f"{what} take {size} bytes, over the limit of {limit}", over_limit=True)


def arithmetic(problem: Problem, policy: Policy) -> tuple[str, str]:
    """Return the dtype of sums under a policy's precision, and a reason if it isn't served.

    Sums may be more precise than asked for, never less.
    """
    native = sum_dtype(problem.dtype)
    if problem.dtype not in FLOATING:
        # Integers of any width are copied, compared or added with wrap-around: exact.
        return native, ""
    asked = policy.precision
    real = COMPLEX.get(native, native)
    if asked in (None, "auto", problem.dtype, real):
        return native, ""
    if asked == "float64" and real == "float32":
        return ("complex128" if native in COMPLEX else "float64"), ""
    if asked == "float32_strict" and real == "float32":
        return native, ""
    return native, f"precision={asked!r} on {problem.dtype} operands is not available here"


def why_not_as_it_is(problem: Problem, dtype: str) -> str:
    """Return why kernels that take float32 and float64 as they are can't take sums in `dtype`."""
    if dtype == problem.dtype and dtype in ("float32", "float64"):
        return ""
    return f"it takes float32 and float64 as they are, not {dtype} sums of {problem.dtype}"


def error_bound(problem: Problem, dtype: str) -> float:
    """Return the bound on a decision's error: none where nothing is summed."""
    length = getattr(problem, "reduction", 0)
    if dtype not in FLOATING or length == 0:
        return 0.0
    if isinstance(problem, PoolProblem) and problem.operation.startswith("lp_pool"):
        p = problem.norm_type
        if p % 2 == 1 and p > 1:
            # Powers of either sign may cancel, and the root magnifies what is left.
            return float("inf")
    return classical_error_bound(
        length + (getattr(problem, "bias", None) is not None), dtype, problem.dtype
    )


def rate_dtype(dtype: str) -> str:
    """Return the floating dtype whose arithmetic rate stands for that of `dtype`."""
    name = COMPLEX.get(dtype, dtype)
    return name if name in ("float32", "float64") else "float64"


def precision_name(dtype: str) -> str:
    """Return the precision's name for a dtype of sums."""
    return COMPLEX.get(dtype, dtype)


def precision_of(problem: Problem, dtype: str) -> str:
    """Return the precision's name for a problem whose sums have a dtype."""
    return "int8" if isinstance(problem, IntegerConvProblem) else precision_name(dtype)
