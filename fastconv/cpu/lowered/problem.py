"""The problem that is left once operands have been rounded into copies."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

from fastconv.cpu.plans import itemsize
from fastconv.problem import ConvProblem, GemmProblem, Ints, Operand

Product = ConvProblem | GemmProblem


@dataclass(frozen=True, slots=True)
class Copy:
    """A contiguous copy of an operand: its axes from the slowest to the quickest, as they lie."""

    shape: Ints
    axes: Ints

    def operand(self, dtype: str) -> Operand:
        """Return the copy as an operand with the axes in logical order."""
        strides = [0] * len(self.shape)
        step = itemsize(dtype)
        for axis in reversed(self.axes):
            strides[axis] = step
            step *= self.shape[axis]
        return Operand(self.shape, tuple(strides), dtype)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def of(self, flat: Any) -> Any:
        """Return a flat array, or the front of one, as this copy in logical order."""
        found = flat[: self.size].reshape([self.shape[axis] for axis in self.axes])
        return found.transpose([self.axes.index(axis) for axis in range(len(self.axes))])


def copy_of(operand: Operand, rows: int | None = None) -> Copy:
    """Return the copy of an operand, or of so many of its first axis, in its order in memory."""
    shape = operand.shape if rows is None else (rows, *operand.shape[1:])
    reach = [abs(stride) for stride in operand.strides]
    # The batch stays outside, so that a part of it is a part of memory.
    inner = sorted(range(1, len(shape)), key=lambda axis: -reach[axis])
    return Copy(shape, (0, *inner))


def names_of(problem: Product, operands: tuple[Operand, ...]) -> tuple[str, ...]:
    """Return the fields that hold a problem's operands."""
    known = [field.name for field in fields(problem)]
    return tuple(next(n for n in known if getattr(problem, n) is operand) for operand in operands)


def is_batched(problem: Product) -> bool:
    """Whether the output's first axis is the batch, each image of which is for itself."""
    return not problem.operation.endswith("weight_grad")


def narrowed(problem: Product, dtype: str, rows: int) -> Product:
    """Return the problem on copies of `dtype`, of so many images; outputs of it stay in place."""
    inputs = names_of(problem, problem.inputs)
    (output,) = names_of(problem, problem.outputs)
    changes: dict[str, Any] = {}
    for name in inputs:
        operand = getattr(problem, name)
        part = rows if is_batched(problem) and name in ("x", "y") else None
        changes[name] = copy_of(operand, part).operand(dtype)
    target = getattr(problem, output)
    part = rows if is_batched(problem) else None
    if target.dtype == dtype:
        shape = target.shape if part is None else (part, *target.shape[1:])
        changes[output] = replace(target, shape=shape)
    else:
        changes[output] = copy_of(target, part).operand(dtype)
    return replace(problem, **changes)
