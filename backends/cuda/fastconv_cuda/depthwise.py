"""Depthwise convolution: one input channel in each group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, Problem
from fastconv_cuda.candidate import (
    alignments,
    error_bound,
    itemsize,
    own_precision,
    refused,
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
_MOST_SPAN, _MOST_TAPS = 20, 49
_BLOCK = 256
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
    """Two or one spatial axes; the input gradient at stride 1."""

    name = "depthwise"
    operations = ConvProblem.OPERATIONS

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept kernels that fit a thread's registers."""
        assert isinstance(problem, ConvProblem)
        geometry = conv_geometry(problem)
        precision = own_precision(problem)
        reason = why_not(problem, geometry) or why_not_in(problem, policy, precision)
        if reason:
            return refused(self.name, reason)
        workspace = 0
        if problem.operation == "conv_weight_grad":
            workspace = parts_of(geometry, problem.dtype, card, policy.workspace_limit)[2]
        moved = total_bytes(problem) + 2 * workspace
        return Decision(
            True,
            "rows of the image in registers",
            self.name,
            precision,
            error_bound(problem),
            seconds(card, problem.flops, precision, _SHARE, moved),
            workspace,
            device=card.device,
            detail=policy.workspace_limit,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem)
        geometry = conv_geometry(problem)
        if problem.operation == "conv_weight_grad":
            assert isinstance(decision.detail, int)
            return _weight_plan(problem, geometry, device, decision.detail)
        return _plan(problem, geometry, device)


def why_not(problem: ConvProblem, geometry: Geometry) -> str:
    """Return why a problem isn't for these kernels; empty where it is."""
    if geometry.c != 1:
        return f"it is for one input channel a group, not for {geometry.c}"
    if problem.dtype not in TYPES:
        return f"it has no kernel for {problem.dtype}"
    if len(problem.kernel) > 2:
        return "it has one or two spatial axes, not three"
    rows, columns = geometry.axes[1:]
    if rows.taps * columns.taps > _MOST_TAPS or _span(columns) > _MOST_SPAN:
        return f"a kernel of {problem.kernel}, strides and dilation included, is too large for it"
    if problem.operation == "conv_input_grad":
        if geometry.k != 1:
            return "its input gradient is for one output channel a group"
        if max(axis.stride for axis in geometry.axes) > 1:
            return "its input gradient is for stride 1"
    return ""


def strip_of(axis: Axis) -> int:
    """Return a thread's outputs in a row: fewer where they share less of the image."""
    return 4 if axis.stride == 1 else 2


def _span(axis: Axis) -> int:
    return (strip_of(axis) - 1) * axis.stride + (axis.taps - 1) * axis.dilation + 1


def _mirrored(geometry: Geometry) -> Geometry:
    """Return the geometry whose forward pass, taps turned around, is the input gradient."""
    axes = tuple(
        Axis(a.out, a.extent, a.taps, 1, a.dilation, (a.taps - 1) * a.dilation - a.before)
        for a in geometry.axes
    )
    return replace(geometry, axes=axes, x=geometry.y, y=geometry.x)


def _plan(problem: ConvProblem, geometry: Geometry, device: Device) -> LaunchPlan:
    flipped: tuple[tuple[str, str | int], ...] = ()
    if problem.operation == "conv_input_grad":
        geometry, flipped = _mirrored(geometry), (("FC_FLIPPED", ""),)
    size = itemsize(problem.dtype)
    channels = geometry.groups * geometry.k
    last = abs(geometry.x[1]) <= size
    arrays = (0, 1, 2, 3) if len(problem.inputs) == 3 else (0, 1, None, 2)

    def plan(lanes: int, otherwise: LaunchPlan | None) -> LaunchPlan:
        unit = unit_for(
            "depthwise.cu",
            problem.dtype,
            geometry.axes,
            ("FC_STRIP", strip_of(geometry.axes[2])),
            ("FC_LANES", lanes),
            *((("FC_LAST", ""),) if last else ()),
            *flipped,
        )
        strips = -(-geometry.axes[2].out // strip_of(geometry.axes[2]))
        count = geometry.batch * (channels // lanes) * geometry.axes[1].out * strips
        launch = over_elements(unit, "depthwise", count, arrays, conv_params(geometry))
        aligned = alignments(problem)
        if lanes > 1:
            aligned[0] = 16
        return LaunchPlan(device, (launch,), aligned, 0, otherwise)

    plain = plan(1, None)
    lanes = 16 // size
    extents = (geometry.batch, *(axis.extent for axis in geometry.axes))
    whole = all(
        stride % 16 == 0
        for stride, extent in zip((geometry.x[0], *geometry.x[2:]), extents, strict=True)
        if extent > 1
    )
    if geometry.x[1] == size and geometry.k == 1 and channels % lanes == 0 and whole:
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
    problem: ConvProblem, geometry: Geometry, device: Device, limit: int
) -> LaunchPlan:
    splits, part, size = parts_of(geometry, problem.dtype, device.card, limit)
    params: Any = np.zeros(1, WEIGHT_SUM)
    params[0]["conv"] = conv_params(geometry)[0]
    params[0]["splits"], params[0]["part"] = splits, part
    wide = across(geometry, problem.dtype)
    channels = geometry.groups * geometry.k
    add_up = Launch(
        unit_for("depthwise_weight.cu", problem.dtype, geometry.axes, ("FC_ACROSS", wide)),
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
