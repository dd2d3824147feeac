"""The windows of a pool: how many there are, and which paddings are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from fastconv.errors import bad_argument
from fastconv.functional.parameters import per_axis, resolve_padding, whole
from fastconv.problem import Ints, Pairs, Window

OutputSize = int | None | Sequence[int | None]

# A window's elements and its reach: sums of a few such numbers still fit an int64.
_MOST_COVERED = 2**60


@dataclass(frozen=True, slots=True)
class PoolGeometry:
    """Fixed windows over an image: one entry per spatial axis."""

    kernel: Ints
    stride: Ints
    padding: Pairs
    dilation: Ints
    ceil_mode: bool

    def counts(self, function: str, argument: str, extents: Ints) -> Ints:
        """Return the number of windows along each axis; refuse an input without any."""
        return tuple(self._count(function, argument, axis, n) for axis, n in enumerate(extents))

    def _count(self, function: str, argument: str, axis: int, extent: int) -> int:
        stride, (before, after) = self.stride[axis], self.padding[axis]
        reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1
        room = extent + before + after - reach
        count = (room + (stride - 1 if self.ceil_mode else 0)) // stride + 1
        # A window that would start behind the input sees padding alone: it is dropped.
        if self.ceil_mode and (count - 1) * stride >= extent + before:
            count -= 1
        if count < 1:
            raise ValueError(
                bad_argument(
                    function,
                    argument,
                    got=f"extent {extent} on spatial axis {axis}, {extent + before + after} with "
                    "padding",
                    expected=f"at least {reach}, which a kernel of {self.kernel[axis]} with "
                    f"dilation {self.dilation[axis]} covers",
                    hint="Use a smaller kernel_size or more padding",
                )
            )
        return count

    def windows(
        self, function: str, argument: str, extents: Ints, count_padding: bool = False
    ) -> tuple[Window, ...]:
        """Return the windows along each axis of an input."""
        return tuple(
            Window(
                length=extents[axis],
                count=count,
                kernel=self.kernel[axis],
                stride=self.stride[axis],
                padding=self.padding[axis],
                dilation=self.dilation[axis],
                count_padding=count_padding,
            )
            for axis, count in enumerate(self.counts(function, argument, extents))
        )


def pool_geometry(
    function: str,
    extents: Ints,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> PoolGeometry:
    """Check a pool's parameters and settle its padding.

    A number pads by at most half of the kernel, dilated or not, as in PyTorch; with pairs
    and names each side must only be less than what the dilated kernel covers, so that no
    window lies in padding alone.
    """
    ndim = len(extents)
    kernel = per_axis(function, "kernel_size", kernel_size, ndim, 1)
    # PyTorch takes an empty sequence for a missing stride.
    missing = stride is None or (hasattr(stride, "__len__") and len(stride) == 0)
    steps = kernel if missing else per_axis(function, "stride", stride, ndim, 1)
    spread = per_axis(function, "dilation", dilation, ndim, 1)
    pads = resolve_padding(function, padding, extents, kernel, steps, spread)
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, spread, strict=True))
    if max(prod(kernel), *reach) > _MOST_COVERED:
        raise ValueError(
            bad_argument(
                function,
                "kernel_size",
                got=f"{kernel_size!r} with dilation {dilation!r}",
                expected="windows that cover at most 2**60 elements",
            )
        )
    in_pairs = isinstance(padding, str) or _has_pairs(padding)
    for axis, pair in enumerate(pads):
        most = reach[axis] - 1 if in_pairs else kernel[axis] // 2
        if max(pair) > most:
            raise ValueError(
                bad_argument(
                    function,
                    "padding",
                    got=f"{padding!r}, which is {max(pair)} on spatial axis {axis}",
                    expected=f"at most {most}, "
                    + (
                        f"one less than the {reach[axis]} that a kernel of {kernel[axis]} with "
                        f"dilation {spread[axis]} covers"
                        if in_pairs
                        else f"half of the kernel's {kernel[axis]}"
                    ),
                    hint="" if in_pairs else "(before, after) pairs may pad by more",
                )
            )
    return PoolGeometry(kernel, steps, pads, spread, ceil_mode)


def _has_pairs(padding: Any) -> bool:
    return hasattr(padding, "__len__") and any(hasattr(each, "__len__") for each in padding)


def adaptive_counts(function: str, output_size: Any, extents: Ints) -> Ints:
    """Return the number of adaptive windows along each axis; None keeps the input's extent."""
    ndim = len(extents)
    sizes: tuple[Any, ...]
    if hasattr(output_size, "__len__") and not isinstance(output_size, str | bytes | dict | set):
        sizes = tuple(output_size)
    else:
        sizes = (output_size,) * ndim
    if len(sizes) != ndim:
        raise ValueError(
            bad_argument(
                function,
                "output_size",
                got=repr(output_size),
                expected=f"an int or None, or {ndim} of them, one per spatial axis",
            )
        )
    return tuple(
        extent if size is None else whole(function, "output_size", size, 0)
        for size, extent in zip(sizes, extents, strict=True)
    )


def adaptive_windows(extents: Ints, counts: Ints) -> tuple[Window, ...]:
    """Return adaptive windows along each axis."""
    return tuple(
        Window(length=length, count=count, adaptive=True)
        for length, count in zip(extents, counts, strict=True)
    )
