"""Convolution of integers of 8 bits, whose sums are exact."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from fastconv.problem.base import Ints, Operand, Pairs, Problem, present


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerConvProblem(Problem):
    """A convolution of int8 or uint8 arrays, each less its zero point.

    ``conv_integer``      (x, weight, x_zero_point, w_zero_point?, bias?) -> y
    ``conv_requantized``  (x, weight, x_zero_point, w_zero_point?, bias?, multiplier,
    y_zero_point) -> y

    Both sum (x - x_zero_point) (weight - w_zero_point) exactly, modulo 2^32; padding has the
    value x_zero_point, so that it adds nothing. x and weight may differ in sign. `conv_integer`
    gives the int32 sums. `conv_requantized` rounds sum * multiplier, a product of float32, to
    the nearest integer, ties to even, adds y_zero_point, and saturates to y's dtype, int8 or
    uint8. Zero points have the dtype of what they belong to. Those of x and y are (1,); the
    weight's and the multiplier are (1,) or (output channels,). Where the weight's is missing, it
    is 0, and the work may take less memory. The bias is int32.
    """

    OPERATIONS: ClassVar[tuple[str, ...]] = ("conv_integer", "conv_requantized")

    x: Operand
    weight: Operand
    x_zero_point: Operand
    y: Operand
    w_zero_point: Operand | None = None
    bias: Operand | None = None
    multiplier: Operand | None = None
    y_zero_point: Operand | None = None
    stride: Ints
    padding: Pairs
    dilation: Ints
    groups: int

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The arrays that ``Plan.run`` is given, in order."""
        scaling = (self.multiplier, self.y_zero_point)
        return present(
            self.x, self.weight, self.x_zero_point, self.w_zero_point, self.bias, *scaling
        )

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The array that ``Plan.run`` fills."""
        return (self.y,)

    @property
    def kernel(self) -> Ints:
        """Extents of the kernel."""
        return self.weight.shape[2:]

    @property
    def reduction(self) -> int:
        """Number of products summed into one element of the output."""
        return self.weight.shape[1] * prod(self.kernel)

    @property
    def flops(self) -> int:
        """Multiplications and additions, padding included."""
        return 2 * self.y.size * self.reduction
