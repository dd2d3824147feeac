"""Planes and scratch arrays of pools that work block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from fastconv.cpu.plans import Scratch, itemsize
from fastconv.problem import Ints

# A block should still be in the caches when its results are rounded, yet give threads work.
BLOCK_BYTES = 2**22
_ROUNDING = 64  # what aligning a scratch array may take


@dataclass(frozen=True, slots=True)
class Planes:
    """How many images and channels one block takes: all channels, or those of one image."""

    images: int
    channels: int

    @classmethod
    def within(cls, batch: Ints, per_plane: int, limit: int) -> Planes | None:
        """Return as many planes of so many bytes as make a good block; None if none fits."""
        if per_plane > limit:
            return None
        images, channels = (max(count, 1) for count in batch)
        if per_plane == 0:
            return cls(images, channels)
        number = max(min(BLOCK_BYTES, limit) // per_plane, 1)
        if number < channels:
            return cls(1, number)
        return cls(min(images, number // channels), channels)

    def over(self, batch: Ints) -> Iterator[tuple[slice, slice]]:
        """Yield the blocks that cover all planes."""
        images, channels = batch
        for n in range(0, images, self.images):
            for c in range(0, channels, self.channels):
                yield (
                    slice(n, min(n + self.images, images)),
                    slice(c, min(c + self.channels, channels)),
                )


class Blocks:
    """Scratch arrays for blocks of planes, by name."""

    def __init__(self, sizes: Mapping[str, tuple[int, str]], planes: Planes, last: bool) -> None:
        """Reserve arrays of (elements of a plane, dtype); `last`: channels are innermost."""
        self._scratch = Scratch()
        self._channels_last = last
        for name, (elements, dtype) in sizes.items():
            self._scratch.add(name, (planes.images * planes.channels * elements,), dtype)

    @staticmethod
    def plane_bytes(sizes: Mapping[str, tuple[int, str]]) -> int:
        """Return what one plane takes."""
        return sum(count * itemsize(dtype) + _ROUNDING for count, dtype in sizes.values())

    @property
    def bytes(self) -> int:
        """Bytes of workspace."""
        return self._scratch.bytes

    def __contains__(self, name: str) -> bool:
        return name in self._scratch

    def cut(self, name: str, shape: Ints, workspace: Any) -> Any:
        """Return a scratch array of a logical shape (N, C, ...)."""
        flat = self._scratch.cut(name, workspace)[: prod(shape)]
        if not self._channels_last:
            return flat.reshape(shape)
        images, channels, *spatial = shape
        array = flat.reshape(images, *spatial, channels)
        return array.transpose(0, array.ndim - 1, *range(1, array.ndim - 1))
