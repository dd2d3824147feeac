"""Decide for a candidate on the integer sums of a float product in int8."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import Candidate, over_limit, refused
from fastconv.cpu.lowered.problem import Product, copy_of
from fastconv.cpu.lowered.quantized import QuantizedPlan, as_convolution, packed_bytes
from fastconv.cpu.lowered.scaled_product import ScaledProductPlan, is_one_product
from fastconv.cpu.lowered.scales import LARGEST
from fastconv.precision import FLOATING, integer_sum_limit
from fastconv.problem import ConvProblem, GemmProblem, IntegerConvProblem, Operand, Problem

# Measured: quantising x and scaling sums, in elements.
_ITEMS_PER_SECOND = 4e9
# What copies may take of the limit; the rest is for the sums.
_COPIES_SHARE = 0.5
_ONE = Operand((1,), (1,), "int8")


@dataclass(frozen=True, slots=True)
class Quantized:
    """What a decision found out: the images of a part, and who sums the integers."""

    rows: int
    policy: Policy
    candidate: Candidate


def is_served(problem: Problem) -> bool:
    """Whether a problem is a float product that int8 is made for: forward, of real numbers."""
    return (
        isinstance(problem, ConvProblem | GemmProblem)
        and problem.operation in ("conv_forward", "linear_forward")
        and problem.dtype in FLOATING
        and not problem.dtype.startswith("complex")
    )


def integer_problem(problem: Product, rows: int | None = None) -> IntegerConvProblem:
    """Return the problem of the integer sums, of so many images."""
    conv = as_convolution(problem)
    return IntegerConvProblem(
        function=problem.function,
        operation="conv_integer",
        device=problem.device,
        x=copy_of(conv.x, rows).operand("int8"),
        weight=copy_of(conv.weight).operand("int8"),
        x_zero_point=_ONE,
        y=copy_of(conv.y, rows).operand("int32"),
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        groups=conv.groups,
    )


def decide(candidate: Candidate, problem: Product, policy: Policy) -> Decision:
    """Return a candidate's decision on the integer sums, as one on the problem itself."""
    most = integer_sum_limit(LARGEST, LARGEST)
    if problem.reduction > most:
        return refused(
            candidate.name, f"int32 may not hold sums of {problem.reduction} products: {most} do"
        )
    images = as_convolution(problem).y.shape[0]
    rows = _rows_within(problem, images, int(policy.workspace_limit * _COPIES_SHARE))
    left = policy.workspace_limit - _copied_bytes(problem, rows) - 4096
    inside = replace(policy, precision=None, tolerance=None, workspace_limit=max(left, 1))
    inner = candidate.decide(integer_problem(problem, rows), inside)
    if not inner.can:
        return inner
    detail = Quantized(rows, inside, candidate)
    made = _plan(problem, detail, inner.threads)
    size = made.workspace_bytes
    if isinstance(made, QuantizedPlan):
        own = max(inner.workspace_bytes - made.inner_bytes, 0)  # what it takes beside its workspace
        size += made.finish_bytes + own
    if size > policy.workspace_limit:
        return over_limit(candidate.name, "integer copies and sums", size, policy.workspace_limit)
    moved = sum(operand.size for operand in problem.inputs + problem.outputs)
    return replace(
        inner,
        precision="int8",
        reason=f"operands scaled to int8; {inner.reason}",
        error_bound=float("inf"),
        seconds=inner.seconds * -(-images // rows) + moved / _ITEMS_PER_SECOND,
        workspace_bytes=size,
        detail=detail,
    )


def _copied_bytes(problem: Product, rows: int) -> int:
    conv = as_convolution(problem)
    sizes = copy_of(conv.x, rows).size + 4 * copy_of(conv.y, rows).size
    return sizes + packed_bytes(conv)


def _rows_within(problem: Product, images: int, limit: int) -> int:
    """Return the images of a part whose copies fit, in equal parts; at least one."""
    parts = 1
    while True:
        rows = max(-(-images // parts), 1)
        if rows == 1 or _copied_bytes(problem, rows) <= limit:
            return rows
        parts *= 2


def _plan(problem: Product, detail: Quantized, threads: int) -> QuantizedPlan | ScaledProductPlan:
    if isinstance(problem, GemmProblem) and is_one_product(problem, detail.candidate.name):
        return ScaledProductPlan(problem, threads)

    def inner(rows: int) -> Plan:
        part = integer_problem(problem, rows)
        return detail.candidate.plan(part, detail.candidate.decide(part, detail.policy))

    return QuantizedPlan(problem, detail.rows, threads, inner)


def plan(problem: Problem, decision: Decision) -> Plan:
    """Make a decision of this module ready to run."""
    assert isinstance(problem, ConvProblem | GemmProblem)
    assert isinstance(decision.detail, Quantized)
    return _plan(problem, decision.detail, decision.threads)
