"""The catalogue of cases, every operation of :data:`fastconv.problem.OPERATIONS` in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import chain

from fastconv.testing.cases import convolution, dense, integer, pooling
from fastconv.testing.cases._case import Case, Spec

__all__ = ["Case", "Spec", "all_cases", "case_named", "is_available"]


@cache
def all_cases() -> tuple[Case, ...]:
    """Return every case, in a fixed order.

    Examples
    --------
    >>> case_named("conv_forward-dilated-float32").specs["weight"].shape
    (3, 2, 3, 3)
    """
    families = (convolution, integer, dense, pooling)
    return tuple(_checked(chain.from_iterable(family.cases() for family in families)))


def _checked(cases: Iterator[Case]) -> Iterator[Case]:
    seen = set()
    for case in cases:
        if case.name in seen:
            raise ValueError(f"two cases are named {case.name}")
        seen.add(case.name)
        yield case


def is_available(case: Case) -> bool:
    """Whether a case's dtypes can be had here: bfloat16 needs ml_dtypes."""
    narrow = any(spec.dtype == "bfloat16" for spec in case.specs.values())
    return not narrow or find_spec("ml_dtypes") is not None


def case_named(name: str) -> Case:
    """Return the case of that name; KeyError if there is none."""
    return {case.name: case for case in all_cases()}[name]
