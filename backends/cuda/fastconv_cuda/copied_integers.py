"""Products of 8-bit integers on a copy of the image with its channels last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastconv.problem import IntegerConvProblem
from fastconv_cuda.arithmetic import Kind
from fastconv_cuda.copied_gemm import copied_shape
from fastconv_cuda.copies import ImageCopy, apart, copy_of, images_within, parts_of
from fastconv_cuda.device import Card
from fastconv_cuda.plan import Launch, Place, Scratch, Shifted
from fastconv_cuda.rates import LAUNCH_SECONDS
from fastconv_cuda.shapes import Shape

# Makes a launch of: the product of some images, where they are, and where the result goes.
Multiply = Callable[[Shape, Place, Place], Launch]


@dataclass(frozen=True, slots=True)
class Copied:
    """How x is copied: so many images at a time, to a place in the workspace.

    Attributes
    ----------
    shape : Shape
        The product that it is for, on the array itself.
    copy : ImageCopy
        Of the whole batch.
    images : int
        Of a part.
    place : int
        Where copies lie in the workspace.
    """

    shape: Shape
    copy: ImageCopy
    images: int
    place: int

    @property
    def bytes(self) -> int:
        """The workspace, up to the copy's end."""
        return self.place + self.copy.of(self.images).bytes

    @property
    def part(self) -> Shape:
        """The product of a part."""
        return copied_shape(self.shape, self.copy, self.images)

    def seconds(self, card: Card) -> float:
        """Predict what is added to a product's own time."""
        parts = len(parts_of(self.copy.batch, self.images))
        return self.copy.seconds(card) + 2 * max(parts - 1, 0) * LAUNCH_SECONDS

    def launches(self, problem: IntegerConvProblem, multiply: Multiply) -> Iterator[Launch]:
        """Yield copies, each followed by its product."""
        there, out = Scratch(self.place), len(problem.inputs)
        for first, count in parts_of(self.copy.batch, self.images):
            yield self.copy.of(count).launch(0, first, there)
            part = copied_shape(self.shape, self.copy, count)
            yield multiply(part, there, Shifted(out, first * problem.y.strides[0]))


def copied_for(problem: IntegerConvProblem, shape: Shape, before: int, limit: int) -> Copied:
    """Return how x is copied, behind what else the workspace holds, within so many bytes."""
    dtype = problem.x.dtype
    copy = copy_of(shape.geometry, "x", dtype, Kind("integer", dtype, dtype, dtype))
    place = apart(before)
    images = images_within(shape.geometry.batch, copy.image_bytes, limit - place)
    return Copied(shape, copy, images, place)
