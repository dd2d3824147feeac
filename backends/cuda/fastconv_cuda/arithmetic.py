"""Two ways to multiply tiles: ordinary multiply-adds and tensor cores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from fastconv.backend import Policy
from fastconv.precision import classical_error_bound, real_format, rounded_error_bound
from fastconv.problem import ConvProblem, GemmProblem
from fastconv_cuda.candidate import (
    INTEGERS_ALONE,
    itemsize,
    rounding_asked,
    why_not_in,
)
from fastconv_cuda.device import Card

Product = ConvProblem | GemmProblem
# Tensor cores may cut off what they add rather than round it, and add in blocks.
_TENSOR_ROUNDINGS = 4
TENSOR_CAPABILITY = (8, 0)
HOPPER = (9, 0)
# Products of factors that were converted: (type of the result, that of the factors, math).
CONVERTED = (
    ("float32", "float16", "float16"),
    ("float32", "bfloat16", "bfloat16"),
    ("float64", "float16", "float16"),
    ("float64", "bfloat16", "bfloat16"),
    ("float16", "bfloat16", "bfloat16"),
    ("float64", "float32", "tf32"),
    ("float64", "float32", "fma"),
    ("float16", "float32", "fma"),
    ("bfloat16", "float32", "fma"),
    *((name, "float64", "fma") for name in ("float32", "float16", "bfloat16")),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a problem's products are computed in.

    Attributes
    ----------
    math : str
        The word that kernels/math.cuh knows.
    factor : str
        The dtype of operands as they are multiplied.
    precision : str
        The decision's word.
    rate : str
        Whose peak rate counts.
    rounding : str
        What operands are rounded to; empty where they stay as they are.
    rounds : bool
        Whether factors are rounded to nearest where they are rounded; else maybe cut off.
    """

    math: str
    factor: str
    precision: str
    rate: str
    rounding: str = ""
    rounds: bool = True

    def by_copy(self, problem: Product) -> bool:
        """Whether operands must be converted or rounded before they are multiplied."""
        return self.factor != problem.dtype or bool(self.copy_rounding)

    @property
    def copy_rounding(self) -> str:
        """What copies are rounded to beside their own type; tensor cores round to tf32 alone."""
        if self.math != "fma" or self.rounding == self.factor:
            return ""
        return self.rounding

    def bound(self, problem: Product) -> float:
        """Return the published error bound."""
        length = problem.reduction + (problem.bias is not None)
        sums = "float64" if self.factor == "float64" else "float32"
        bound = classical_error_bound(length, sums, sums)
        if self.math != "fma":
            bound *= _TENSOR_ROUNDINGS
        if self.rounding == "tf32" and not self.rounds:
            unit = 2.0**-10
            return bound + (2 * unit + unit * unit) * (1 + bound)
        if self.rounding:
            return rounded_error_bound(self.rounding, bound, problem.dtype)
        if itemsize(problem.dtype) < itemsize(sums):
            bound += real_format(problem.dtype).unit_roundoff * (1 + bound)
        return bound


class Math(Protocol):
    """A way to multiply."""

    @property
    def name(self) -> str:
        """The end of the algorithm's name."""

    @property
    def share(self) -> float:
        """What is left of the peak rate when nothing else holds a kernel up."""

    def choose(self, problem: Product, policy: Policy, card: Card) -> tuple[Kind, str]:
        """Return what a problem is computed in, and a reason if it can't be."""


class Fma:
    """float32 and float64 by multiply-adds; other operands in copies of those types."""

    name = "fma"
    share = 0.6

    def choose(self, problem: Product, policy: Policy, card: Card) -> tuple[Kind, str]:
        """Return float32 or float64."""
        rounding, dtype = rounding_asked(problem, policy), problem.dtype
        wide = policy.precision == "float64" or (dtype == "float64" and not rounding)
        factor = "float64" if wide else "float32"
        kind = Kind("fma", factor, rounding or factor, factor, rounding)
        if rounding == "int8":
            return kind, INTEGERS_ALONE
        if dtype not in ("float16", "bfloat16", "float32", "float64"):
            return kind, f"it multiplies real numbers, not {dtype}"
        return kind, why_not_in(problem, policy, kind.precision)


class Mma:
    """16-bit floats, and what the policy lets be rounded to them or to tf32, by tensor cores."""

    name = "mma"
    share = 0.45

    def choose(self, problem: Product, policy: Policy, card: Card) -> tuple[Kind, str]:
        """Return the format that tensor cores take."""
        rounding, dtype = rounding_asked(problem, policy), problem.dtype
        if dtype == "float32" and policy.precision == "auto":
            rounding = "tf32"
        halves = ("float16", "bfloat16")
        if rounding == "tf32":
            kind = Kind("tf32", "float32", "tf32", "tf32", "tf32")
        elif rounding in halves:
            kind = Kind(rounding, rounding, rounding, rounding, rounding)
        else:
            kind = Kind(dtype, dtype, "float32", dtype)
        if card.capability < TENSOR_CAPABILITY:
            have, need = (".".join(map(str, c)) for c in (card.capability, TENSOR_CAPABILITY))
            return kind, f"its tensor core instructions need capability {need}, not {have}"
        if rounding == "int8":
            return kind, INTEGERS_ALONE
        if rounding in ("tf32", *halves):
            return kind, ""
        if dtype == "float32":
            return kind, 'it rounds float32 to tf32 or less, which takes precision="tf32"'
        if dtype not in halves:
            return kind, f"tensor cores take float16, bfloat16 and tf32, not {dtype}"
        return kind, why_not_in(problem, policy, "float32")


class Wgmma(Mma):
    """The same by four warps at a time, which only capability 9.0 has."""

    name = "wgmma"
    share = 0.6

    def choose(self, problem: Product, policy: Policy, card: Card) -> tuple[Kind, str]:
        """Return the format that tensor cores take."""
        kind, reason = super().choose(problem, policy, card)
        if card.capability != HOPPER:
            have, need = (".".join(map(str, c)) for c in (card.capability, HOPPER))
            reason = f"its instructions are those of capability {need} alone, not {have}"
        return replace(kind, rounds=False), reason


FMA, MMA, WGMMA = Fma(), Mma(), Wgmma()
