"""Depthwise convolution: one input channel in each group."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, Problem
from fastconv_cuda.candidate import (
    INTEGERS_ALONE,
    alignments,
    itemsize,
    own_precision,
    refused,
    rounded_bound,
    rounding_asked,
    total_bytes,
    why_not_in,
)
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import typed
from fastconv_cuda.geometry import Axis, Geometry, conv_geometry
from fastconv_cuda.params import WEIGHT_SUM, conv_params
from fastconv_cuda.plan import Launch, LaunchPlan, Scratch, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.units import Unit

TYPES = ("float32", "float16", "bfloat16", "float64")
# A thread holds a row of the image and all taps: registers end somewhere.
_MOST_SPAN, _MOST_TAPS, _MOST_STRIDE = 20, 49, 8
_BLOCK = 256
_MOST_LAST = 65_535
_SHARE = 0.2


def unit_for(file: str, dtype: str, axes: tuple[Axis, ...], *more: tuple[str, str | int]) -> Unit:
    """Return a unit for the kernel's extent, stride and dilation."""
    names = ("FC_TAPS", "FC_STRIDE", "FC_DILATION")
    numbers = [
        (f"{name}_{letter}", str(value))
        for letter, axis in zip("HW", axes[1:], strict=True)
        for name, value in zip(names, (axis.taps, axis.stride, axis.dilation), strict=True)
    ]
    rest = ((name, str(value)) for name, value in more)
    return Unit(file, (("FC_ELEMENT", dtype), *numbers, *rest))


class Depthwise:
    """Two or one spatial axes; all passes."""

    name = "depthwise"
    operations = ConvProblem.OPERATIONS

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept kernels that fit a thread's registers."""
        assert isinstance(problem, ConvProblem)
        geometry = conv_geometry(problem)
        sums, rounding = own_precision(problem), rounding_asked(problem, policy)
        precision = rounding or sums
        reason = why_not(problem, geometry)
        if not reason:
            integers = rounding == "int8"
            reason = INTEGERS_ALONE if integers else why_not_in(problem, policy, precision)
        if reason:
            return refused(self.name, reason)
        workspace = 0
        if problem.operation == "conv_weight_grad":
            workspace = parts_of(geometry, problem.dtype, card, policy.workspace_limit)[2]
        moved = total_bytes(problem) + 2 * workspace
        return Decision(
            True,
            "rows of the image in registers"
            + (f", operands rounded to {rounding}" if rounding else ""),
            self.name,
            precision,
            rounded_bound(problem, rounding),
            seconds(card, problem.flops, sums, _SHARE, moved),
            workspace,
            device=card.device,
            detail=(rounding, policy.workspace_limit),
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem)
        geometry = conv_geometry(problem)
        assert isinstance(decision.detail, tuple)
        rounding, limit = decision.detail
        if problem.operation == "conv_weight_grad":
            return _weight_plan(problem, geometry, device, limit, rounding)
        return _plan(problem, geometry, device, rounding)


def why_not(problem: ConvProblem, geometry: Geometry) -> str:
    """Return why a problem isn't for these kernels; empty where it is."""
    if geometry.c != 1:
        return f"it is for one input channel a group, not for {geometry.c}"
    if problem.dtype not in TYPES:
        return f"it has no kernel for {problem.dtype}"
    if len(problem.kernel) > 2:
        return "it has one or two spatial axes, not three"
    rows, columns = geometry.axes[1:]
    grad = problem.operation == "conv_input_grad"
    span = _grad_span(columns) if grad else _span(columns)
    if rows.taps * columns.taps > _MOST_TAPS or span > _MOST_SPAN:
        return f"a kernel of {problem.kernel}, strides and dilation included, is too large for it"
    if grad and columns.stride > _MOST_STRIDE:
        return f"a stride of {columns.stride} takes too many registers for its input gradient"
    return ""


def strip_of(axis: Axis) -> int:
    """Return a thread's outputs in a row: fewer where they share less of the image."""
    return 4 if axis.stride == 1 else 2


def grad_strip_of(axis: Axis) -> int:
    """Return a thread's results in a row of x: whole strides."""
    return 4 if axis.stride in (1, 2) else axis.stride


def _span(axis: Axis) -> int:
    return (strip_of(axis) - 1) * axis.stride + (axis.taps - 1) * axis.dilation + 1


def _grad_span(axis: Axis) -> int:
    return (grad_strip_of(axis) + (axis.taps - 1) * axis.dilation) // axis.stride + 1


