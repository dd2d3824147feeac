"""Hold an output to what the oracle expects and to the error bound that was published."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.backend import Decision
from fastconv.precision import COMPLEX, FORMATS, classical_error_bound, real_format, sum_dtype
from fastconv.testing.oracle import Expected

# Largest error bound that float32 sums may publish: what Winograd's transform costs.
TRANSFORM_BOUND = 2.0**-16
# Room for what isn't a sum: divisions, powers, a bias, a different count of the roundings.
_SLACK = 8
_ROUNDOFFS = {"tf32": 2.0**-11, "int8": 2.0**-8}


class ConformanceError(AssertionError):
    """A backend breaks the contract; the message says in which case, and how."""


def check_bound(decision: Decision, expected: Expected, dtype: str) -> None:
    """Refuse a published error bound that says nothing, or that loses precision silently."""
    bound = decision.error_bound
    if expected.ill_conditioned and bound == np.inf:
        return
    if not 0 <= bound < 1:
        raise ConformanceError(f"its error_bound is {bound}, expected 0 or more and below 1")
    if expected.magnitudes is None or dtype not in FORMATS | COMPLEX:
        return
    most = _most(expected, dtype)
    if bound > most:
        raise ConformanceError(
            f"its error_bound is {bound:.3g}, expected at most {most:.3g} for {dtype} operands "
            f"when the policy sets no precision: sums are at least {sum_dtype(dtype)}"
        )


def _most(expected: Expected, dtype: str) -> float:
    """Return the largest bound that a sum may publish when the policy sets no precision."""
    wide = sum_dtype(dtype)
    most = _SLACK * classical_error_bound(expected.terms + _SLACK, wide, wide)
    if real_format(wide).name == "float32":
        most = max(most, TRANSFORM_BOUND)
    return most if wide == dtype else most + 2 * real_format(dtype).unit_roundoff


def roundoff(precision: str) -> float:
    """Return the unit roundoff of a precision by the name that policies and decisions use.

    Raises
    ------
    ConformanceError
        If no precision has that name.
    """
    if precision in _ROUNDOFFS:
        return _ROUNDOFFS[precision]
    if precision not in FORMATS:
        raise ConformanceError(
            f"its precision is {precision!r}, expected one of "
            + ", ".join(sorted(FORMATS | _ROUNDOFFS))
        )
    return FORMATS[precision].unit_roundoff


def check_precision(decision: Decision, asked: str) -> None:
    """Refuse a decision that is less precise than the policy asked for by name."""
    given = roundoff(decision.precision)
    # "auto" leaves the precision to the tolerance, which dispatch holds decisions to.
    if asked != "auto" and given > roundoff(asked.removesuffix("_strict")):
        raise ConformanceError(
            f"its precision is {decision.precision}, which is less than precision={asked!r} allows"
        )


def check_values(
    out: Any, expected: Expected, decision: Decision, what: str, beside: Any = 0.0
) -> None:
    """Raise ConformanceError unless `out` is what is expected, within the published bound.

    `beside` is what each channel may be off beside the bound.
    """
    if expected.magnitudes is None:
        _check_equal(out, expected.values, what)
        return
    exact = expected.values
    if out.shape != exact.shape:
        raise ConformanceError(f"{what}: got shape {out.shape}, expected {exact.shape}")
    dtype = out.dtype.name
    with np.errstate(invalid="ignore"):
        got = out.astype(exact.dtype)
    finite = np.isfinite(exact)
    _check_special(got, exact, finite, what)
    allowed = _allowed(expected, decision, dtype, beside)
    if exact.size == 0:
        return
    with np.errstate(invalid="ignore"):
        errors = np.where(finite, np.abs(got - exact), 0.0)
    errors = np.moveaxis(errors, expected.channel_axis, 0).reshape(len(allowed), -1).max(axis=1)
    worst = int(np.argmax(errors / allowed))
    if errors[worst] > allowed[worst]:
        raise ConformanceError(
            f"{what}: channel {worst} is off by {errors[worst]:.3g}, which is "
            f"{errors[worst] / allowed[worst]:.3g} times what the published error_bound "
            f"{decision.error_bound:.3g} allows"
        )


def _allowed(expected: Expected, decision: Decision, dtype: str, beside: Any) -> Any:
    """Return the largest error of each channel.

    It is (bound + the oracle's own) times the channel's largest sum of magnitudes, plus the
    smallest normal number, and more of these where the decision flushes; an activation adds a few
    roundings of its own, and stretches no error by more than 1.13.
    """
    axes = tuple(a for a in range(expected.values.ndim) if a != expected.channel_axis)
    scale = expected.magnitudes.max(axis=axes, initial=0.0)
    # Where no bound can be published, the catalogue's values are chosen to need none.
    bound = (
        min(decision.error_bound, _most(expected, dtype))
        if expected.ill_conditioned
        else (decision.error_bound)
    )
    bound += classical_error_bound(expected.terms, "float64", "float64")
    allowed = bound * scale + beside + real_format(dtype).smallest_normal
    if decision.flushes:
        allowed += expected.reach * real_format(decision.precision).smallest_normal
    if expected.activated:
        unit = max(roundoff(decision.precision), real_format(dtype).unit_roundoff)
        allowed = 1.13 * allowed + 4 * unit * np.maximum(scale, 1.0)
    return allowed


def _check_equal(out: Any, expected: Any, what: str) -> None:
    if out.shape != expected.shape:
        raise ConformanceError(f"{what}: got shape {out.shape}, expected {expected.shape}")
    different = ~((out == expected) | ((out != out) & (expected != expected)))
    if different.any():
        at = tuple(int(i) for i in np.argwhere(different)[0])
        raise ConformanceError(
            f"{what}: {int(different.sum())} of {out.size} elements differ where equality is "
            f"due; at {at}: got {out[at]}, expected {expected[at]}"
        )


def _check_special(got: Any, exact: Any, finite: Any, what: str) -> None:
    """NaN and infinities must be where they belong, of the right kind, and nowhere else."""
    same = (got == exact) | (np.isnan(got) & np.isnan(exact))
    wrong = np.where(finite, ~np.isfinite(got), ~same)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ConformanceError(
            f"{what}: at {at}: got {got[at]}, expected {exact[at]} "
            f"({int(wrong.sum())} such elements)"
        )


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays hold the same bits; any NaN is the same as any other."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    nan = a != a
    if not np.array_equal(nan, b != b):
        return False
    plain = np.where(nan, np.zeros((), a.dtype), a), np.where(nan, np.zeros((), b.dtype), b)
    return bool(plain[0].tobytes() == plain[1].tobytes())
