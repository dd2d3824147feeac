"""Problems: what a backend is asked to compute, as frozen values.

A problem describes arrays in *logical* order, (N, C, spatial...) whatever the layout: a
channels-last array shows in its strides. Operands of one problem share one dtype, in native
byte order; indices are int64. Spatial parameters are tuples with an entry per spatial axis.
"""

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


def _present(*operands: Operand | None) -> tuple[Operand, ...]:
    return tuple(operand for operand in operands if operand is not None)


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
            return _present(self.x, self.weight, self.bias)
        if self.operation == "conv_input_grad":
            return _present(self.y, self.weight, self.bias)
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
            return _present(self.x, self.weight, self.bias)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The windows of a pool along one axis of `length` elements, `count` of them.

    A fixed window o covers ``o * stride - padding[0] + i * dilation`` for i < kernel, elements
    in the padding left out. An adaptive one covers floor(o L / count) to ceil((o+1) L / count).
    """

    length: int
    count: int
    kernel: int = 0
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    adaptive: bool = False
    count_padding: bool = False

    @property
    def step(self) -> int:
        """Distance of a window's neighbouring elements."""
        return 1 if self.adaptive else self.dilation

    @property
    def most_taps(self) -> int:
        """Largest number of elements that a window may have."""
        if self.adaptive:
            return -(-self.length // max(self.count, 1)) + 1
        return min(self.kernel, self.length)

    @property
    def most_windows(self) -> int:
        """Largest number of windows that an element may be in."""
        if self.adaptive:
            return -(-self.count // max(self.length, 1)) + 1
        return min(self.kernel, (self.kernel - 1) * self.dilation // self.stride + 1, self.count)

    def table(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return each window's first valid element, its valid taps, and its divisor's share.

        The share counts the taps, and with `count_padding` those in the padding too, but
        never those past it, where ceil_mode may put some.
        """
        o = np.arange(self.count, dtype=np.int64)
        if self.adaptive:
            begin = o * self.length // max(self.count, 1)
            taps = -((-(o + 1) * self.length) // max(self.count, 1)) - begin
            return begin, taps, taps
        start = o * self.stride - self.padding[0]
        skipped = np.maximum(-(start // self.dilation), 0)
        begin = start + skipped * self.dilation
        taps = self._taps_below(self.length, begin, skipped)
        if not self.count_padding:
            return begin, taps, taps
        size = self._taps_below(self.length + self.padding[1], start, np.zeros_like(o))
        return begin, taps, size

    def _taps_below(self, end: int, begin: IntArray, skipped: IntArray) -> IntArray:
        fitting = -((begin - end) // self.dilation)
        return np.clip(np.minimum(fitting, self.kernel - skipped), 0, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolProblem(Problem):
    """A pool over windows, fixed or adaptive, or its gradient.

    ``max_pool``           (x,) -> (y, indices?)
    ``max_pool_backward``  (y, indices) -> x: each y is added to the element that it indexes
    ``max_unpool``         (y, indices) -> x: as above, but written, not added
    ``max_unpool_backward``  (x, indices) -> y: the elements at the indices
    ``avg_pool``           (x,) -> y          ``avg_pool_backward``  (y,) -> x
    ``lp_pool``            (x,) -> y          ``lp_pool_backward``   (y, x) -> x's gradient

    Here y is (N, C, windows...), and stands for its own gradient in the backward passes.
    Indices count the elements of one plane of x in row-major order.
    """

    OPERATIONS: ClassVar[tuple[str, ...]] = (
        "max_pool",
        "max_pool_backward",
        "max_unpool",
        "max_unpool_backward",
        "avg_pool",
        "avg_pool_backward",
        "lp_pool",
        "lp_pool_backward",
    )

    x: Operand
    y: Operand
    indices: Operand | None = None
    x_grad: Operand | None = None
    windows: tuple[Window, ...] = ()
    divisor: int | None = None
    norm_type: float = 2.0
    kernel_volume: int = 1

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The arrays that ``Plan.run`` is given, in order."""
        if self.operation in ("max_pool", "avg_pool", "lp_pool"):
            return (self.x,)
        if self.operation == "max_unpool_backward":
            return _present(self.x, self.indices)
        if self.operation == "lp_pool_backward":
            return (self.y, self.x)
        return _present(self.y, self.indices)

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The arrays that ``Plan.run`` fills, in order."""
        if self.operation == "max_pool":
            return _present(self.y, self.indices)
        if self.operation in ("avg_pool", "lp_pool", "max_unpool_backward"):
            return (self.y,)
        return (self.x if self.x_grad is None else self.x_grad,)

    @property
    def reduction(self) -> int:
        """Largest number of terms summed into one element of the output; 0 for a selection."""
        if self.operation in ("max_pool", "max_unpool", "max_unpool_backward"):
            return 0
        if self.operation == "max_pool_backward":
            return prod(self.y.shape[2:])
        if self.operation.endswith("_backward"):
            return prod(window.most_windows for window in self.windows)
        return prod(window.most_taps for window in self.windows)


ANY_PROBLEM = (ConvProblem, BiasProblem, ColumnsProblem, GemmProblem, PoolProblem)
OPERATIONS: tuple[str, ...] = tuple(name for kind in ANY_PROBLEM for name in kind.OPERATIONS)
