"""Copies of images as matrix kernels like them: channels last, converted and padded on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from fastconv.problem import Ints
from fastconv_cuda.arithmetic import Kind
from fastconv_cuda.candidate import itemsize
from fastconv_cuda.device import Card
from fastconv_cuda.geometry import Geometry
from fastconv_cuda.params import IMAGE_COPY
from fastconv_cuda.plan import Launch, Place, Scratch, Shifted
from fastconv_cuda.rates import seconds
from fastconv_cuda.tiles import CHUNK_BYTES
from fastconv_cuda.units import Unit

_PIXELS, _SPAN_BYTES, _THREADS = 64, 128, 256  # copy_last.cu says the same
_MOST_PIXELS = 2**31 - _PIXELS
_MOST_SPANS = 65_535
# More launches than these would take longer than they save memory.
_MOST_PARTS = 64
# Whatever a device reads at once starts at a multiple of this.
_APART = 256


def apart(size: int) -> int:
    """Return a size rounded up, so that what follows is aligned."""
    return -(-size // _APART) * _APART


@dataclass(frozen=True, slots=True)
class ImageCopy:
    """A copy of x or y.

    Attributes
    ----------
    batch, groups, channels : int
        Images, groups, and the channels of one.
    extents, strides : tuple of int
        Three spatial axes, and the array's five strides in bytes.
    dtype, to, rounding : str
        The array's type, the copy's, and what values are rounded to in between; may be empty.
    """

    batch: int
    groups: int
    channels: int
    extents: Ints
    strides: Ints
    dtype: str
    to: str
    rounding: str = ""

    @property
    def padded(self) -> int:
        """Channels of a group in the copy: whole chunks."""
        whole = CHUNK_BYTES // itemsize(self.to)
        return -(-self.channels // whole) * whole

    @property
    def image_bytes(self) -> int:
        """Bytes of an image's copy."""
        return prod(self.extents) * self.groups * self.padded * itemsize(self.to)

    @property
    def bytes(self) -> int:
        """Bytes of the copy."""
        return self.batch * self.image_bytes

    @property
    def steps(self) -> Ints:
        """The copy's strides, in the order of the array's."""
        size = itemsize(self.to)
        pixel = self.groups * self.padded * size
        _, rows, columns = self.extents
        return (self.image_bytes, size, rows * columns * pixel, columns * pixel, pixel)

    @property
    def why_not(self) -> str:
        """Why it can't be made; empty where it can."""
        if prod(self.extents) > _MOST_PIXELS:
            return f"{prod(self.extents)} pixels of an image are more than 32 bits count"
        if self._spans > _MOST_SPANS:
            return f"{self.groups} x {self.padded} channels are more than a grid holds"
        return ""

    @property
    def _spans(self) -> int:
        return -(-self.groups * self.padded * itemsize(self.to) // _SPAN_BYTES)

    def of(self, images: int) -> ImageCopy:
        """Return the copy of so many images."""
        return replace(self, batch=images)

    def seconds(self, card: Card) -> float:
        """Predict how long it takes to make."""
        read = self.batch * self.groups * self.channels * prod(self.extents) * itemsize(self.dtype)
        return seconds(card, 0, "float32", 1.0, read + self.bytes)

    @property
    def unit(self) -> Unit:
        """What makes it."""
        return copy_unit("copy_last.cu", self.dtype, self.to, self.rounding)

    def launch(self, place: int, first: int, to: Scratch, *more: Place) -> Launch:
        """Return the launch that copies an array's images from the `first` on."""
        params: Any = np.zeros(1, IMAGE_COPY)
        p = params[0]
        p["batch"], p["groups"], p["channels"] = self.batch, self.groups, self.channels
        p["padded"], p["extent"], p["from"] = self.padded, self.extents, self.strides
        p["last"] = abs(self.strides[1]) <= itemsize(self.dtype)
        blocks = -(-self.batch * prod(self.extents) // _PIXELS)
        source = Shifted(place, first * self.strides[0])
        return Launch(
            self.unit,
            "copy_last",
            (blocks, self._spans, 1),
            (_THREADS, 1, 1),
            (source, *more, to),
            (params,),
            _PIXELS * (_SPAN_BYTES + 8),
        )


def copy_unit(file: str, dtype: str, to: str, rounding: str = "") -> Unit:
    """Return a unit that converts elements; to int8, by a scale."""
    words = [("FC_ELEMENT", dtype)]
    if to == "int8" and dtype != "int8":
        words.append(("FC_QUANTIZED", ""))
    elif to != dtype:
        words.append(("FC_COPY", to))
    if rounding:
        words.append(("FC_ROUNDED", rounding))
    return Unit(file, tuple(words))


def copy_of(geometry: Geometry, name: str, dtype: str, kind: Kind) -> ImageCopy:
    """Return the copy of "x" or "y" for a kind of product."""
    x = name == "x"
    return ImageCopy(
        geometry.batch,
        geometry.groups,
        geometry.c if x else geometry.k,
        tuple(axis.extent if x else axis.out for axis in geometry.axes),
        geometry.x if x else geometry.y,
        dtype,
        kind.factor,
        kind.copy_rounding,
    )


def images_within(batch: int, image_bytes: int, limit: int) -> int:
    """Return the images of a part, of equal parts that fit, if not too many; at least one.

    Examples
    --------
    >>> images_within(10, 100, 450), images_within(10, 100, 10**6), images_within(3, 100, 10)
    (4, 10, 1)
    """
    parts = -(-batch // max(limit // max(image_bytes, 1), 1))
    parts = min(max(parts, 1), _MOST_PARTS)
    return max(-(-batch // parts), 1)


def parts_of(batch: int, images: int) -> list[tuple[int, int]]:
    """Return (first image, images) of each part.

    Examples
    --------
    >>> parts_of(7, 3)
    [(0, 3), (3, 3), (6, 1)]
    """
    return [(first, min(images, batch - first)) for first in range(0, batch, images)]
