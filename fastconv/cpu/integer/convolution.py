"""An integer convolution as our products see it: one of bytes, unsigned by signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastconv.cpu.packed_plan import PackedPlan
from fastconv.cpu.plans import itemsize
from fastconv.problem import ConvProblem, IntegerConvProblem

# Makes a plan of a convolution of bytes, given what the core is to be told besides.
Planner = Callable[..., PackedPlan]
_SIGN = 0x80
_ENDS = {"int8": (-128, 127), "uint8": (0, 255)}


def as_convolution(problem: IntegerConvProblem) -> ConvProblem:
    """Return the convolution that an integer one is, but for its zero points and its scales."""
    return ConvProblem(
        function=problem.function,
        operation="conv_forward",
        device=problem.device,
        x=problem.x,
        weight=problem.weight,
        y=problem.y,
        stride=problem.stride,
        padding=problem.padding,
        dilation=problem.dilation,
        groups=problem.groups,
    )


def options_of(problem: IntegerConvProblem) -> dict[str, Any]:
    """Return what the core is told of an integer convolution's bytes."""
    flips = (
        _SIGN if problem.x.dtype == "int8" else 0,
        _SIGN if problem.weight.dtype == "uint8" else 0,
    )
    return {"target_size": itemsize(problem.y.dtype), "flips": flips}


def unsigned(zero_point: int, dtype: str) -> int:
    """Return what an item of x is once its sign bit is flipped, if it has one."""
    return zero_point + (_SIGN if dtype == "int8" else 0)


def signed(zero_points: Any, dtype: str) -> Any:
    """Return the weight's zero points as they are once the weight is signed, in int32."""
    return zero_points.astype("int32") - (_SIGN if dtype == "uint8" else 0)


def zeros_of(given: Any, dtype: str) -> Any:
    """Return a weight's zero points once it is signed, in int32; None where all of them are 0."""
    middle = _SIGN if dtype == "uint8" else 0
    if given is None:
        return np.full(1, -middle, np.int32) if middle else None
    return np.ascontiguousarray(signed(given, dtype)) if (given != middle).any() else None


def numbers_of(
    problem: IntegerConvProblem, inputs: Sequence[Any]
) -> tuple[Any, tuple[int, Any, Any, int, int, int]]:
    """Return the bias of a problem's inputs, and what the core is told besides."""
    _, _, x_zero, *rest = inputs
    given = rest.pop(0) if problem.w_zero_point is not None else None
    bias = rest.pop(0) if problem.bias is not None else None
    zeros = zeros_of(given, problem.weight.dtype)
    zero = unsigned(int(x_zero[0]), problem.x.dtype)
    if not rest:
        return bias, (zero, zeros, None, 0, 0, 0)
    multiplier, y_zero = rest
    ends = _ENDS[problem.y.dtype]
    return bias, (zero, zeros, np.ascontiguousarray(multiplier), int(y_zero[0]), *ends)
