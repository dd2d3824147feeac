"""How a weight gradient is cut: blocks of the weight, boxes of outputs, splits of the boxes.

All of it follows from the shape and the workspace limit, so that no sum depends on threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, prod
from typing import Any, NamedTuple

from fastconv.cpu.geometry import geometry_of, plain_geometry
from fastconv.cpu.isa import core
from fastconv.cpu.plans import itemsize
from fastconv.problem import ConvProblem

# A thread's copy of x, its sums and its rows of y stay in the second-level cache together.
_PATCH_BYTES = 192 * 2**10
_SUM_BYTES = 256 * 2**10
# So many positions outweigh loading and storing a tile's sums.
_POSITIONS = 256
# Output channels of a unit: x is copied or read again for each block of them, and y transposed
# again, which takes longer, for each block of input channels.
_CHANNEL_BYTES = 512
# What transposing an item takes, in products, where neighbours are side by side or apart.
_TURNING = 16
_TURNING_APART = 96
# Enough units for a few threads each.
_UNITS = 16


class Pieces(NamedTuple):
    """What ``core.conv_weight_grad`` takes: per unit of work, and the number of splits."""

    channels: int
    inner: int
    images: int
    box: tuple[int, int, int]
    splits: int


class Extents(NamedTuple):
    """A weight gradient's extents, those of channels per group, axes filled up to three.

    Where the kernel is one tap, x and y are alike. If they are `swapped`, the vectors run along
    x's channels, which are then called output channels.
    """

    swapped: bool
    images: int
    groups: int
    channels: int
    inner: int
    kernel: tuple[int, int, int]
    stride: tuple[int, int, int]
    dilation: tuple[int, int, int]
    out: tuple[int, int, int]

    @classmethod
    def of(cls, problem: ConvProblem) -> Extents:
        """Return a problem's extents."""
        groups, out = problem.groups, _three(problem.y.shape[2:])
        channels, inner = problem.y.shape[1] // groups, problem.weight.shape[1]
        if swaps(problem):
            one = (1, 1, 1)
            return cls(True, problem.y.shape[0], 1, inner, channels, one, one, one, out)
        ways = (_three(sizes) for sizes in (problem.kernel, problem.stride, problem.dilation))
        return cls(False, problem.y.shape[0], groups, channels, inner, *ways, out)

    def patch_items(self, box: tuple[int, int, int]) -> int:
        """Return how many items of a channel of x a box reads."""
        axes = zip(box, self.kernel, self.stride, self.dilation, strict=True)
        return prod(n if k == 1 else (n - 1) * s + (k - 1) * d + 1 for n, k, s, d in axes)

    def boxes(self, images: int, box: tuple[int, int, int]) -> int:
        """Return how many boxes there are."""
        counts = (ceil(n / b) for n, b in zip(self.out, box, strict=True))
        return ceil(self.images / images) * prod(counts)

    def blocks(self, channels: int, inner: int) -> int:
        """Return how many blocks the weight has."""
        return self.groups * ceil(self.channels / channels) * ceil(self.inner / inner)


def swaps(problem: ConvProblem) -> bool:
    """Whether it is faster to transpose x than y: a pointwise kernel, and fewer channels."""
    padded = any(pads != (0, 0) for pads in problem.padding)
    if problem.groups > 1 or prod(problem.kernel) > 1 or padded:
        return False
    x, y = problem.weight.shape[1], problem.weight.shape[0]
    turning = _TURNING if set(problem.stride) == {1} else _TURNING_APART
    return _products(x, y, problem.dtype, turning) < _products(y, x, problem.dtype, _TURNING)


def _products(vectors: int, others: int, dtype: str, turning: int) -> int:
    """Return what a position costs with one operand's channels in vectors, in products."""
    assert core is not None
    items = core.vector_items(dtype)
    return int(ceil(vectors / items) * items * others + vectors * turning)


def geometry_for(problem: ConvProblem, extents: Extents) -> Any:
    """Return the geometry that the core is given."""
    return plain_geometry(problem.y) if extents.swapped else geometry_of(problem)


def scratch_bytes(problem: ConvProblem, extents: Extents, pieces: Pieces) -> tuple[int, int]:
    """Return the bytes of workspace needed once, and for every thread."""
    assert core is not None
    sizes = (
        extents.images,
        extents.inner * extents.groups,
        extents.channels * extents.groups,
    )
    geometry = geometry_for(problem, extents)
    once, each = core.weight_grad_bytes(geometry, sizes, problem.dtype, extents.groups, pieces)
    return int(once), int(each)


def choose_pieces(problem: ConvProblem, extents: Extents, limit: int) -> Pieces | None:
    """Return pieces whose workspace, with one thread, is within the limit, or None."""
    for pieces in _candidates(extents, itemsize(problem.dtype)):
        if sum(scratch_bytes(problem, extents, pieces)) <= limit:
            return pieces
    return None


def _candidates(extents: Extents, size: int) -> Iterator[Pieces]:
    """Yield pieces, the best first; each takes less memory than the one before."""
    shrink = 1
    while True:
        pieces = _pieces(extents, size, shrink)
        yield pieces
        if pieces.splits > 1:
            yield (pieces := pieces._replace(splits=1))
        if pieces == Pieces(1, 1, 1, (1, 1, 1), 1):
            return
        shrink *= 2


def _pieces(extents: Extents, size: int, shrink: int) -> Pieces:
    images, box = _box(extents, max(1, _POSITIONS // shrink))
    taps = prod(extents.kernel)
    channels = _even(extents.channels, max(1, _CHANNEL_BYTES // size // shrink), 64 // size)
    patch = max(1, _PATCH_BYTES // size // shrink // (images * extents.patch_items(box)))
    sums = max(1, _SUM_BYTES // size // shrink // (channels * taps))
    inner = _even(extents.inner, min(patch, sums))
    # A single image may have too few boxes to share among threads.
    boxes = extents.boxes(images, box)
    while extents.blocks(channels, inner) * boxes < _UNITS and inner * taps > 128:
        inner = ceil(inner / 2)
    blocks = extents.blocks(channels, inner)
    return Pieces(channels, inner, images, box, max(1, min(boxes, ceil(_UNITS / blocks))))


def _box(extents: Extents, positions: int) -> tuple[int, tuple[int, int, int]]:
    """Return images, and outputs along each axis, that come to about so many positions."""
    box, left = [1, 1, 1], positions
    for axis in (2, 1, 0):
        box[axis] = _even(extents.out[axis], max(1, left))
        left = left // box[axis] if box[axis] == extents.out[axis] else 1
    images = _even(extents.images, max(1, left)) if tuple(box) == extents.out else 1
    return images, (box[0], box[1], box[2])


def _even(extent: int, most: int, step: int = 1) -> int:
    """Return the size of nearly equal parts, none above `most`, whole steps if that is one."""
    most = max(1, most // step) * step if most >= step else most
    size = ceil(extent / ceil(extent / most))
    return min(extent, -(-size // step) * step) if most >= step else size


def _three(sizes: tuple[int, ...]) -> tuple[int, int, int]:
    """Return an axis's sizes, filled up with 1 to three axes."""
    filled = (1,) * (3 - len(sizes)) + tuple(sizes)
    return filled[0], filled[1], filled[2]
