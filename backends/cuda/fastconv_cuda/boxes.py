"""A convolution's operands as boxes that Hopper's copying unit brings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import gcd

from fastconv.problem import Ints
from fastconv_cuda.geometry import Axis, Geometry
from fastconv_cuda.shapes import Shape
from fastconv_cuda.tensor_maps import SHIFTS, SIZES, SWIZZLES, Pixels, TensorMap, why_not

# kernels/wgmma_gemm.cu has room for so many images' maps.
MOST_PHASES = 9
ROWS = 128
# What a step of the reduction costs beside its products, in bytes of a row.
_STEP_BYTES = 24


@dataclass(frozen=True, slots=True)
class View:
    """One phase of one axis: row r's tap i reads r * step + first + i * reach, below limit."""

    rows: int
    step: int
    first: int
    taps: int
    reach: int
    limit: int

    @property
    def lower(self) -> int:
        """Where the first row's first tap reads, counted from whichever end is lower."""
        return self.first + min(0, (self.taps - 1) * self.reach)

    @property
    def upper(self) -> int:
        """Where the last row's reads, from the last element on."""
        return self.lower + (self.rows - 1) * self.step - (self.limit - 1)


def forward_view(axis: Axis) -> View:
    """Return how outputs read an image; views.cuh says the same."""
    return View(axis.out, axis.stride, -axis.before, axis.taps, axis.dilation, axis.extent)


