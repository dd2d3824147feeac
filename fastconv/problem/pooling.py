"""Pools over windows."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from fastconv.problem.base import IntArray, Operand, Problem, present


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

    def touching(self, low: int, high: int) -> tuple[int, int]:
        """Return a range of windows, first and last + 1, with all that touch these elements."""
        if self.adaptive:
            first = low * self.count // self.length - 1
            last = -(-high * self.count // self.length) + 1
        else:
            before = self.padding[0]
            first = (low + before - (self.kernel - 1) * self.dilation) // self.stride
            last = (high - 1 + before) // self.stride + 1
        first = min(max(first, 0), self.count)
        return first, min(max(last, first), self.count)

    def table(self, first: int = 0, last: int | None = None) -> tuple[IntArray, IntArray, IntArray]:
        """Return each window's first valid element, its valid taps, and its divisor's share.

        The share counts the taps, and with `count_padding` those in the padding too, but
        never those past it, where ceil_mode may put some. Of windows `first` to `last` alone,
        if they are given.
        """
        o = np.arange(first, self.count if last is None else last, dtype=np.int64)
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
    Indices count the elements of one plane of x in row-major order. A gradient's may come from
    elsewhere than the pool, and lie outside their windows.
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
            return present(self.x, self.indices)
        if self.operation == "lp_pool_backward":
            return (self.y, self.x)
        return present(self.y, self.indices)

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The arrays that ``Plan.run`` fills, in order."""
        if self.operation == "max_pool":
            return present(self.y, self.indices)
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
