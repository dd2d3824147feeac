"""The arithmetic of sizes: kernels, strides, paddings and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastconv.errors import bad_argument
from fastconv.functional.parameters import pad_pairs, per_axis, resolve_padding, whole
from fastconv.problem import Ints, Pairs


@dataclass(frozen=True, slots=True)
class Geometry:
    """A kernel's way over an image: one entry per spatial axis."""

    kernel: Ints
    stride: Ints
    padding: Pairs
    dilation: Ints

    def reach(self, axis: int) -> int:
        """Return the extent that a dilated kernel covers."""
        return (self.kernel[axis] - 1) * self.dilation[axis] + 1

    def spatial_out(self, function: str, argument: str, extents: Ints) -> Ints:
        """Return the output's extents; refuse a kernel that doesn't fit the padded input."""
        sizes = []
        for axis, extent in enumerate(extents):
            room = extent + sum(self.padding[axis]) - self.reach(axis)
            if room < 0:
                raise ValueError(
                    bad_argument(
                        function,
                        argument,
                        got=f"extent {extent} on spatial axis {axis}, "
                        f"{extent + sum(self.padding[axis])} with padding",
                        expected=f"at least {self.reach(axis)}, which a kernel of "
                        f"{self.kernel[axis]} with dilation {self.dilation[axis]} covers",
                        hint="Use a smaller kernel or more padding",
                    )
                )
            sizes.append(room // self.stride[axis] + 1)
        return tuple(sizes)


def convolution_geometry(
    function: str, extents: Ints, kernel: Ints, stride: Any, padding: Any, dilation: Any
) -> Geometry:
    """Check a convolution's parameters and settle its padding."""
    ndim = len(extents)
    steps = per_axis(function, "stride", stride, ndim, 1)
    spread = per_axis(function, "dilation", dilation, ndim, 1)
    pads = resolve_padding(function, padding, extents, kernel, steps, spread)
    return Geometry(kernel, steps, pads, spread)


def transposed_geometry(
    function: str,
    extents: Ints,
    kernel: Ints,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
) -> tuple[Geometry, Ints]:
    """Check a transposed convolution's parameters; return them with the output's extents."""
    ndim = len(extents)
    steps = per_axis(function, "stride", stride, ndim, 1)
    spread = per_axis(function, "dilation", dilation, ndim, 1)
    extra = per_axis(function, "output_padding", output_padding, ndim, 0)
    geometry = Geometry(kernel, steps, pad_pairs(function, padding, ndim, names=False), spread)
    sizes = []
    for axis, extent in enumerate(extents):
        if extra[axis] >= max(steps[axis], spread[axis]):
            raise ValueError(
                bad_argument(
                    function,
                    "output_padding",
                    got=extra[axis],
                    expected=f"less than stride {steps[axis]} or dilation {spread[axis]} on "
                    f"spatial axis {axis}",
                )
            )
        size = (extent - 1) * steps[axis] + geometry.reach(axis) + extra[axis]
        size -= sum(geometry.padding[axis])
        if size < 1:
            raise ValueError(
                bad_argument(
                    function,
                    "padding",
                    got=f"{geometry.padding[axis]} on spatial axis {axis}, which leaves an output "
                    f"of extent {size}",
                    expected="less padding",
                )
            )
        sizes.append(size)
    return geometry, tuple(sizes)


def check_weight(function: str, weight_shape: Ints, ndim: int, groups: Any) -> int:
    """Check a weight's axes and the number of groups against it; return that number."""
    number = whole(function, "groups", groups, 1)
    if len(weight_shape) != ndim + 2:
        raise ValueError(
            bad_argument(
                function,
                "weight",
                got=f"shape {weight_shape}",
                expected=f"{ndim + 2} axes: two of channels and {ndim} of space",
            )
        )
    if 0 in weight_shape[2:]:
        raise ValueError(
            bad_argument(
                function, "weight", got=f"shape {weight_shape}", expected="a kernel of 1 or more"
            )
        )
    if weight_shape[0] % number:
        raise ValueError(
            bad_argument(
                function,
                "groups",
                got=number,
                expected=f"a divisor of weight.shape[0] = {weight_shape[0]}",
            )
        )
    return number
