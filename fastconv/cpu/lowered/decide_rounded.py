"""Decide for a candidate on a problem whose operands are rounded first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import Candidate, refused, threads_for
from fastconv.cpu.lowered.plan import LoweredPlan, copied_items
from fastconv.cpu.lowered.problem import Product, is_batched, narrowed
from fastconv.cpu.plans import itemsize
from fastconv.precision import (
    COMPLEX,
    FLOATING,
    FORMATS,
    real_format,
    rounded_error_bound,
    sum_dtype,
)
from fastconv.problem import ConvProblem, GemmProblem, Problem

# Measured: copying and rounding by NumPy, in elements.
_ITEMS_PER_SECOND = 4e8
# The same by our own code, of dtypes that it knows.
_CONVERTED_PER_SECOND = 3e9
_KNOWN = ("float32", "float16", "bfloat16")
_NEAR_BYTES = 2 * 2**20
# What copies may take of the limit; the rest is the plan's that runs on them.
_COPIES_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Lowered:
    """What a decision found out: the precision, the images of a part, and who does the rest."""

    precision: str
    rows: int
    policy: Policy
    candidate: Candidate


def is_coarser(precision: str, dtype: str) -> bool:
    """Whether a precision by name has fewer bits than a dtype's real numbers."""
    asked = FORMATS.get(precision.removesuffix("_strict"))
    return asked is None or asked.unit_roundoff > real_format(dtype).unit_roundoff


def decide(candidate: Candidate, problem: Problem, policy: Policy) -> Decision:
    """Return a candidate's decision, by rounded copies where a lower precision is asked for.

    Where nothing is multiplied, rounding would cost time and gain nothing: sums are then more
    precise than asked for. So they are of complex numbers.
    """
    own, precision = candidate.decide(problem, policy), policy.precision
    if own.can or precision in (None, "auto") or problem.dtype not in FLOATING:
        return own
    assert precision is not None
    real = problem.dtype not in COMPLEX
    if (
        isinstance(problem, ConvProblem | GemmProblem)
        and real
        and precision != "int8"
        and is_coarser(precision, problem.dtype)
    ):
        return on_copies(candidate, problem, precision, policy)
    if is_coarser(precision, sum_dtype(problem.dtype)):
        return candidate.decide(problem, replace(policy, precision=None))
    return own


def on_copies(candidate: Candidate, problem: Product, precision: str, policy: Policy) -> Decision:
    """Return a candidate's decision on float32 copies, as many images at a time as may be."""
    dtype = "float32"
    limit = int(policy.workspace_limit * _COPIES_SHARE)
    if problem.dtype in _KNOWN and isinstance(problem, ConvProblem):
        # What is copied should still be in a cache when it is read.
        least = copied_items(problem, 1, dtype) * itemsize(dtype)
        limit = min(limit, max(_NEAR_BYTES + problem.weight.size * itemsize(dtype), least))
    total = problem.outputs[0].shape[0] if is_batched(problem) else 1
    rows = _rows_within(problem, dtype, total, limit)
    if rows == 0:
        size = copied_items(problem, 1, dtype) * itemsize(dtype)
        return refused(
            candidate.name,
            f"rounded copies of its operands take {size} bytes, over half of the limit of "
            f"{policy.workspace_limit}",
            over_limit=True,
        )
    strict = precision == "float32_strict"
    left = policy.workspace_limit - copied_items(problem, rows, dtype) * itemsize(dtype) - 4096
    inside = replace(
        policy,
        precision="float32_strict" if strict else None,
        tolerance=None,
        workspace_limit=max(left, 1),
    )
    inner = candidate.decide(narrowed(problem, dtype, rows), inside)
    if not inner.can:
        return inner
    detail = Lowered(precision, rows, inside, candidate)
    made = _plan(problem, detail)
    rate = _CONVERTED_PER_SECOND if problem.dtype in _KNOWN else _ITEMS_PER_SECOND
    copies = copied_items(problem, total, dtype) / rate
    return replace(
        inner,
        precision=precision.removesuffix("_strict"),
        reason=f"operands rounded to {precision}; {inner.reason}",
        error_bound=rounded_error_bound(precision, inner.error_bound, problem.dtype),
        seconds=inner.seconds * -(-total // rows) + copies,
        workspace_bytes=made.workspace_bytes + max(inner.workspace_bytes - made.inner_bytes, 0),
        detail=detail,
    )


def _rows_within(problem: Product, dtype: str, total: int, limit: int) -> int:
    """Return the images of a part whose copies fit; equal parts, 0 where none does."""
    parts = 1
    while True:
        rows = -(-total // parts) if total else 0
        if copied_items(problem, rows, dtype) * itemsize(dtype) <= limit:
            return max(rows, 1)
        if rows <= 1:
            return 0
        parts *= 2


def _plan(problem: Product, detail: Lowered) -> LoweredPlan:
    def inner(rows: int) -> Plan:
        part = narrowed(problem, "float32", rows)
        return detail.candidate.plan(part, detail.candidate.decide(part, detail.policy))

    threads = threads_for(detail.policy)
    return LoweredPlan(problem, detail.precision, "float32", detail.rows, inner, threads)


def plan(problem: Problem, decision: Decision) -> Plan:
    """Make a decision of this module ready to run."""
    assert isinstance(problem, ConvProblem | GemmProblem)
    assert isinstance(decision.detail, Lowered)
    return _plan(problem, decision.detail)
