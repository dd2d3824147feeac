"""What every problem has."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any, ClassVar, Self

import numpy as np

IntArray = np.ndarray[Any, np.dtype[np.int64]]
Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Operand:
    """Shape, strides in bytes and dtype name of one array."""

    shape: Ints
    strides: Ints
    dtype: str

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What every problem has: the function that was called, and where its arrays live."""

    OPERATIONS: ClassVar[tuple[str, ...]] = ()

    function: str
    operation: str
    device: str

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The arrays that ``Plan.run`` is given, in order."""
        raise NotImplementedError

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The arrays that ``Plan.run`` fills, in order."""
        raise NotImplementedError

    @property
    def dtype(self) -> str:
        """The operands' common dtype."""
        return self.outputs[0].dtype

    def with_output(self, operand: Operand) -> Self:
        """Return this problem with another memory layout of its first output."""
        old = self.outputs[0]
        name = next(f.name for f in fields(self) if getattr(self, f.name) is old)
        changes: dict[str, Any] = {name: operand}
        return replace(self, **changes)


def present(*operands: Operand | None) -> tuple[Operand, ...]:
    return tuple(operand for operand in operands if operand is not None)
