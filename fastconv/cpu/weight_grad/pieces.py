"""How a weight gradient is cut: blocks of the weight, boxes of outputs, splits of the boxes.

All of it follows from the shape and the workspace limit, so that no sum depends on threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, prod
from typing import NamedTuple

from fastconv.cpu import narrow
from fastconv.cpu.isa import core
from fastconv.cpu.plans import padded
from fastconv.cpu.weight_grad.form import Extents, Form, sample_bytes, vector_items
from fastconv.problem import ConvProblem

# A thread's copy of x, its sums and its rows of y stay in the second-level cache together.
_PATCH_BYTES = 192 * 2**10
_SUM_BYTES = 256 * 2**10
# So many positions outweigh loading and storing a tile's sums.
_POSITIONS = 256
# Output channels of a unit: x is copied or read again for each block of them, and y transposed
# again, which takes longer, for each block of input channels. With one tap there is little to do
# for an item of x that comes from memory.
_CHANNEL_BYTES = 512
_POINTWISE_CHANNEL_BYTES = 1024
# Enough units for a few threads each. Rows share what transposing y takes, and positions what
# writing the sums of a split and adding them up takes.
_UNITS = 16
_LEAST_ROWS = 256
_LEAST_POSITIONS = 1024


class Pieces(NamedTuple):
    """What ``core.conv_weight_grad`` takes: per unit of work, and the number of splits.

    Where an item holds two positions, the second one is as far along an axis as its half: ``mates``
    is 0 for images, or 1 to 3 for an axis of outputs.
    """

    channels: int
    inner: int
    images: int
    box: tuple[int, int, int]
    splits: int
    across_groups: bool
    mates: int | None = None


def scratch_bytes(problem: ConvProblem, extents: Extents, pieces: Pieces) -> tuple[int, int]:
    """Return the bytes of workspace needed once, and for every thread."""
    assert core is not None
    groups = extents.groups
    sizes = (extents.images, extents.inner * groups, extents.channels * groups)
    geometry = extents.geometry(problem)
    once, each = core.weight_grad_bytes(
        geometry, sizes, narrow.operands_dtype(problem), groups, pieces
    )
    sample = padded(sample_bytes(problem)) if extents.sampled else 0
    return int(once) + sample, int(each)


def choose_pieces(problem: ConvProblem, extents: Extents, limit: int) -> Pieces | None:
    """Return pieces whose workspace, with one thread, is within the limit, or None."""
    dtype = narrow.operands_dtype(problem)
    mates = axis_of_mates(extents) if narrow.products_at_once(dtype) == 2 else None
    for pieces in _candidates(extents, dtype, mates):
        if sum(scratch_bytes(problem, extents, pieces)) <= limit:
            return pieces
    return None


def blocks(extents: Extents, pieces: Pieces, dtype: str) -> int:
    """Return how many blocks the weight has."""
    if pieces.across_groups:
        return ceil(extents.groups * extents.inner / vector_items(dtype))
    across = ceil(extents.channels / pieces.channels)
    return extents.groups * across * ceil(extents.inner / pieces.inner)


def axis_of_mates(extents: Extents) -> int | None:
    """Return the axis whose halves leave least over, None where there is but one position."""
    sizes = (extents.images, *extents.out)
    return max(
        (axis for axis in range(4) if sizes[axis] > 1),
        key=lambda axis: sizes[axis] // 2 / -(-sizes[axis] // 2),
        default=None,
    )


def _candidates(extents: Extents, dtype: str, mates: int | None) -> Iterator[Pieces]:
    """Yield pieces, the best first; each takes less memory than the one before."""
    extents = extents.halved(mates)
    pieces, smaller, shrink = None, _pieces(extents, dtype, 1, mates), 1
    while smaller != pieces:
        yield (pieces := smaller)
        if pieces.splits > 1:
            yield pieces._replace(splits=1)
        shrink *= 4
        smaller = _pieces(extents, dtype, shrink, mates)


def _pieces(extents: Extents, dtype: str, shrink: int, mates: int | None) -> Pieces:
    """Return pieces that take `shrink` times less memory than they should."""
    size = narrow.item_bytes(dtype)
    images, box = _box(extents, max(1, _POSITIONS // shrink))
    if extents.form is Form.ACROSS_GROUPS:
        pieces = Pieces(extents.channels, 1, images, box, 1, True, mates)
    else:
        most = _CHANNEL_BYTES if extents.taps > 1 else _POINTWISE_CHANNEL_BYTES
        channels = _even(extents.channels, max(1, most // size // shrink), 64 // size)
        patch = _PATCH_BYTES // size // shrink // (images * extents.patch_items(box))
        sums = _SUM_BYTES // size // shrink // (channels * extents.taps)
        inner = _even(extents.inner, max(1, min(patch, sums)))
        pieces = Pieces(channels, inner, images, box, 1, False, mates)
    return _shared(extents, dtype, pieces, splits=shrink == 1)


def _shared(extents: Extents, dtype: str, pieces: Pieces, *, splits: bool) -> Pieces:
    """Return pieces that several threads can share: the boxes in splits, or smaller blocks."""
    affordable = 1
    if splits:
        positions = extents.images * prod(extents.out)
        boxes = extents.boxes(pieces.images, pieces.box)
        affordable = max(1, min(boxes, positions // _LEAST_POSITIONS))
    while (
        pieces.inner > 1
        and blocks(extents, pieces, dtype) * affordable < _UNITS // 2
        and pieces.inner * extents.taps > _LEAST_ROWS
    ):
        pieces = pieces._replace(inner=ceil(pieces.inner / 2))
    wanted = ceil(_UNITS / blocks(extents, pieces, dtype))
    pieces = pieces._replace(splits=min(affordable, wanted))
    units = blocks(extents, pieces, dtype) * pieces.splits
    if 1 < units < _UNITS and units % 2:
        # Two threads would share an odd number of large units badly.
        rows = ceil(extents.inner / pieces.inner) + 1
        pieces = pieces._replace(inner=ceil(extents.inner / rows))
    return pieces


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
