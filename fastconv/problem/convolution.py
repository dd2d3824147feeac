"""Convolution, its adjoints, and the gradient of its bias."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from fastconv.problem.base import Ints, Operand, Pairs, Problem, present


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvProblem(Problem):
    """A convolution (cross-correlation) y = conv(x, weight), or one of its adjoints.

    ``conv_forward``      (x, weight, bias?) -> y
    ``conv_input_grad``   (y, weight, bias?) -> x; also transposed convolution
    ``conv_weight_grad``  (x, y) -> weight

    The bias belongs to the output's channels, and the activation follows it. With
    ``conjugate`` the adjoints use conj(weight) and conj(x), as gradients do.
    """

    OPERATIONS: ClassVar[tuple[str, ...]] = (
        "conv_forward",
        "conv_input_grad",
        "conv_weight_grad",
    )

    x: Operand
    weight: Operand
    y: Operand
    bias: Operand | None = None
    stride: Ints
    padding: Pairs
    dilation: Ints
    groups: int
    activation: str | None = None
    conjugate: bool = False

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The arrays that ``Plan.run`` is given, in order."""
        if self.operation == "conv_forward":
            return present(self.x, self.weight, self.bias)
        if self.operation == "conv_input_grad":
            return present(self.y, self.weight, self.bias)
        return (self.x, self.y)

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The array that ``Plan.run`` fills."""
        if self.operation == "conv_forward":
            return (self.y,)
        return (self.x,) if self.operation == "conv_input_grad" else (self.weight,)

    @property
    def kernel(self) -> Ints:
        """Extents of the kernel."""
        return self.weight.shape[2:]

    @property
    def reduction(self) -> int:
        """Number of products summed into one element of the output."""
        if self.operation == "conv_weight_grad":
            return self.y.shape[0] * prod(self.y.shape[2:])
        if self.operation == "conv_input_grad":
            return self.weight.shape[0] // self.groups * prod(self.kernel)
        return self.weight.shape[1] * prod(self.kernel)

    @property
    def flops(self) -> int:
        """Multiplications and additions, padding included; 4 times as many when complex."""
        per_product = 8 if self.dtype.startswith("complex") else 2
        return per_product * self.y.size * self.weight.shape[1] * prod(self.kernel)


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasProblem(Problem):
    """``bias_grad``: the sum of y (N, C, ...) over all axes but the channels."""

    OPERATIONS: ClassVar[tuple[str, ...]] = ("bias_grad",)

    y: Operand
    bias: Operand

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The array that ``Plan.run`` is given."""
        return (self.y,)

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The array that ``Plan.run`` fills."""
        return (self.bias,)

    @property
    def reduction(self) -> int:
        """Number of elements summed into one."""
        return self.y.shape[0] * prod(self.y.shape[2:])
