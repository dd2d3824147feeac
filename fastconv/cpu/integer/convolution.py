"""An integer convolution as our products see it: one of bytes, unsigned by signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastconv.cpu.packed_plan import PackedPlan
from fastconv.cpu.plans import itemsize
from fastconv.problem import ConvProblem, IntegerConvProblem, Ints, Operand

# Makes a plan of a convolution of bytes, given what the core is to be told besides.
Planner = Callable[..., PackedPlan]
_SIGN = 0x80


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


def contiguous(shape: Ints, dtype: str) -> Operand:
    """Return the operand of a contiguous array."""
    strides, step = [], itemsize(dtype)
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return Operand(shape, tuple(reversed(strides)), dtype)


def with_sums(problem: IntegerConvProblem) -> IntegerConvProblem:
    """Return the convolution that gives a requantised one's int32 sums, contiguous."""
    return replace(
        problem,
        operation="conv_integer",
        y=contiguous(problem.y.shape, "int32"),
        multiplier=None,
        y_zero_point=None,
    )


def of_windows(problem: IntegerConvProblem) -> IntegerConvProblem:
    """Return the convolution that sums x over each group's windows: all weights are 1."""
    shape = (problem.groups, *problem.weight.shape[1:])
    return replace(
        with_sums(problem),
        weight=contiguous(shape, "int8"),
        y=contiguous((problem.y.shape[0], problem.groups, *problem.y.shape[2:]), "int32"),
        bias=None,
    )
