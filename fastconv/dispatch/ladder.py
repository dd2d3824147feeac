"""From one precision to another: the fastest within a tolerance, the next cheaper one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite

from fastconv.backend import Backend, Decision, Policy
from fastconv.errors import UnsupportedError
from fastconv.precision import FORMATS, INTEGERS
from fastconv.problem import Problem

Found = list[tuple[Backend, Decision]]
Ask = Callable[[Backend, Policy], list[Decision]]
# From the most precise on; of two equally fast, the first is taken.
LADDER = ("float64", "float32", "tf32", "float16", "bfloat16", "int8")


def within_tolerance(
    backends: Sequence[Backend], policy: Policy, ask: Ask
) -> tuple[Found, Decision | None]:
    """Return the decisions of every precision, and the fastest that keeps to the tolerance.

    Seconds are those of one thread where backends share a device: more threads must not choose
    another precision, which rounds otherwise.
    """
    found: Found = []
    known: set[tuple[object, ...]] = set()
    best: list[tuple[float, Decision]] = []
    for backend in backends:
        for precision in LADDER:
            asked = replace(policy, precision=precision)
            decisions = ask(backend, asked)
            first = next((d for d in decisions if d.can), None)
            if first is not None and _key(first) not in known:
                best.append((_seconds(backend, asked, first, ask), first))
            fresh = [d for d in decisions if _key(d) not in known]
            known.update(map(_key, fresh))
            found += [(backend, d) for d in fresh]
    chosen = min(best, key=lambda pair: pair[0], default=(0.0, None))[1]
    found.sort(key=lambda pair: (pair[1] is not chosen, not pair[1].can))
    return found, chosen


def _key(decision: Decision) -> tuple[object, ...]:
    shown = decision.precision if decision.can or isfinite(decision.error_bound) else ""
    return decision.backend, decision.algorithm, decision.can, shown, decision.error_bound


def _seconds(backend: Backend, policy: Policy, decision: Decision, ask: Ask) -> float:
    if policy.device == "auto" or decision.threads == 1:
        return decision.seconds
    for again in ask(backend, replace(policy, threads=1)):
        if again.can and (again.algorithm, again.precision) == (
            decision.algorithm,
            decision.precision,
        ):
            return again.seconds
    return decision.seconds * decision.threads


def bits(precision: str) -> int:
    """Return how many bits of an operand a precision keeps; of an unknown one, all."""
    known = FORMATS.get(precision) or INTEGERS.get(precision)
    return known.bits if known else 64


def next_cheaper(chosen: Decision, ask: Callable[[str], Decision | None]) -> Decision | None:
    """Return the decision of the next cheaper precision than the one taken; None if there is none.

    Of those with fewer bits that are predicted to be faster, the one with the least error; where
    none is faster, of all with fewer bits.
    """
    fewer = []
    for name in LADDER:
        if bits(name) < bits(chosen.precision):
            decision = ask(name)
            if decision is not None and bits(decision.precision) < bits(chosen.precision):
                fewer.append(decision)
    faster = [d for d in fewer if d.seconds < chosen.seconds]
    return min(faster or fewer, key=lambda d: (d.error_bound, d.seconds), default=None)


def beyond_tolerance(
    problem: Problem, policy: Policy, found: Sequence[Decision], listing: str
) -> UnsupportedError | None:
    """Return the error that names the least bound there is, if only the tolerance is in the way."""
    if policy.tolerance is None:
        return None
    near = [
        d
        for d in found
        if isfinite(d.error_bound)
        and d.error_bound > policy.tolerance
        and policy.algorithm in (None, d.algorithm)
    ]
    if not near:
        return None
    best = min(near, key=lambda d: d.error_bound)
    way_out = "" if policy.precision == "auto" else ', or precision="auto" for more bits'
    return UnsupportedError(
        f"{problem.function}: tolerance: got {policy.tolerance:.3g}, expected at least "
        f"{best.error_bound:.3g}, the best achievable here ({best.backend}/{best.algorithm} in "
        f"{best.precision}). Raise tolerance={way_out}.{listing}"
    )
