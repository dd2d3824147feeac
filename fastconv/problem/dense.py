"""Linear layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fastconv.problem.base import Operand, Problem, present


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmProblem(Problem):
    """A linear layer y = x weight^T + bias: x (M, K), weight (N, K), y (M, N).

    ``linear_forward``      (x, weight, bias?) -> y
    ``linear_input_grad``   (y, weight) -> x
    ``linear_weight_grad``  (x, y) -> weight
    """

    OPERATIONS: ClassVar[tuple[str, ...]] = (
        "linear_forward",
        "linear_input_grad",
        "linear_weight_grad",
    )

    x: Operand
    weight: Operand
    y: Operand
    bias: Operand | None = None
    activation: str | None = None
    conjugate: bool = False

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The arrays that ``Plan.run`` is given, in order."""
        if self.operation == "linear_forward":
            return present(self.x, self.weight, self.bias)
        return (self.y, self.weight) if self.operation == "linear_input_grad" else (self.x, self.y)

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The array that ``Plan.run`` fills."""
        if self.operation == "linear_forward":
            return (self.y,)
        return (self.x,) if self.operation == "linear_input_grad" else (self.weight,)

    @property
    def reduction(self) -> int:
        """Number of products summed into one element of the output."""
        if self.operation == "linear_forward":
            return self.x.shape[1]
        return self.y.shape[1] if self.operation == "linear_input_grad" else self.x.shape[0]

    @property
    def flops(self) -> int:
        """Multiplications and additions; 4 times as many when complex."""
        return (8 if self.dtype.startswith("complex") else 2) * self.y.size * self.x.shape[1]
