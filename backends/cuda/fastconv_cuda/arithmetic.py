"""Two ways to multiply tiles: ordinary multiply-adds and tensor cores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from fastconv.backend import Policy
from fastconv.precision import classical_error_bound, real_format
from fastconv.problem import ConvProblem, GemmProblem
from fastconv_cuda.candidate import error_bound, own_precision, why_not_in
from fastconv_cuda.device import Card

Product = ConvProblem | GemmProblem
# Tensor cores may cut off what they add rather than round it, and add in blocks.
_TENSOR_ROUNDINGS = 4
TENSOR_CAPABILITY = (8, 0)
HOPPER = (9, 0)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a problem's products are computed in.

    Attributes
    ----------
    math : str
        The word that kernels/math.cuh knows.
    precision : str
        The decision's word.
    rate : str
        Whose peak rate counts.
    rounds : bool
        Whether factors are rounded to nearest where they are rounded; else maybe cut off.
    """

    math: str
    precision: str
    rate: str
    rounds: bool = True

    def bound(self, problem: Product) -> float:
        """Return the published error bound."""
        if self.math == "fma":
            return error_bound(problem)
        length = problem.reduction + (problem.bias is not None)
        bound = _TENSOR_ROUNDINGS * classical_error_bound(length, "float32", "float32")
        if self.math == "tf32":
            # Both factors are rounded.
            unit = 2.0**-11 if self.rounds else 2.0**-10
            return bound + (2 * unit + unit * unit) * (1 + bound)
        return bound + real_format(problem.dtype).unit_roundoff * (1 + bound)


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
    """float32 and float64 by multiply-adds."""

    name = "fma"
    share = 0.6

    def choose(self, problem: Product, policy: Policy, card: Card) -> tuple[Kind, str]:
        """Return float32 or float64."""
        precision = own_precision(problem)
        kind = Kind("fma", precision, precision)
        if problem.dtype not in ("float32", "float64"):
            return kind, f"it multiplies float32 and float64 as they are, not {problem.dtype}"
        return kind, why_not_in(problem, policy, precision)


class Mma:
    """16-bit floats, and float32 rounded to tf32 where the policy lets it, by tensor cores."""

    name = "mma"
    share = 0.45

    def choose(self, problem: Product, policy: Policy, card: Card) -> tuple[Kind, str]:
        """Return the format that tensor cores take."""
        kind = Kind(problem.dtype, "float32", problem.dtype)
        if card.capability < TENSOR_CAPABILITY:
            have, need = (".".join(map(str, c)) for c in (card.capability, TENSOR_CAPABILITY))
            return kind, f"its tensor core instructions need capability {need}, not {have}"
        if problem.dtype == "float32":
            kind = Kind("tf32", "tf32", "tf32")
            if policy.precision is None:
                return kind, 'it rounds float32 to tf32, which takes precision="tf32"'
            return kind, why_not_in(problem, policy, "tf32")
        if problem.dtype not in ("float16", "bfloat16"):
            return kind, f"tensor cores take float16, bfloat16 and tf32, not {problem.dtype}"
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
