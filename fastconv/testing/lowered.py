"""What rounding or quantising operands may cost beside a published bound, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.backend import Decision
from fastconv.precision import COMPLEX, FORMATS, INTEGERS, quantized_error_bound
from fastconv.problem import Problem
from fastconv.testing.oracle import Expected, solve


def is_reached(decision: Decision, values: Sequence[Any]) -> bool:
    """Whether a decision's precision reaches all that its operands hold.

    Operands beyond float16's largest number become infinite, and int8 has neither infinities nor
    NaN: nothing is promised for either.
    """
    operands = [np.asarray(v, np.result_type(v, np.float64)) for v in values[:2]]
    if decision.precision == "int8":  # its scales are float32
        most = FORMATS["float32"].largest
        return all(bool((np.abs(v) <= most).all()) for v in operands)
    if decision.precision not in FORMATS or any(v.dtype.kind == "c" for v in operands):
        return True
    largest = FORMATS[decision.precision].largest
    with np.errstate(invalid="ignore"):
        return not any(bool((np.isfinite(v) & (abs(v) > largest)).any()) for v in operands)


def allowance(
    problem: Problem, values: Sequence[Any], decision: Decision, expected: Expected
) -> Any:
    """Return what each channel may be off beside the bound; 0 where operands stay as they are."""
    if decision.precision == "int8" and expected.magnitudes is not None:
        return _of_integers(values, expected)
    known = FORMATS.get(decision.precision)
    own = FORMATS.get(COMPLEX.get(problem.dtype, problem.dtype))
    if known is None or own is None or known.unit_roundoff <= own.unit_roundoff:
        return 0.0
    if expected.magnitudes is None or len(values) < 2:
        return 0.0
    # An operand below the smallest normal number is off by up to half the smallest one.
    half = known.smallest_subnormal / 2
    ones = [np.ones_like(value, np.float64) for value in values[:2]]
    sizes = [np.where(np.isfinite(v), np.abs(np.asarray(v, np.float64)), 0.0) for v in values[:2]]
    pairs = ((sizes[0], ones[1]), (ones[0], sizes[1]))
    return half * sum(_most(solve(problem, [*pair, *values[2:]])[0]) for pair in pairs)


def _most(expected: Expected) -> Any:
    """Return the largest sum of magnitudes of each channel."""
    axes = tuple(a for a in range(expected.values.ndim) if a != expected.channel_axis)
    return expected.magnitudes.max(axis=axes, initial=0.0)


def _of_integers(values: Sequence[Any], expected: Expected) -> Any:
    x, weight = (np.abs(np.asarray(v, np.float64)) for v in values[:2])
    # The smallest scale there is.
    least = FORMATS["float32"].smallest_subnormal * INTEGERS["int8"].largest
    rows = weight.reshape(len(weight), -1).max(axis=1, initial=least)
    return quantized_error_bound() * expected.terms * x.max(initial=least) * rows
