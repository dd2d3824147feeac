"""Transposed convolutions: how generators and decoders enlarge their images. Append only."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastconv

from .suite import Layer

LAYERS = {
    "transposed-4x4-s2": Layer((1, 128, 64, 64), 64, (4, 4), 2, 1),
}


def arrays(layer: Layer, dtype: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return an input, a weight (in, out / groups, kernel...) and the keywords of a layer."""
    rng = np.random.default_rng(0)
    weight = (layer.x[1], layer.channels // layer.groups, *layer.kernel)
    keywords = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
    return (
        rng.standard_normal(layer.x).astype(dtype),
        rng.standard_normal(weight).astype(dtype),
        keywords,
    )


class TransposedConvolution:
    """Forward and the two gradients."""

    params = (tuple(LAYERS), ("float32", "float64"))
    param_names = ("layer", "dtype")
    timeout = 300

    def setup(self, layer: str, dtype: str) -> None:
        """Make the arrays, and the plans."""
        self.x, self.weight, self.keywords = arrays(LAYERS[layer], dtype)
        axes = self.x.ndim - 2
        self.forward = getattr(fastconv, f"conv_transpose{axes}d")
        self.backward = getattr(fastconv, f"conv_transpose{axes}d_backward")
        self.y = self.forward(self.x, self.weight, **self.keywords)
        self.backward(self.y, self.x, self.weight, wrt=("x", "weight"), **self.keywords)

    def time_forward(self, layer: str, dtype: str) -> None:
        """The transposed convolution."""
        self.forward(self.x, self.weight, out=self.y, **self.keywords)

    def time_input_grad(self, layer: str, dtype: str) -> None:
        """The gradient by the input."""
        self.backward(self.y, self.x, self.weight, wrt=("x",), **self.keywords)

    def time_weight_grad(self, layer: str, dtype: str) -> None:
        """The gradient by the weight."""
        self.backward(self.y, self.x, self.weight, wrt=("weight",), **self.keywords)
