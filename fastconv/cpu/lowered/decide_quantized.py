"""Decide for a candidate on the integer sums of a float product in int8."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import Candidate, over_limit, refused
from fastconv.cpu.integer.plan import ScaledPlan
from fastconv.cpu.lowered.problem import Product, copy_of
from fastconv.cpu.lowered.quantized import QuantizedPlan, as_convolution, packed_bytes
from fastconv.cpu.lowered.scaled_convolution import ScaledConvolutionPlan, lies_as_copied
from fastconv.cpu.lowered.scaled_product import ScaledProductPlan, is_one_product
from fastconv.cpu.lowered.scales import LARGEST
from fastconv.cpu.lowered.stepped_depthwise import SteppedDepthwisePlan
from fastconv.cpu.plans import HostPlan
from fastconv.precision import FLOATING, integer_sum_limit
from fastconv.problem import ConvProblem, GemmProblem, IntegerConvProblem, Operand, Problem

# Measured: quantising x and scaling sums, in elements.
_ITEMS_PER_SECOND = 4e9
# What copies may take of the limit; the rest is for the sums.
_COPIES_SHARE = 0.5
_ONE = Operand((1,), (1,), "int8")


class _Way(Enum):
    """Quantised and scaled by the product; read as steps; scaled by it; or all by passes."""

    PRODUCT = "product"
    STEPS = "steps"
    SCALED = "scaled"
    COPIES = "copies"


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
    images, way = as_convolution(problem).y.shape[0], _way_of(problem, candidate)
    rows = _rows_within(problem, images, int(policy.workspace_limit * _COPIES_SHARE), way)
    left = policy.workspace_limit - _copied_bytes(problem, rows, way) - 4096
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


def _way_of(problem: Product, candidate: Candidate) -> _Way:
    if isinstance(problem, GemmProblem):
        return _Way.PRODUCT if is_one_product(problem, candidate.name) else _Way.COPIES
    if candidate.name == "depthwise" and problem.dtype == "float32":
        return _Way.STEPS
    able = hasattr(candidate, "scaled_plan") and lies_as_copied(problem)
    return _Way.SCALED if able else _Way.COPIES


def _copied_bytes(problem: Product, rows: int, way: _Way) -> int:
    conv = as_convolution(problem)
    weight, x, sums = packed_bytes(conv), copy_of(conv.x, rows).size, copy_of(conv.y, rows).size
    if way is _Way.STEPS:
        return 5 * weight
    return weight + x + (4 * sums if way is _Way.COPIES else 0)


def _rows_within(problem: Product, images: int, limit: int, way: _Way) -> int:
    """Return the images of a part whose copies fit, in equal parts; at least one."""
    parts = 1
    while True:
        rows = max(-(-images // parts), 1)
        if rows == 1 or way is _Way.STEPS or _copied_bytes(problem, rows, way) <= limit:
            return rows
        parts *= 2


def _plan(problem: Product, detail: Quantized, threads: int) -> HostPlan:
    candidate: Any = detail.candidate
    way = _way_of(problem, candidate)

    def inner(rows: int) -> Plan:
        part = integer_problem(problem, rows)
        found: Plan = candidate.plan(part, candidate.decide(part, detail.policy))
        return found

    if isinstance(problem, GemmProblem):
        if way is _Way.PRODUCT:
            return ScaledProductPlan(problem, threads)
        return QuantizedPlan(problem, detail.rows, threads, inner)

    def scaled(rows: int) -> ScaledPlan:
        y = replace(problem.y, shape=(rows, *problem.y.shape[1:]))
        part = integer_problem(problem, rows)
        found: ScaledPlan = candidate.scaled_plan(part, y, problem.activation, threads)
        return found

    if way is _Way.STEPS:
        return SteppedDepthwisePlan(problem, threads)
    if way is _Way.SCALED:
        return ScaledConvolutionPlan(problem, detail.rows, threads, scaled)
    return QuantizedPlan(problem, detail.rows, threads, inner)


def plan(problem: Problem, decision: Decision) -> Plan:
    """Make a decision of this module ready to run."""
    assert isinstance(problem, ConvProblem | GemmProblem)
    assert isinstance(decision.detail, Quantized)
    return _plan(problem, decision.detail, decision.threads)
