"""Warn of results that float16 was too narrow for."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastconv.backend import Decision
from fastconv.dispatch.prepared import plain
from fastconv.dispatch.request import Request
from fastconv.problem import BiasProblem, ColumnsProblem, ConvProblem, GemmProblem, PoolProblem

Check = Callable[[Sequence[Any], Sequence[Any]], None]
# Kinds whose results may be larger than what they come from.
_SUMS = (ConvProblem, GemmProblem, BiasProblem, ColumnsProblem, PoolProblem)
_LARGEST = 65504
# Bits of the first code beyond float16's finite numbers, with and without a sign.
_INFINITE, _NEGATIVE_INFINITE = 0x7C00, 0xFC00


def check_for(request: Request, decision: Decision) -> Check | None:
    """Return what looks for overflow after a run; None where float16 plays no part."""
    problem = request.problem
    if not isinstance(problem, _SUMS) or problem.reduction == 0:
        return None
    if problem.operation == "lp_pool_backward":
        return None  # a root's slope is infinite where nothing overflows
    if isinstance(problem, PoolProblem) and _averages(problem):
        return None
    stored = problem.dtype == "float16"
    if not stored and decision.precision != "float16":
        return None
    suspect = _has_no_number if stored else _is_not_finite

    def check(inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        out = outputs[0]
        if isinstance(out, np.ndarray) and out.size and suspect(out):
            # NaN alone in a float16 result comes of what went in: sums have float32's reach.
            if stored and not np.isinf(out).any():
                return
            _warn(problem.function, inputs, stored)

    return check


def _averages(problem: PoolProblem) -> bool:
    """Whether results are means, or shares that don't meet: none exceeds what it comes from."""
    if problem.operation == "avg_pool":
        return problem.divisor is None
    apart = all(min(window.count, window.most_windows) <= 1 for window in problem.windows)
    return problem.operation == "avg_pool_backward" and problem.divisor is None and apart


def _has_no_number(out: Any) -> bool:
    """Whether a float16 array has an infinity or a NaN, by two quick passes over its bits."""
    codes = out.view(np.int16)
    return bool(codes.max() >= _INFINITE or codes.view(np.uint16).max() >= _NEGATIVE_INFINITE)


def _is_not_finite(out: Any) -> bool:
    return not np.isfinite(out).all()


def _warn(function: str, inputs: Sequence[Any], stored: bool) -> None:
    given = [plain(operand) for operand in inputs if operand is not None]
    if np.geterr()["over"] == "ignore" or not all(np.isfinite(array).all() for array in given):
        return
    what = "a result is" if stored else 'with precision="float16", an operand or a sum is'
    warnings.warn(
        f"{function}: {what} beyond {_LARGEST}, float16's largest number, and became infinite or "
        "NaN. Scale the operands, or take bfloat16, which reaches as far as float32 "
        '(numpy.errstate(over="ignore") silences this)',
        RuntimeWarning,
        stacklevel=levels_to_user(),
    )


def levels_to_user() -> int:
    """Return the stacklevel, for the caller, of the first frame outside fastconv."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("fastconv."):
        frame = frame.f_back
        level += 1
    return level
