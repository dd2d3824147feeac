"""The fully connected layer."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastconv import functional
from fastconv.dispatch.policy import PolicyOptions, under
from fastconv.functional.parameters import whole
from fastconv.layers.base import Layer
from fastconv.layers.options import (
    float_dtype,
    generator,
    uniform_parameters,
)


class Linear(Layer):
    """y = x weight^T + bias over the last axis of `x`.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis of the input and the output.
    bias : bool
        Whether to add a bias.
    dtype, seed, rng
        As in `Conv2d`.
    **options
        The policy keywords of :func:`fastconv.use`, for all its calls.

    Attributes
    ----------
    weight : array (out_features, in_features)
    bias : array (out_features,) or None

    Examples
    --------
    >>> import numpy as np
    >>> layer = Linear(4, 2, seed=0)
    >>> layer(np.ones((3, 4), np.float32)).shape
    (3, 2)
    """

    parameter_names = ("weight", "bias")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: Any = "float32",
        seed: int | None = None,
        rng: np.random.Generator | None = None,
        **options: Unpack[PolicyOptions],
    ) -> None:
        super().__init__(options)
        whole("Linear", "in_features", in_features, 1)
        whole("Linear", "out_features", out_features, 1)
        self.weight, self.bias = uniform_parameters(
            (out_features, in_features),
            out_features if bias else None,
            float_dtype("Linear", dtype),
            generator("Linear", seed, rng),
        )

    def forward(self, x: Any) -> Any:
        """Return x weight^T + bias."""
        x, weight, bias = map(self._narrowed, (x, self.weight, self.bias))
        y = functional.linear(x, weight, bias, **self.options)
        self._keep(x, self._policy())
        return y

    def backward(self, grad: Any) -> Any:
        """Return the gradient by `x`; store those of weight and bias."""
        wrt = ("x", "weight") if self.bias is None else ("x", "weight", "bias")
        with self._kept() as (x, policy), under(policy), self._expecting_overflow():
            found = functional.linear_backward(
                self._narrowed(grad), x, self._narrowed(self.weight), wrt=wrt
            )
            self._store(weight=found.weight, bias=found.bias)
        return found.x