def grad_view(axis: Axis, phase: int) -> View:
    """Return how one phase of an input gradient reads y; views.cuh says the same."""
    tap_step = axis.stride // gcd(axis.stride, axis.dilation)
    reach = phase + axis.before
    found = (
        tap
        for tap in range(min(tap_step, axis.taps))
        if (reach - tap * axis.dilation) % axis.stride == 0
    )
    tap = next(found, None)
    taps = 0 if tap is None else -(-(axis.taps - tap) // tap_step)
    first = 0 if tap is None else (reach - tap * axis.dilation) // axis.stride
    rows = -(-(axis.extent - phase) // axis.stride)
    return View(rows, 1, first, taps, -(tap_step * axis.dilation // axis.stride), axis.out)


def phases_of(shape: Shape) -> Iterator[tuple[View, ...]]:
    """Yield each phase's views along the three axes, the last axis's phases fastest."""
    axes = shape.geometry.axes
    if not shape.input_grad:
        yield tuple(map(forward_view, axes))
        return
    for phase in product(*map(range, shape.phases)):
        yield tuple(map(grad_view, axes, phase))


def flattened(geometry: Geometry) -> Geometry:
    """Return the geometry of single pixels as one row of them, which one box crosses."""
    if geometry.axes != (Axis(),) * 3:
        return geometry
    row = replace(Axis(), extent=geometry.batch, out=geometry.batch)
    x, y = ((0, s[1], 0, 0, s[0]) for s in (geometry.x, geometry.y))
    return replace(geometry, axes=(Axis(), Axis(), row), batch=1, x=x, y=y)


@dataclass(frozen=True, slots=True)
class Boxes:
    """A product's operands, in steps of `depth` channels.

    Attributes
    ----------
    axes : int
        Spatial axes that are copied along.
    images : tuple of (TensorMap or None)
        The gathered array, for each phase that has pixels and taps.
    """

    shape: Shape
    dtype: str
    depth: int
    axes: int
    images: tuple[TensorMap | None, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of a step."""
        return self.depth * SIZES[self.dtype]

    @property
    def steps(self) -> int:
        """Steps for each tap."""
        return -(-self.shape.channels // self.depth)

    def weight(self, columns: int) -> TensorMap:
        """Return the packed weight, of which a box has one tap of so many columns."""
        shape, size = self.shape, SIZES[self.dtype]
        g = shape.geometry
        return TensorMap(
            self.dtype,
            (shape.padded, g.taps, g.groups * shape.columns),
            (shape.padded * size, g.taps * shape.padded * size),
            (self.depth, 1, columns),
        )


def boxes_of(shape: Shape, dtype: str) -> tuple[Boxes | None, str]:
    """Return a product's boxes; without them why there are none."""
    g = shape.geometry
    views = list(phases_of(shape))
    if len(views) > MOST_PHASES:
        return None, f"strides make {len(views)} phases, and it takes {MOST_PHASES} at once"
    if 0 in (g.batch, g.groups, shape.channels, shape.columns, shape.rows):
        return None, "there is nothing to multiply"
    depth = _depth(shape, SIZES[dtype])
    if not depth:
        return None, f"groups of {shape.channels} channels end inside a box"
    axes = axes_of(g)
    images = []
    for phase in views:
        image = None
        if all(view.rows > 0 and view.taps > 0 for view in phase):
            array = Array(dtype, g.groups * shape.channels, g.batch, shape.strides)
            image, reason = image_of(array, phase[3 - axes :], (depth, ROWS))
            if reason:
                return None, reason
        images.append(image)
    boxes = Boxes(shape, dtype, depth, axes, tuple(images))
    reason = why_not(boxes.weight(1))
    return (None, f"no box has such a weight: {reason}") if reason else (boxes, "")


def axes_of(geometry: Geometry) -> int:
    """Return how many of the last axes windows move along, one at least."""
    return max(3 - next((i for i in range(3) if geometry.axes[i] != Axis()), 3), 1)


def row_bytes_of(channels: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (cost, bytes) of each row that boxes may have, for so many channels."""
    for row_bytes in SWIZZLES:
        boxes = -(-channels * size // row_bytes)
        yield boxes * (row_bytes + _STEP_BYTES), row_bytes


def _depth(shape: Shape, size: int) -> int:
    """Return the channels of a step: those that waste least; 0 where a group would end inside."""
    alone = shape.geometry.groups == 1
    fits = [
        (cost, -row_bytes)
        for cost, row_bytes in row_bytes_of(shape.channels, size)
        if alone or shape.channels * size % row_bytes == 0
    ]
    return -min(fits)[1] // size if fits else 0


@dataclass(frozen=True, slots=True)
class Array:
    """Images that boxes are taken of: channels of all groups, and (n, c, ...) strides in bytes."""

    dtype: str
    channels: int
    batch: int
    strides: Ints


def image_of(
    array: Array, views: tuple[View, ...], box: tuple[int, int]
) -> tuple[TensorMap | None, str]:
    """Return the map of an image's pixels as windows read them; without it why there is none."""
    size = SIZES[array.dtype]
    if array.strides[1] != size and array.channels > 1:
        return None, "channels don't lie side by side (channels-last arrays have it so)"
    inner = tuple(reversed(views))
    extents = (array.channels, *(view.limit for view in inner), array.batch)
    strides = (*reversed(array.strides[5 - len(views) :]), array.strides[0])
    found = TensorMap(
        array.dtype,
        extents,
        _described(extents, strides, size),
        box,
        Pixels(
            tuple(view.lower for view in inner),
            tuple(view.upper for view in inner),
            tuple(view.step for view in inner),
        ),
    )
    reason = why_not(found) or _why_too_far(views)
    return (None, f"no box has such pixels: {reason}") if reason else (found, "")


def _described(extents: Ints, strides: Ints, size: int) -> Ints:
    """Return strides that may be described: those of lone elements are nobody's business."""
    whole = -(-extents[0] * size // 16) * 16
    return tuple(
        whole if extent == 1 else stride
        for extent, stride in zip(extents[1:], strides, strict=True)
    )


def _why_too_far(views: tuple[View, ...]) -> str:
    most = SHIFTS[len(views)]
    far = max((view.taps - 1) * abs(view.reach) for view in views)
    return f"taps {far} apart are more than {most}" if far > most else ""
