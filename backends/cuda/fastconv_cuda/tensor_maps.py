"""Tensor maps: how Hopper's copying unit is told where an array lies and what a copy takes of it.

What may be described is the driver's word (cuda.h, cuTensorMapEncodeTiled and Im2col).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from fastconv.problem import Ints

MAP_BYTES = 128
MOST_BOX = 256
MOST_PIXELS = 1024
MOST_STEP = 8
MOST_EXTENT = 2**32
MOST_STRIDE = 2**40
SIZES = {"float16": 2, "bfloat16": 2, "tf32": 4, "int8": 1, "uint8": 1}
SWIZZLES = (32, 64, 128)
# By the number of spatial axes: how far a bounding box may differ from the image, and how far a
# tap may be from the first one.
CORNERS: Mapping[int, tuple[int, int]] = {1: (-(2**15), 2**15 - 1), 2: (-128, 127), 3: (-16, 15)}
SHIFTS: Mapping[int, int] = {1: 2**16 - 1, 2: 255, 3: 31}


@dataclass(frozen=True, slots=True)
class Pixels:
    """What makes a copy walk over an image as windows do.

    Attributes
    ----------
    lower, upper : tuple of int
        Where a window's first tap goes from and to, along each spatial axis, the innermost first:
        from the image's first and last element.
    steps : tuple of int
        How far windows are apart.
    """

    lower: Ints
    upper: Ints
    steps: Ints


@dataclass(frozen=True, slots=True)
class TensorMap:
    """An array and the box that a copy takes of it.

    Attributes
    ----------
    dtype : str
        Of the elements; ``"tf32"`` for float32 that is rounded on the way.
    extents : tuple of int
        The innermost first.
    strides : tuple of int
        In bytes, of all but the innermost, whose elements lie side by side.
    box : tuple of int
        Elements along each axis; with `pixels` channels and pixels.
    pixels : Pixels, optional
        For windows' pixels rather than a box.
    """

    dtype: str
    extents: Ints
    strides: Ints
    box: Ints
    pixels: Pixels | None = field(default=None)

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return SIZES[self.dtype]

    @property
    def row_bytes(self) -> int:
        """Bytes of a box's row, which its swizzle spans."""
        return self.box[0] * self.size

    @property
    def bytes(self) -> int:
        """Bytes that a copy brings."""
        return prod(self.box) * self.size


def why_not(wanted: TensorMap) -> str:
    """Return why there is no such tensor map; empty where there is.

    Examples
    --------
    >>> why_not(TensorMap("float16", (64, 9, 64), (128, 1152), (64, 1, 64)))
    ''
    >>> why_not(TensorMap("float16", (63, 9, 64), (126, 1134), (64, 1, 64)))
    'strides of 126 bytes are not a multiple of 16'
    """
    for extent in wanted.extents:
        if not 1 <= extent <= MOST_EXTENT:
            return f"an extent of {extent} is not between 1 and 2^32"
    for stride in wanted.strides:
        if stride % 16:
            return f"strides of {stride} bytes are not a multiple of 16"
        if not 0 < stride < MOST_STRIDE:
            return f"strides of {stride} bytes are not between 0 and 2^40"
    if wanted.row_bytes not in SWIZZLES:
        return f"rows of {wanted.row_bytes} bytes have no swizzle"
    if wanted.pixels is None:
        if max(wanted.box) > MOST_BOX:
            return f"a box of {wanted.box} is longer than {MOST_BOX}"
        return ""
    return _why_no_pixels(wanted, wanted.pixels)


def _why_no_pixels(wanted: TensorMap, pixels: Pixels) -> str:
    channels, count = wanted.box
    if channels > MOST_BOX or count > MOST_PIXELS:
        return f"a box of {count} pixels of {channels} channels is too large"
    low, high = CORNERS[len(pixels.lower)]
    for corner in (*pixels.lower, *pixels.upper):
        if not low <= corner <= high:
            return f"windows go {corner} from the image's edge, which is beyond {low} to {high}"
    if max(pixels.steps) > MOST_STEP:
        return f"a stride of {max(pixels.steps)} is more than {MOST_STEP}"
    return ""
