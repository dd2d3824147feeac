"""The compiled core's view of a problem's geometry."""

from __future__ import annotations

from typing import Any

from fastconv.cpu.isa import core
from fastconv.problem import ConvProblem, Operand


def geometry_of(problem: ConvProblem) -> Any:
    """Return the compiled core's view of a convolution."""
    assert core is not None
    return core.Geometry(
        problem.x.shape[2:],
        problem.kernel,
        problem.stride,
        tuple(before for before, _ in problem.padding),
        problem.dilation,
        problem.y.shape[2:],
    )


def plain_geometry(operand: Operand) -> Any:
    """Return the geometry whose columns are an array's own positions."""
    assert core is not None
    spatial = operand.shape[2:]
    one, zero = (1,) * len(spatial), (0,) * len(spatial)
    return core.Geometry(spatial, one, one, zero, one, spatial)
