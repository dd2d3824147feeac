"""A convolution's operands as boxes that Hopper's copying unit brings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import gcd, prod

from fastconv.problem import Ints
from fastconv_cuda.geometry import Axis, Geometry
from fastconv_cuda.implicit_gemm import Shape
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
    axes = max(3 - next((i for i in range(3) if g.axes[i] != Axis()), 3), 1)
    if shape.strides[1] != SIZES[dtype] and g.groups * shape.channels > 1:
        return None, "channels don't lie side by side (channels-last arrays have it so)"
    images = []
    for phase in views:
        image = None
        if all(view.rows > 0 and view.taps > 0 for view in phase):
            image = _image(shape, dtype, depth, phase[3 - axes :])
            reason = why_not(image) or _why_too_far(phase[3 - axes :])
            if reason:
                return None, f"no box has such pixels: {reason}"
        images.append(image)
    boxes = Boxes(shape, dtype, depth, axes, tuple(images))
    reason = why_not(boxes.weight(1))
    return (None, f"no box has such a weight: {reason}") if reason else (boxes, "")


def _depth(shape: Shape, size: int) -> int:
    """Return the channels of a step: those that waste least; 0 where a group would end inside."""

    def cost(row_bytes: int) -> int:
        return -(-shape.channels * size // row_bytes) * (row_bytes + _STEP_BYTES)

    alone = shape.geometry.groups == 1
    fits = [b for b in SWIZZLES if alone or shape.channels * size % b == 0]
    return min(reversed(fits), key=cost) // size if fits else 0


def _image(shape: Shape, dtype: str, depth: int, views: tuple[View, ...]) -> TensorMap:
    g, size = shape.geometry, SIZES[dtype]
    inner = tuple(reversed(views))
    extents = (g.groups * shape.channels, *(view.limit for view in inner), g.batch)
    strides = (*reversed(shape.strides[5 - len(views) :]), shape.strides[0])
    return TensorMap(
        dtype,
        extents,
        _lone(extents, strides, size),
        (depth, ROWS),
        Pixels(
            tuple(view.lower for view in inner),
            tuple(view.upper for view in inner),
            tuple(view.step for view in inner),
        ),
    )


def _lone(extents: Ints, strides: Ints, size: int) -> Ints:
    """Return strides that may be described: those of lone elements are nobody's business."""
    whole = -(-prod(extents[:1]) * size // 16) * 16
    return tuple(
        whole if extent == 1 else stride
        for extent, stride in zip(extents[1:], strides, strict=True)
    )


def _why_too_far(views: tuple[View, ...]) -> str:
    most = SHIFTS[len(views)]
    far = max((view.taps - 1) * abs(view.reach) for view in views)
    return f"taps {far} apart are more than {most}" if far > most else ""
