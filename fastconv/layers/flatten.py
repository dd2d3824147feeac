"""Flattening between convolutions and linear layers."""

from __future__ import annotations

from math import prod
from typing import Any

from fastconv.dispatch.arrays import take
from fastconv.errors import bad_argument
from fastconv.layers.base import Layer


class Flatten(Layer):
    """Merge the axes from `start_dim` to `end_dim`, both included, into one.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Flatten()
    >>> layer(np.zeros((2, 3, 4, 5))).shape, layer.backward(np.zeros((2, 60))).shape
    ((2, 60), (2, 3, 4, 5))
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Any) -> Any:
        """Return `x` reshaped: a view where its strides allow one."""
        x = take("Flatten", "x", x)
        first = self.start_dim % x.ndim if -x.ndim <= self.start_dim < x.ndim else x.ndim
        last = self.end_dim % x.ndim if -x.ndim <= self.end_dim < x.ndim else -1
        if first > last:
            raise ValueError(
                bad_argument(
                    "Flatten",
                    "x",
                    got=f"shape {x.shape}",
                    expected=f"axes {self.start_dim} to {self.end_dim} in that order",
                )
            )
        shape = (*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :])
        y = x.reshape(shape)
        # An empty slice knows the library but holds no memory of x.
        self._keep(x.shape, shape, x[:0].copy())
        return y

    def backward(self, grad: Any) -> Any:
        """Return `grad` in the input's shape."""
        with self._kept() as (shape, flat_shape, like):
            return self._checked_gradient(grad, flat_shape, like).reshape(shape)
