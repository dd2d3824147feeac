"""The pools of well-known networks, forward and backward. Append only."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

import fastconv


class Pool(NamedTuple):
    """A pool of (N, C, H, W) images; the global average is over whole ones."""

    x: tuple[int, ...]
    kind: Literal["max", "average", "global average"]
    kernel: int = 1
    stride: int = 1
    padding: int = 0


POOLS = {
    "resnet-max-pool": Pool((8, 64, 112, 112), "max", 3, 2, 1),
    "resnet-global-average": Pool((8, 2048, 7, 7), "global average"),
    "vgg-max-pool": Pool((8, 64, 224, 224), "max", 2, 2),
}


def images(pool: Pool, dtype: str) -> Any:
    """Return what is pooled."""
    if dtype == "bfloat16":
        dtype = __import__("ml_dtypes").bfloat16
    return np.random.default_rng(0).standard_normal(pool.x).astype(dtype)


def window(pool: Pool) -> tuple[int, int, int]:
    """Return how a pool by maximum is called: kernel, stride, padding."""
    return pool.kernel, pool.stride, pool.padding


class Pooling:
    """Forward as inference calls it, and as training does, which needs indices; and backward."""

    params = (tuple(POOLS), ("float32", "float64", "float16", "bfloat16"))
    param_names = ("layer", "dtype")
    timeout = 300

    def setup(self, layer: str, dtype: str) -> None:
        """Make the arrays, and the plans."""
        pool = POOLS[layer]
        x = images(pool, dtype)
        if pool.kind == "max":
            place = window(pool)
            y, indices = fastconv.max_pool2d(x, *place, return_indices=True)
            self.forward = partial(fastconv.max_pool2d, x, *place, out=y)
            self.training = partial(fastconv.max_pool2d, x, *place, return_indices=True)
            self.backward = partial(fastconv.max_pool2d_backward, y, x, indices, *place)
        else:
            y = fastconv.adaptive_avg_pool2d(x, 1)
            self.forward = self.training = partial(fastconv.adaptive_avg_pool2d, x, 1, out=y)
            self.backward = partial(fastconv.adaptive_avg_pool2d_backward, y, x, 1)
        for call in (self.forward, self.training, self.backward):
            call()

    def time_forward(self, layer: str, dtype: str) -> None:
        """The pool."""
        self.forward()

    def time_forward_training(self, layer: str, dtype: str) -> None:
        """The pool, with the indices of maxima."""
        self.training()

    def time_backward(self, layer: str, dtype: str) -> None:
        """The gradient by the input."""
        self.backward()
