"""A candidate: one algorithm that may solve a problem, or says why it can't."""

from __future__ import annotations

from typing import Protocol

from fastconv.backend import Decision, Plan, Policy
from fastconv.precision import (
    COMPLEX,
    FLOATING,
    FORMATS,
    classical_error_bound,
    real_format,
    rounded_error_bound,
    sum_dtype,
)
from fastconv.problem import ConvProblem, GemmProblem, Operand, PoolProblem, Problem
from fastconv_cuda.device import Card, Device

_INT8_ROUNDOFF = 2.0**-8
# powf may be off by 4 units, and is taken twice.
_POWER_ROUNDINGS = 16


class Candidate(Protocol):
    """An algorithm of this backend."""

    @property
    def name(self) -> str:
        """What ``algorithm=`` takes."""

    @property
    def operations(self) -> tuple[str, ...]:
        """What it is for."""

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Say whether this algorithm can solve the problem, and at what cost."""

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""


def refused(name: str, reason: str, *, over_limit: bool = False) -> Decision:
    """Return the decision that declines a problem."""
    return Decision(False, reason, name, over_limit=over_limit)


def unit_roundoff(precision: str) -> float:
    """Return the unit roundoff of a precision that a policy may name."""
    name = precision.removesuffix("_strict")
    return _INT8_ROUNDOFF if name == "int8" else FORMATS[name].unit_roundoff


def rounding_asked(problem: Problem, policy: Policy) -> str:
    """Return what a policy wants operands rounded to; empty where they stay as they are.

    Only real factors are rounded, and int8 is for forward passes alone.
    """
    asked = (policy.precision or "auto").removesuffix("_strict")
    if not isinstance(problem, ConvProblem | GemmProblem) or asked == "auto":
        return ""
    if problem.dtype in COMPLEX:
        return ""
    if asked == "int8":
        return asked if problem.operation.endswith("_forward") else ""
    coarser = FORMATS[asked].unit_roundoff > real_format(problem.dtype).unit_roundoff
    return asked if coarser else ""


def rounded_bound(problem: Problem, rounding: str) -> float:
    """Return the bound of sums in the problem's own precision, of operands rounded before."""
    if not rounding:
        return error_bound(problem)
    length = getattr(problem, "reduction", 0) + (getattr(problem, "bias", None) is not None)
    native = sum_dtype(problem.dtype)
    bound = classical_error_bound(length, native, native)
    return rounded_error_bound(rounding, bound, problem.dtype)


INTEGERS_ALONE = 'precision="int8" is for implicit_gemm_int8 alone'


def why_not_in(problem: Problem, policy: Policy, precision: str) -> str:
    """Return why `precision` isn't precise enough for the policy; empty where it is."""
    asked = policy.precision
    if problem.dtype not in FLOATING or asked == "auto":
        return ""
    native = COMPLEX.get(problem.dtype, problem.dtype)
    if asked is None:
        asked = native
    if unit_roundoff(precision) <= unit_roundoff(asked):
        return ""
    return f"it computes in {precision}, which is less than precision={asked!r}"


def own_precision(problem: Problem) -> str:
    """Return the format of sums that a problem's dtype asks for."""
    native = sum_dtype(problem.dtype)
    return COMPLEX.get(native, native)


def error_bound(problem: Problem) -> float:
    """Return the bound of classical sums: none where nothing is summed."""
    length = getattr(problem, "reduction", 0)
    if problem.dtype not in FLOATING or length == 0:
        return 0.0
    if isinstance(problem, PoolProblem) and problem.operation.startswith("lp_pool"):
        p = problem.norm_type
        if p % 2 == 1 and p > 1:
            # Powers of either sign may cancel, and the root magnifies what is left.
            return float("inf")
        length += _POWER_ROUNDINGS
    bias = getattr(problem, "bias", None) is not None and problem.operation != "bias_grad"
    return classical_error_bound(length + bias, sum_dtype(problem.dtype), problem.dtype)


def itemsize(dtype: str) -> int:
    """Return the bytes of one element, without needing ml_dtypes for bfloat16."""
    sizes = {"bfloat16": 2, "bool": 1, "complex64": 8, "complex128": 16}
    if dtype in sizes:
        return sizes[dtype]
    return int("".join(c for c in dtype if c.isdigit())) // 8


def alignment(operand: Operand) -> int:
    """Return what the address of an operand must be a multiple of; complex ones are two reals."""
    size = itemsize(operand.dtype)
    return size // 2 if operand.dtype in COMPLEX else size


def alignments(problem: Problem) -> list[int]:
    """Return the same for each input and output of a problem."""
    return [alignment(operand) for operand in (*problem.inputs, *problem.outputs)]


def total_bytes(problem: Problem) -> int:
    """Return the bytes of all operands."""
    return sum(o.size * itemsize(o.dtype) for o in (*problem.inputs, *problem.outputs))
