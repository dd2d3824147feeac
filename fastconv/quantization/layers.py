"""Layers on integers of 8 bits, for evaluation alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastconv.dispatch import PreparedWeight
from fastconv.functional import dequantize, prepare, quantize
from fastconv.functional.quantized import integer_conv, requantized_conv, scaling
from fastconv.layers import Layer
from fastconv.layers.state import Loads
from fastconv.quantization.calibrator import Calibrator, Quantization


class Quantize(Layer):
    """Turn numbers into integers by a scale and a zero point; see :func:`fastconv.quantize`."""

    buffer_names = ("scale", "zero_point")

    def __init__(self, found: Quantization, dtype: str) -> None:
        super().__init__()
        self.scale, self.zero_point = (np.asarray(each) for each in found)
        self.dtype = dtype
        self.eval()

    def forward(self, x: Any) -> Any:
        """Return the integers that `x` becomes."""
        return quantize(x, self.scale, self.zero_point, dtype=self.dtype)


class QuantizedProduct(Layer):
    """A convolution or a linear layer on integers: its sums are exact, in int32.

    Parameters
    ----------
    weight, bias : array
        As the layer has them that this stands for; bias may be None.
    geometry : mapping
        Keywords of the convolution; empty for a linear layer.
    given : Quantization
        Of the input.
    result : Quantization, optional
        Of the output; without it, the output is float32.
    dtype : str
        Of the output's integers.
    layout : str, optional
        Of a convolution.
    """

    buffer_names = ("weight", "w_scale", "bias", "x_scale", "x_zero_point", "y_scale",
                    "y_zero_point")  # fmt: skip

    def __init__(
        self,
        weight: Any,
        bias: Any,
        geometry: Mapping[str, Any],
        given: Quantization,
        result: Quantization | None,
        dtype: str,
        layout: str | None = None,
    ) -> None:
        super().__init__()
        self._axes = weight.ndim - 2
        self._geometry = tuple(
            geometry.get(name, instead)
            for name, instead in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))
        )
        # A linear layer's rows are the positions of one image, features its channels.
        self._layout_name = layout or ("NWC", "NCW", "NCHW", "NCDHW")[self._axes]
        calibrator = Calibrator(symmetric=True, axis=0)
        calibrator.observe(weight.astype(np.float32, copy=False))
        self.w_scale, zeros = calibrator.result()
        self.weight = quantize(weight.astype(np.float32), self.w_scale, zeros, axis=0)
        self.x_scale, self.x_zero_point = (np.asarray(each) for each in given)
        self.bias = None if bias is None else bias.astype(np.float32)
        self.y_scale: Any = None if result is None else np.asarray(result.scale)
        self.y_zero_point: Any = None if result is None else np.asarray(result.zero_point)
        self.dtype = dtype
        # The weight that it was made for is kept, so that its id stays its own.
        self._made: tuple[Any, PreparedWeight, Any, Any] | None = None
        self.eval()

    def forward(self, x: Any) -> Any:
        """Return integers, or float32 where the output has no scale."""
        if self._axes:
            return self._convolved(x, self._axes)
        y = self._convolved(x.reshape(1, -1, x.shape[-1]), 1)[0]
        return y.reshape(*x.shape[:-1], y.shape[-1])

    def _convolved(self, x: Any, ndim: int) -> Any:
        weight, small = self._ready(x, ndim)
        geometry, layout = self._geometry, self._layout_name
        if self.y_scale is not None:
            return requantized_conv(ndim, x, weight, small, geometry, layout, None, {})
        zeros = (self.x_zero_point, 0)
        sums = integer_conv(ndim, x, weight, zeros, geometry, layout, None, {})
        axis = sums.ndim - 1 if layout.endswith("C") else sums.ndim - 1 - ndim
        y = dequantize(sums, small, axis=axis)
        if self.bias is not None:
            y += self.bias.reshape(-1, *(1,) * (sums.ndim - 1 - axis))
        return y

    def _whole_bias(self) -> Any:
        """Return the bias in steps of the sums."""
        if self.bias is None:
            return None
        steps = np.rint(self.bias.astype(np.float64) / (self.w_scale * self.x_scale))
        most = 2.0**30
        return np.clip(steps, -most, most).astype(np.int32)

    def _ready(self, x: Any, ndim: int) -> tuple[Any, Any]:
        """Return the weight packed, and what sums are scaled by, once for all calls.

        They are made anew for other arrays, and where some were loaded meanwhile.
        """
        key = (id(self.weight), Loads.count, x.dtype)
        if self._made is None or self._made[0] != key:
            weight = prepare(self.weight if self._axes else self.weight[..., None], like=x)
            self._made = (key, weight, self._scaling(x, weight, ndim), self.weight)
        return self._made[1:3]

    def _scaling(self, x: Any, weight: PreparedWeight, ndim: int) -> Any:
        if self.y_scale is None:
            return self.w_scale * self.x_scale
        return scaling(
            ndim, x, (self.x_scale, self.x_zero_point), weight, (self.w_scale, 0),
            (self.y_scale, self.y_zero_point), self._whole_bias(), self.dtype,
        )  # fmt: skip