def across_of(chunks: int) -> int:
    """Return how many chunks of channels a block has: the most of which few are idle.

    Examples
    --------
    >>> across_of(1), across_of(12), across_of(16), across_of(18)
    (1, 4, 8, 2)
    """
    return min((8, 4, 2, 1), key=lambda n: (-(-chunks // n) * n, -n))


def strips_unit(
    file: str, dtype: str, axes: tuple[Axis, ...], rounding: str, lanes: int, across: int
) -> Unit:
    """Return depthwise or depthwise_input; `across` is 0 where channels don't come last."""
    columns = axes[2]
    more: list[tuple[str, str | int]] = [("FC_LANES", lanes)]
    if file == "depthwise_input.cu":
        more += [("FC_STRIP", grad_strip_of(columns))]
        more += [("FC_BEFORE_W", columns.before % columns.stride)]
    else:
        more += [("FC_STRIP", strip_of(columns))]
    if across:
        more += [("FC_LAST", ""), ("FC_ACROSS", across)]
    if rounding:
        more += [("FC_ROUNDED", rounding)]
    return unit_for(file, dtype, axes, *more)


def _plan(problem: ConvProblem, geometry: Geometry, device: Device, rounding: str) -> LaunchPlan:
    grad = problem.operation == "conv_input_grad"
    size, columns = itemsize(problem.dtype), geometry.axes[2]
    given = geometry.y if grad else geometry.x
    channels = geometry.groups * (1 if grad else geometry.k)
    # The weights of a block's channels lie in its shared memory: not those of several k.
    last = abs(given[1]) <= size and channels <= _MOST_LAST and not (grad and geometry.k > 1)
    arrays = (0, 1, 2, 3) if len(problem.inputs) == 3 else (0, 1, None, 2)

    def plan(lanes: int, otherwise: LaunchPlan | None) -> LaunchPlan:
        chunks = channels // lanes
        across = across_of(chunks) if last else 0
        file = "depthwise_input.cu" if grad else "depthwise.cu"
        unit = strips_unit(file, problem.dtype, geometry.axes, rounding, lanes, across)
        strip = grad_strip_of(columns) if grad else strip_of(columns)
        rows, width = ((axis.extent if grad else axis.out) for axis in geometry.axes[1:])
        count = geometry.batch * rows * -(-width // strip)
        if last:
            grid = (-(-count // (_BLOCK // across)), -(-chunks // across), 1)
        else:
            grid = (-(-count * chunks // _BLOCK), 1, 1)
        taps = geometry.taps * across * lanes * max(size, 4)
        kernel, params = unit.file.removesuffix(".cu"), (conv_params(geometry),)
        launch = Launch(unit, kernel, grid, (_BLOCK, 1, 1), arrays, params, taps)
        aligned = alignments(problem)
        if lanes > 1:
            aligned[0] = 16
        return LaunchPlan(device, (launch,), aligned, 0, otherwise)

    plain = plan(1, None)
    lanes = 16 // size
    extents = (geometry.batch, *((axis.out if grad else axis.extent) for axis in geometry.axes))
    whole = all(
        stride % 16 == 0
        for stride, extent in zip((given[0], *given[2:]), extents, strict=True)
        if extent > 1
    )
    if given[1] == size and geometry.k == 1 and channels % lanes == 0 and whole:
        return plan(lanes, plain)
    return plain


def parts_of(geometry: Geometry, dtype: str, card: Card, limit: int) -> tuple[int, int, int]:
    """Return into how many parts pixels are cut, their size, and the bytes of their sums."""
    channels = geometry.groups * geometry.k
    pixels = geometry.batch * geometry.outputs
    each = channels * geometry.taps * max(itemsize(dtype), 4)
    blocks = -(-channels // across(geometry, dtype))
    most = min(4 * card.processors // max(blocks, 1), pixels // 2048, limit // max(each, 1), 65_535)
    part = max(-(-pixels // max(most, 1)), 1)
    splits = max(-(-pixels // part), 1)
    return splits, part, splits * each


def across(geometry: Geometry, dtype: str) -> int:
    """Return how many neighbouring channels a block has: 32 where they lie side by side."""
    return 32 if abs(geometry.x[1]) <= itemsize(dtype) else 1


def _weight_plan(
    problem: ConvProblem, geometry: Geometry, device: Device, limit: int, rounding: str
) -> LaunchPlan:
    splits, part, size = parts_of(geometry, problem.dtype, device.card, limit)
    params: Any = np.zeros(1, WEIGHT_SUM)
    params[0]["conv"] = conv_params(geometry)[0]
    params[0]["splits"], params[0]["part"] = splits, part
    params[0]["c"], params[0]["k"] = geometry.c, geometry.k
    wide = across(geometry, problem.dtype)
    channels = geometry.groups * geometry.k
    words = [("FC_ACROSS", str(wide))]
    if rounding:
        words.append(("FC_ROUNDED", rounding))
    add_up = Launch(
        unit_for("depthwise_weight.cu", problem.dtype, geometry.axes, *words),
        "depthwise_weight",
        (-(-channels // wide), splits, 1),
        (_BLOCK, 1, 1),
        (0, 1, Scratch(0)),
        (params,),
        _BLOCK * max(itemsize(problem.dtype), 4),
    )
    reduce = over_elements(
        typed("reduce_weight.cu", problem.dtype),
        "reduce_weight",
        channels * geometry.taps,
        (Scratch(0), 2),
        params,
    )
    return LaunchPlan(device, (add_up, reduce), alignments(problem), size)


DEPTHWISE = Depthwise()
