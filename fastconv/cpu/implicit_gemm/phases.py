"""A convolution, or its input gradient, as plain products over parts of the output.

The input gradient with stride s falls into phases: the inputs a, a + s, a + 2s, ... of an axis are
reached through the same taps of the kernel only, every (s / gcd(s, dilation))-th, and over those
the gradient is an ordinary convolution of y with stride 1, taps in reverse. Nothing is multiplied
by zeros between strided elements. Inputs that no tap reaches are in no phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import gcd, prod
from typing import Any

from fastconv.cpu.geometry import geometry_of
from fastconv.cpu.implicit_gemm.shape import Shape, Way, choose_shape, with_band
from fastconv.cpu.isa import core
from fastconv.problem import ConvProblem

ALL = slice(None)


@dataclass(frozen=True, slots=True)
class Phase:
    """One product: which taps of the kernel it uses, and which elements of the output it fills."""

    taps: tuple[slice, ...]
    places: tuple[slice, ...]
    geometry: Any
    shape: Shape


@dataclass(frozen=True, slots=True)
class _AxisPhase:
    taps: slice
    count: int
    places: slice
    length: int
    before: int
    dilation: int


def _axis_phases(problem: ConvProblem, axis: int) -> list[_AxisPhase]:
    """Return the phases of one axis: input i = a + s j reads y[j + c - m d / g] for tap m."""
    kernel, stride = problem.kernel[axis], problem.stride[axis]
    dilation, (before, _) = problem.dilation[axis], problem.padding[axis]
    extent = problem.x.shape[2 + axis]
    common = gcd(stride, dilation)
    step = stride // common
    phases = []
    for first in range(min(step, kernel)):
        a = (first * dilation - before) % stride
        if a >= extent:
            continue
        places, length = slice(a, None, stride), len(range(a, extent, stride))
        count = len(range(first, kernel, step))
        last = first + (count - 1) * step
        taps = slice(last, first - 1 if first else None, -step)
        c = (a + before - first * dilation) // stride
        spread = dilation // common
        phases.append(_AxisPhase(taps, count, places, length, (count - 1) * spread - c, spread))
    return phases


def phase_count(problem: ConvProblem) -> int:
    """Return how many phases an input gradient has at most."""
    geometry = zip(problem.stride, problem.dilation, problem.kernel, strict=True)
    return prod(min(s // gcd(s, d), k) for s, d, k in geometry)


def leaves_gaps(problem: ConvProblem) -> bool:
    """Whether there are elements of the output that no phase fills."""
    if problem.operation == "conv_forward":
        return False
    extents = zip(problem.stride, problem.x.shape[2:], strict=True)
    return any(
        len(_axis_phases(problem, axis)) < min(stride, extent)
        for axis, (stride, extent) in enumerate(extents)
    )


def input_grad_phases(problem: ConvProblem, dtype: str, budget: int) -> Iterator[Phase]:
    """Yield the phases of ``conv_input_grad``."""
    assert core is not None
    ndim, batch = len(problem.kernel), problem.y.shape[0]
    channels = problem.weight.shape[1]
    outputs = problem.weight.shape[0] // problem.groups
    for axes in product(*(_axis_phases(problem, axis) for axis in range(ndim))):
        taps = tuple(axis.taps for axis in axes)
        places = tuple(axis.places for axis in axes)
        lengths = tuple(axis.length for axis in axes)
        counts = tuple(axis.count for axis in axes)
        geometry = core.Geometry(
            problem.y.shape[2:],
            counts,
            (1,) * ndim,
            tuple(axis.before for axis in axes),
            tuple(axis.dilation for axis in axes),
            lengths,
        )
        rows = outputs * prod(counts)
        shape = choose_shape(problem.groups, channels, rows, prod(lengths), batch, dtype, budget)
        way = Way(counts, (1,) * ndim, tuple(axis.dilation for axis in axes), lengths)
        shape = with_band(shape, geometry, outputs, way, batch, dtype, budget)
        yield Phase(taps, places, geometry, shape)


def forward_phase(problem: ConvProblem, dtype: str, budget: int) -> Phase:
    """Return the one phase of ``conv_forward``."""
    rows = problem.weight.shape[1] * prod(problem.kernel)
    channels = problem.weight.shape[0] // problem.groups
    positions, batch = prod(problem.y.shape[2:]), problem.y.shape[0]
    shape = choose_shape(problem.groups, channels, rows, positions, batch, dtype, budget)
    way = Way(problem.kernel, problem.stride, problem.dilation, problem.y.shape[2:])
    geometry = geometry_of(problem)
    shape = with_band(shape, geometry, problem.weight.shape[1], way, batch, dtype, budget)
    everything = (ALL,) * len(problem.kernel)
    return Phase(everything, everything, geometry, shape)


def phases_of(problem: ConvProblem, dtype: str, budget: int) -> tuple[Phase, ...]:
    """Return the phases of a convolution's forward pass or input gradient."""
    if problem.operation == "conv_forward":
        return (forward_phase(problem, dtype, budget),)
    return tuple(input_grad_phases(problem, dtype, budget))
