"""Windows as the compiled core takes them, whole or a part cut along one axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.isa import core
from fastconv.problem import IntArray, Ints, PoolProblem


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
    """A pool's windows and the axis along which they may be cut."""

    def __init__(self, problem: PoolProblem) -> None:
        self._tables = [window.table() for window in problem.windows]
        self._steps = [window.step for window in problem.windows]
        self.extents: Ints = tuple(window.length for window in problem.windows)
        self.counts: Ints = tuple(window.count for window in problem.windows)
        self.axis = cut_axis(self.extents)

    def whole(self) -> Part:
        """Return all windows as one part."""
        extent = self.extents[self.axis]
        return Part(0, self.counts[self.axis], 0, extent, 0, extent)

    def by_windows(self, rows: int) -> Iterator[Part]:
        """Yield parts of at most `rows` windows."""
        count = self.counts[self.axis]
        for first in range(0, count, rows):
            last = min(first + rows, count)
            start, stop = self._reach(first, last)
            yield Part(first, last, start, stop, start, stop)

    def by_elements(self, rows: int, whole: bool) -> Iterator[Part]:
        """Yield parts with all windows that touch some `rows` elements: `whole` or cut off."""
        begin, taps, end = self._cut()
        extent = self.extents[self.axis]
        for low in range(0, extent, rows):
            high = min(low + rows, extent)
            touching = np.flatnonzero((taps > 0) & (begin < high) & (end >= low))
            first, last = (touching[0], touching[-1] + 1) if len(touching) else (0, 0)
            start, stop = self._reach(first, last) if whole and len(touching) else (low, high)
            yield Part(int(first), int(last), min(start, low), max(stop, high), low, high)

    def _cut(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return each window's first element, its taps, and its last element."""
        begin, taps, _ = self._tables[self.axis]
        return begin, taps, begin + (taps - 1) * self._steps[self.axis]

    def _reach(self, first: int, last: int) -> tuple[int, int]:
        begin, taps, end = (column[first:last] for column in self._cut())
        hit = taps > 0
        return (int(begin[hit].min()), int(end[hit].max()) + 1) if hit.any() else (0, 1)

    def elements(self, part: Part) -> int:
        """Return the number of a part's elements in one plane."""
        return prod(self.extents) // max(self.extents[self.axis], 1) * part.elements

    def outputs(self, part: Part) -> int:
        """Return the number of a part's windows in one plane."""
        return prod(self.counts) // max(self.counts[self.axis], 1) * part.windows

    def offset(self, part: Part) -> int:
        """Return what to add to an index into the part."""
        return part.start * prod(self.extents[self.axis + 1 :])

    def for_core(self, part: Part, channels: int = 0) -> Any:
        """Return a part for the core; `channels`, if any, as the innermost spatial axis."""
        assert core is not None
        axes: list[Any] = []
        extents = list(self.extents)
        for axis, (begin, taps, size) in enumerate(self._tables):
            if axis == self.axis:
                some = slice(part.first, part.last)
                size = size[some]
                begin, taps = _within(part, begin[some], taps[some], self._steps[axis])
                extents[axis] = part.elements
            axes.append((begin.tolist(), taps.tolist(), size.tolist(), self._steps[axis]))
        if channels:
            ones = [1] * channels
            axes.append((range(channels), ones, ones, 1))
            extents.append(channels)
        return core.Windows(axes, tuple(extents))


def _within(part: Part, begin: IntArray, taps: IntArray, step: int) -> tuple[IntArray, IntArray]:
    """Return windows without what they have outside a part, counted from its start."""
    before = np.maximum(-((begin - part.start) // step), 0)
    begin = begin + before * step - part.start
    fitting = -((begin - part.elements) // step)
    return begin, np.clip(np.minimum(taps - before, fitting), 0, None)
