"""A weight gradient's images in parts: copied where they must be, multiplied, summed apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastconv_cuda.copies import ImageCopy, apart, images_within, parts_of
from fastconv_cuda.device import Card
from fastconv_cuda.geometry import Geometry
from fastconv_cuda.plan import Launch, Place, Scratch, Shifted
from fastconv_cuda.rates import LAUNCH_SECONDS

# What copies may take of the workspace; the rest is for sums.
_COPIES_SHARE = 0.75
# Makes the launch of a product: of so many images, of x and y there, into sums here.
Multiply = Callable[[int, Place, Place, Scratch], Launch]


@dataclass(frozen=True, slots=True)
class Parts:
    """So many images at a time.

    Attributes
    ----------
    copies : mapping of str to ImageCopy
        Of "x", "y", both or none of them.
    batch, images : int
        In all, and in a part.
    """

    copies: Mapping[str, ImageCopy]
    batch: int
    images: int

    @property
    def count(self) -> int:
        """How many there are; none of no images."""
        return len(parts_of(self.batch, self.images))

    @property
    def copied_bytes(self) -> int:
        """The workspace that copies take."""
        return sum(apart(copy.of(self.images).bytes) for copy in self.copies.values())

    def room(self, limit: int) -> int:
        """Return what is left of a workspace for each part's sums."""
        return (limit - self.copied_bytes) // max(self.count, 1)

    def seconds(self, card: Card) -> float:
        """Predict what copies and further launches take."""
        launches = max(self.count - 1, 0) * (1 + len(self.copies))
        copying = sum(copy.seconds(card) for copy in self.copies.values())
        return copying + launches * LAUNCH_SECONDS

    def launches(self, geometry: Geometry, sum_bytes: int, multiply: Multiply) -> list[Launch]:
        """Return copies and products; sums of `sum_bytes` a part lie behind the copies."""
        places: dict[str, Scratch] = {}
        size = 0
        for name, copy in self.copies.items():
            places[name] = Scratch(size)
            size += apart(copy.of(self.images).bytes)
        found = []
        for number, (first, count) in enumerate(parts_of(self.batch, self.images)):
            arrays: list[Place] = []
            for place, (name, strides) in enumerate((("x", geometry.x), ("y", geometry.y))):
                if name in places:
                    found.append(self.copies[name].of(count).launch(place, first, places[name]))
                    arrays.append(places[name])
                else:
                    arrays.append(Shifted(place, first * strides[0]))
            sums = Scratch(size + number * sum_bytes)
            found.append(multiply(count, arrays[0], arrays[1], sums))
        return found


def parts_for(geometry: Geometry, copies: Mapping[str, ImageCopy], limit: int) -> Parts:
    """Return as few parts as a workspace lets there be; one where nothing is copied."""
    each = sum(copy.image_bytes for copy in copies.values())
    images = images_within(geometry.batch, each, int(_COPIES_SHARE * limit)) if each else 0
    return Parts(copies, geometry.batch, images or max(geometry.batch, 1))
