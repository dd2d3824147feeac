"""The layers that speed is measured on: convolutions of well-known networks."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fastconv

__all__ = ["LAYERS", "Convolution", "FewBits", "Layer", "arrays"]

# Of this checkout, not of what is installed: asv measures old versions with today's layers.
_SOURCE = Path(__file__).parents[2] / "fastconv" / "testing" / "networks.py"
if TYPE_CHECKING:
    from fastconv.testing.networks import LAYERS, Layer
else:
    _found = runpy.run_path(str(_SOURCE))
    LAYERS, Layer = _found["LAYERS"], _found["Layer"]


def arrays(layer: Layer, dtype: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return an input, a weight and the keywords of a layer."""
    known = __import__("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype
    rng = np.random.default_rng(0)
    weight = (layer.channels, layer.x[1] // layer.groups, *layer.kernel)
    keywords = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
    return (
        rng.standard_normal(layer.x).astype(known),
        rng.standard_normal(weight).astype(known),
        keywords,
    )


class Convolution:
    """Every layer, forward and its two gradients, into arrays that are there."""

    params = (tuple(LAYERS), ("float32", "float64"))
    param_names = ("layer", "dtype")
    timeout = 300

    def setup(self, layer: str, dtype: str) -> None:
        """Make the arrays, and the plans."""
        self.x, self.weight, self.keywords = arrays(LAYERS[layer], dtype)
        axes = self.x.ndim - 2
        self.forward = getattr(fastconv, f"conv{axes}d")
        self.input_grad = getattr(fastconv, f"conv{axes}d_input_grad")
        self.weight_grad = getattr(fastconv, f"conv{axes}d_weight_grad")
        self.y = self.forward(self.x, self.weight, **self.keywords)
        self.dx, self.dw = np.empty_like(self.x), np.empty_like(self.weight)

    def time_forward(self, layer: str, dtype: str) -> None:
        """The convolution."""
        self.forward(self.x, self.weight, out=self.y, **self.keywords)

    def time_input_grad(self, layer: str, dtype: str) -> None:
        """The gradient by the input."""
        self.input_grad(self.x.shape, self.weight, self.y, out=self.dx, **self.keywords)

    def time_weight_grad(self, layer: str, dtype: str) -> None:
        """The gradient by the weight."""
        self.weight_grad(self.x, self.weight.shape, self.y, out=self.dw, **self.keywords)

    def peakmem_forward(self, layer: str, dtype: str) -> None:
        """Peak memory of the process with the convolution."""
        self.forward(self.x, self.weight, out=self.y, **self.keywords)


class FewBits(Convolution):
    """The same on 16-bit arrays."""

    params = (tuple(LAYERS), ("float16", "bfloat16"))
