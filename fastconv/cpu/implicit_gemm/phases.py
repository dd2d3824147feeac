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

from fastconv.problem import ConvProblem, Ints


@dataclass(frozen=True, slots=True)
class Phase:
    """One product: which taps of the kernel it uses, and which elements of the output it fills.

    Kernel element k is the weight's first + k * step, output o is place + o * every. Output o reads
    inputs o * stride - before + k * dilation.
    """

    first: Ints
    step: Ints
    place: Ints
    every: Ints
    kernel: Ints
    stride: Ints
    before: Ints
    dilation: Ints
    out: Ints

    @property
    def taps(self) -> tuple[slice, ...]:
        """The phase's elements of the kernel, in order."""
        return _slices(self.first, self.step, self.kernel)

    @property
    def places(self) -> tuple[slice, ...]:
        """The elements of the output that the phase fills."""
        return _slices(self.place, self.every, self.out)


def _slices(first: Ints, step: Ints, count: Ints) -> tuple[slice, ...]:
    ends = (f + s * n for f, s, n in zip(first, step, count, strict=True))
    return tuple(
        slice(f, end if end >= 0 else None, s) for f, end, s in zip(first, ends, step, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _AxisPhase:
    first: int
    step: int
    place: int
    every: int
    kernel: int
    before: int
    dilation: int
    out: int


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
        length, count = len(range(a, extent, stride)), len(range(first, kernel, step))
        last = first + (count - 1) * step
        c = (a + before - first * dilation) // stride
        spread = dilation // common
        before_y = (count - 1) * spread - c
        phases.append(_AxisPhase(last, -step, a, stride, count, before_y, spread, length))
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


def input_grad_phases(problem: ConvProblem) -> Iterator[Phase]:
    """Yield the phases of ``conv_input_grad``."""
    ndim = len(problem.kernel)
    for axes in product(*(_axis_phases(problem, axis) for axis in range(ndim))):
        yield Phase(
            first=tuple(axis.first for axis in axes),
            step=tuple(axis.step for axis in axes),
            place=tuple(axis.place for axis in axes),
            every=tuple(axis.every for axis in axes),
            kernel=tuple(axis.kernel for axis in axes),
            stride=(1,) * ndim,
            before=tuple(axis.before for axis in axes),
            dilation=tuple(axis.dilation for axis in axes),
            out=tuple(axis.out for axis in axes),
        )


def phases_of(problem: ConvProblem) -> tuple[Phase, ...]:
    """Return the phases of a convolution's forward pass, which is its own, or input gradient."""
    if problem.operation != "conv_forward":
        return tuple(input_grad_phases(problem))
    zeros, ones = (0,) * len(problem.kernel), (1,) * len(problem.kernel)
    return (
        Phase(
            first=zeros,
            step=ones,
            place=zeros,
            every=ones,
            kernel=problem.kernel,
            stride=problem.stride,
            before=tuple(before for before, _ in problem.padding),
            dilation=problem.dilation,
            out=problem.y.shape[2:],
        ),
    )
