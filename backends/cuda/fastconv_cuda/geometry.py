"""One form for convolutions, linear layers and columns: always three spatial axes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from fastconv.problem import (
    ColumnsProblem,
    ConvProblem,
    GemmProblem,
    IntegerConvProblem,
    Ints,
    Operand,
)


@dataclass(frozen=True, slots=True)
class Axis:
    """Along one axis, y[o] reads x[o * stride + tap * dilation - before]."""

    extent: int = 1
    out: int = 1
    taps: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0


@dataclass(frozen=True, slots=True)
class Geometry:
    """A convolution of any kind, in numbers alone.

    Attributes
    ----------
    axes : tuple of Axis
        Three; those that a problem lacks come first, with extent 1.
    batch, groups, c, k : int
        Images, groups, and the channels of x and of y in a group.
    x, w, y : tuple of int
        Strides in bytes: (n, c, ...), (k, c, taps...), (n, k, ...).
    bias : int
        The bias's stride.
    activation : str or None
        What follows the bias.
    conjugate : bool
        Whether gradients conjugate.
    """

    axes: tuple[Axis, ...]
    batch: int
    groups: int
    c: int
    k: int
    x: Ints
    w: Ints
    y: Ints
    bias: int = 0
    activation: str | None = None
    conjugate: bool = False

    @property
    def taps(self) -> int:
        """Number of the kernel's taps."""
        return prod(axis.taps for axis in self.axes)

    @property
    def outputs(self) -> int:
        """Number of y's positions in an image."""
        return prod(axis.out for axis in self.axes)

    @property
    def positions(self) -> int:
        """Number of x's positions in an image."""
        return prod(axis.extent for axis in self.axes)


def _axes(
    extents: Ints, outs: Ints, problem: ConvProblem | IntegerConvProblem | ColumnsProblem
) -> tuple[Axis, ...]:
    found = [
        Axis(extent, out, taps, stride, dilation, before)
        for extent, out, taps, stride, dilation, (before, _) in zip(
            extents,
            outs,
            problem.kernel,
            problem.stride,
            problem.dilation,
            problem.padding,
            strict=True,
        )
    ]
    return (Axis(),) * (3 - len(found)) + tuple(found)


def _five(operand: Operand) -> Ints:
    missing = 5 - len(operand.shape)
    return (*operand.strides[:2], *(0,) * missing, *operand.strides[2:])


def conv_geometry(problem: ConvProblem | IntegerConvProblem) -> Geometry:
    """Return a convolution's geometry."""
    return Geometry(
        _axes(problem.x.shape[2:], problem.y.shape[2:], problem),
        problem.x.shape[0],
        problem.groups,
        problem.weight.shape[1],
        problem.weight.shape[0] // problem.groups,
        _five(problem.x),
        _five(problem.weight),
        _five(problem.y),
        problem.bias.strides[0] if problem.bias is not None else 0,
        getattr(problem, "activation", None),
        getattr(problem, "conjugate", False),
    )


def linear_geometry(problem: GemmProblem) -> Geometry:
    """Return a linear layer's geometry: a convolution of single pixels."""
    return Geometry(
        (Axis(),) * 3,
        problem.x.shape[0],
        1,
        problem.x.shape[1],
        problem.weight.shape[0],
        _five(problem.x),
        _five(problem.weight),
        _five(problem.y),
        problem.bias.strides[0] if problem.bias is not None else 0,
        problem.activation,
        problem.conjugate,
    )


def columns_geometry(problem: ColumnsProblem) -> Geometry:
    """Return the geometry of windows over an image, without a weight."""
    zeros = (0,) * 5
    return Geometry(
        _axes(problem.x.shape[2:], problem.spatial_out, problem),
        problem.x.shape[0],
        1,
        problem.x.shape[1],
        1,
        _five(problem.x),
        zeros,
        zeros,
    )


def geometry_of(problem: ConvProblem | GemmProblem) -> Geometry:
    """Return the geometry of whatever has a weight."""
    return linear_geometry(problem) if isinstance(problem, GemmProblem) else conv_geometry(problem)
