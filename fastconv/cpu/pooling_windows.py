"""Windows as the compiled core takes them, whole or a part cut along one axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.isa import core
from fastconv.problem import IntArray, Ints, PoolProblem, Window

# Of one axis: each window's first element, its taps, its divisor's share; step; extent.
Table = tuple[IntArray, IntArray, IntArray, int, int]


def cut_axis(extents: Ints) -> int:
    """Return the axis to cut: the first with an extent.

    An index into such a part is one into the whole, less a constant.
    """
    return next((axis for axis, extent in enumerate(extents) if extent > 1), 0)


@dataclass(frozen=True, slots=True)
class Part:
    """Some windows along the cut axis, and some elements.

    What windows `first` to `last` have outside the elements `start` to `stop` is left out. In
    a gradient, the elements from `keep` to `end` are in no other window.
    """

    first: int
    last: int
    start: int
    stop: int
    keep: int
    end: int

    @property
    def windows(self) -> int:
        """Number of windows."""
        return self.last - self.first

    @property
    def elements(self) -> int:
        """Number of elements."""
        return self.stop - self.start


class Windows:
    """A pool's windows and the axis along which they are cut."""

    def __init__(self, problem: PoolProblem) -> None:
        self._windows = problem.windows
        self.extents: Ints = tuple(window.length for window in problem.windows)
        self.counts: Ints = tuple(window.count for window in problem.windows)
        self.axis = cut_axis(self.extents)

    @property
    def cut(self) -> Window:
        """The windows along the axis that is cut."""
        return self._windows[self.axis]

    def by_windows(self, rows: int) -> Iterator[Part]:
        """Yield parts of at most `rows` windows."""
        for first in range(0, self.cut.count, rows):
            last = min(first + rows, self.cut.count)
            start, stop = self._reach(first, last) or (0, 1)
            yield Part(first, last, start, stop, start, stop)

    def by_elements(self, rows: int, whole: bool) -> Iterator[Part]:
        """Yield parts with all windows that touch some `rows` elements: `whole` or cut off."""
        for low in range(0, self.cut.length, rows):
            high = min(low + rows, self.cut.length)
            first, last = self.cut.touching(low, high)
            start, stop = (whole and self._reach(first, last)) or (low, high)
            yield Part(first, last, min(start, low), max(stop, high), low, high)

    def _reach(self, first: int, last: int) -> tuple[int, int] | None:
        """Return from where to where some windows have elements, if they have any."""
        begin, taps, _ = self.cut.table(first, last)
        end = begin + (taps - 1) * self.cut.step
        hit = taps > 0
        return (int(begin[hit].min()), int(end[hit].max()) + 1) if hit.any() else None

    def elements(self, part: Part) -> int:
        """Return the number of a part's elements in one plane."""
        return prod(self.extents) // max(self.extents[self.axis], 1) * part.elements

    def outputs(self, part: Part) -> int:
        """Return the number of a part's windows in one plane."""
        return prod(self.counts) // max(self.counts[self.axis], 1) * part.windows

    def offset(self, part: Part) -> int:
        """Return what to add to an index into the part."""
        return part.start * prod(self.extents[self.axis + 1 :])

    def tables(self, part: Part) -> list[Table]:
        """Return a part's windows for the core, axis by axis."""
        tables = []
        for axis, window in enumerate(self._windows):
            if axis == self.axis:
                begin, taps, size = window.table(part.first, part.last)
                begin, taps = _within(part, begin, taps, window.step)
                tables.append((begin, taps, size, window.step, part.elements))
            else:
                tables.append((*window.table(), window.step, window.length))
        return tables


def identity(count: int) -> Table:
    """Return an axis whose windows are its elements."""
    ones = np.ones(count, np.int64)
    return np.arange(count, dtype=np.int64), ones, ones, 1, count


def for_core(tables: list[Table]) -> Any:
    """Return windows in the core's own form."""
    assert core is not None
    axes = [
        (begin.tolist(), taps.tolist(), size.tolist(), step)
        for begin, taps, size, step, _ in tables
    ]
    return core.Windows(axes, tuple(extent for *_, extent in tables))


def _within(part: Part, begin: IntArray, taps: IntArray, step: int) -> tuple[IntArray, IntArray]:
    """Return windows without what they have outside a part, counted from its start."""
    before = np.maximum(-((begin - part.start) // step), 0)
    begin = begin + before * step - part.start
    fitting = -((begin - part.elements) // step)
    return begin, np.clip(np.minimum(taps - before, fitting), 0, None)
