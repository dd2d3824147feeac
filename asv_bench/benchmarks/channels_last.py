"""Arrays whose channels come last: pools, and convolutions in small groups. Append only."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import fastconv

from .pooling import POOLS, Pool, images, window
from .suite import LAYERS, Layer, arrays

# resnext-grouped, of the suite, has groups of 4 channels.
GROUPED = {
    "grouped-of-2": Layer((4, 128, 56, 56), 128, (3, 3), 1, 1, 1, 64),
    "grouped-of-8": Layer((4, 128, 56, 56), 128, (3, 3), 1, 1, 1, 16),
    "resnext-grouped-s2": Layer((4, 256, 56, 56), 256, (3, 3), 2, 1, 1, 32),
}
AVERAGES = {
    "densenet-average-pool": Pool((8, 128, 56, 56), "average", 2, 2),
    "inception-average-pool": Pool((8, 288, 35, 35), "average", 3, 1, 1),
}
_GROUPED = {"resnext-grouped": LAYERS["resnext-grouped"]} | GROUPED
_POOLS = POOLS | AVERAGES
_DTYPES = ("float32", "float64", "float16", "bfloat16")
_FUNCTIONS = {
    "max": "max_pool2d",
    "average": "avg_pool2d",
    "global average": "adaptive_avg_pool2d",
}
_LAST = {"layout": "NHWC"}


def _last(array: Any) -> Any:
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


class ChannelsLastPooling:
    """Pools forward, and their gradients."""

    params = (tuple(_POOLS), _DTYPES)
    param_names = ("layer", "dtype")
    timeout = 300

    def setup(self, layer: str, dtype: str) -> None:
        """Make the arrays, and the plans."""
        pool = _POOLS[layer]
        x = _last(images(pool, dtype))
        name = _FUNCTIONS[pool.kind]
        place = (1,) if pool.kind == "global average" else window(pool)
        self.forward = partial(getattr(fastconv, name), x, *place, **_LAST)
        grad = self.forward()
        indices = (self.forward(return_indices=True)[1],) if pool.kind == "max" else ()
        backward = getattr(fastconv, f"{name}_backward")
        self.backward = partial(backward, grad, x, *indices, *place, **_LAST)
        self.backward()

    def time_forward(self, layer: str, dtype: str) -> None:
        """The pool."""
        self.forward()

    def time_backward(self, layer: str, dtype: str) -> None:
        """The gradient by the input."""
        self.backward()


class ChannelsLastGrouped:
    """Convolutions in groups of 2, 4 and 8 channels, forward and the two gradients."""

    params = (tuple(_GROUPED), _DTYPES)
    param_names = ("layer", "dtype")
    timeout = 300

    def setup(self, layer: str, dtype: str) -> None:
        """Make the arrays, and the plans."""
        x, weight, keywords = arrays(_GROUPED[layer], dtype)
        x, keywords = _last(x), keywords | _LAST
        self.forward = partial(fastconv.conv2d, x, weight, **keywords)
        grad = self.forward()
        self.input_grad = partial(fastconv.conv2d_input_grad, x.shape, weight, grad, **keywords)
        self.weight_grad = partial(fastconv.conv2d_weight_grad, x, weight.shape, grad, **keywords)
        self.input_grad()
        self.weight_grad()

    def time_forward(self, layer: str, dtype: str) -> None:
        """The convolution."""
        self.forward()

    def time_input_grad(self, layer: str, dtype: str) -> None:
        """The gradient by the input."""
        self.input_grad()

    def time_weight_grad(self, layer: str, dtype: str) -> None:
        """The gradient by the weight."""
        self.weight_grad()
