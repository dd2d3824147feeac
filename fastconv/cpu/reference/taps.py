"""The boxes that a kernel's taps connect.

For each tap of a kernel, the output positions that read inside the input form a box, and what
they read is a strided box of the input: a convolution is a sum of as many small products.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from fastconv.problem import ColumnsProblem, ConvProblem, IntegerConvProblem, Ints

Box = tuple[slice, ...]


def _axis_boxes(
    tap: int, step: int, dilation: int, before: int, extent: int, count: int
) -> tuple[slice, slice]:
    """Return the outputs o, and the inputs o * step + tap * dilation - before in range."""
    shift = tap * dilation - before
    first = max(0, -(shift // step))
    stop = max(first, min(count, (extent - 1 - shift) // step + 1))
    start = first * step + shift
    return slice(first, stop), slice(start, start + max(stop - first - 1, 0) * step + 1, step)


def taps(
    problem: ConvProblem | IntegerConvProblem | ColumnsProblem, extents: Ints, counts: Ints
) -> Iterator[tuple[Ints, Box, Box]]:
    """Yield each tap with the box of outputs that it serves and the box of inputs they read."""
    for tap in product(*map(range, problem.kernel)):
        boxes = [
            _axis_boxes(k, step, dilation, before, extent, count)
            for k, step, dilation, (before, _), extent, count in zip(
                tap,
                problem.stride,
                problem.dilation,
                problem.padding,
                extents,
                counts,
                strict=True,
            )
        ]
        outputs, inputs = tuple(o for o, _ in boxes), tuple(i for _, i in boxes)
        if all(box.stop > box.start for box in outputs):
            yield tap, outputs, inputs
