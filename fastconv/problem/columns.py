"""im2col and col2im."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from fastconv.problem.base import Ints, Operand, Pairs, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnsProblem(Problem):
    """Rearrange between an image x and its columns (N, C * prod(kernel), L).

    ``im2col``  (x,) -> columns, a copy
    ``col2im``  (columns,) -> x, the adjoint: overlapping windows are summed
    """

    OPERATIONS: ClassVar[tuple[str, ...]] = ("im2col", "col2im")

    x: Operand
    columns: Operand
    spatial_out: Ints
    kernel: Ints
    stride: Ints
    padding: Pairs
    dilation: Ints

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The array that ``Plan.run`` is given."""
        return (self.x,) if self.operation == "im2col" else (self.columns,)

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The array that ``Plan.run`` fills."""
        return (self.columns,) if self.operation == "im2col" else (self.x,)

    @property
    def reduction(self) -> int:
        """Number of elements that may be summed into one; 0 for a copy."""
        return 0 if self.operation == "im2col" else prod(self.kernel)
