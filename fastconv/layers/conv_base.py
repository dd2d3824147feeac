"""What convolution and transposed convolution layers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from fastconv.dispatch.policy import under
from fastconv.errors import bad_argument
from fastconv.functional.parameters import IntOrInts, per_axis, whole
from fastconv.layers.base import Layer
from fastconv.layers.options import (
    CallOptions,
    channels_last,
    float_dtype,
    generator,
    uniform_parameters,
)


class ConvLayer(Layer):
    """A function of (x, weight, bias) with a gradient; subclasses say which."""

    parameter_names = ("weight", "bias")
    _axes: ClassVar[int]
    _function: ClassVar[Callable[..., Any]]
    _gradient: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        channels: tuple[int, int],
        kernel_size: IntOrInts,
        geometry: Mapping[str, Any],
        bias: bool,
        dtype: Any,
        random: tuple[int | None, np.random.Generator | None],
        options: CallOptions,
    ) -> None:
        super().__init__(options)
        name = type(self).__name__
        in_channels = whole(name, "in_channels", channels[0], 1)
        out_channels = whole(name, "out_channels", channels[1], 1)
        groups = whole(name, "groups", geometry["groups"], 1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                bad_argument(
                    name,
                    "groups",
                    got=groups,
                    expected=f"a divisor of in_channels={in_channels} and of "
                    f"out_channels={out_channels}",
                )
            )
        channels_last(name, self.options, self._axes)
        for argument in ("stride", "dilation"):
            per_axis(name, argument, geometry[argument], self._axes, 1)
        self.geometry = dict(geometry)
        self.weight, self.bias = uniform_parameters(
            (
                *self._weight_channels(in_channels, out_channels, groups),
                *per_axis(name, "kernel_size", kernel_size, self._axes, 1),
            ),
            out_channels if bias else None,
            float_dtype(name, dtype),
            generator(name, *random),
        )

    @staticmethod
    def _weight_channels(in_channels: int, out_channels: int, groups: int) -> tuple[int, int]:
        return out_channels, in_channels // groups

    def forward(self, x: Any) -> Any:
        """Return the (transposed) convolution of `x`; see the function of that name."""
        x, weight, bias = map(self._narrowed, (x, self.weight, self.bias))
        y = type(self)._function(x, weight, bias, **self.geometry, **self.options)
        self._keep(x, self._policy())
        return y

    def backward(self, grad: Any) -> Any:
        """Return the gradient by `x`; store those of weight and bias."""
        wrt = ("x", "weight") if self.bias is None else ("x", "weight", "bias")
        with self._kept() as (x, policy), under(policy), self._expecting_overflow():
            found = type(self)._gradient(
                self._narrowed(grad),
                x,
                self._narrowed(self.weight),
                **self.geometry,
                wrt=wrt,
                **self._layout,
            )
            self._store(weight=found.weight, bias=found.bias)
        return found.x
