"""What all pooling layers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from fastconv.dispatch.policy import under
from fastconv.layers.base import Layer
from fastconv.layers.options import CallOptions


class PoolLayer(Layer):
    """A pool and its gradient; subclasses say which, with the keywords of both."""

    _function: ClassVar[Callable[..., Any]]
    _gradient: ClassVar[Callable[..., Any]]

    def __init__(self, geometry: Mapping[str, Any], options: CallOptions) -> None:
        super().__init__(options)
        self.geometry = dict(geometry)

    def forward(self, x: Any) -> Any:
        """Return the pool of `x`; see the function of the same name."""
        y = type(self)._function(x, **self.geometry, **self.options)
        self._keep(x, self._policy())
        return y

    def backward(self, grad: Any) -> Any:
        """Return the gradient by `x`."""
        with self._kept() as (x, policy), under(policy):
            return type(self)._gradient(grad, x, **self.geometry, **self._layout)


class IndexedPoolLayer(PoolLayer):
    """A maximum pool, whose gradient goes where its indices point."""

    def forward(self, x: Any) -> Any:
        """Return the pool of `x`; the indices are found in training mode only."""
        if not self.training:
            self._keep()
            return type(self)._function(x, **self.geometry, **self.options)
        y, indices = type(self)._function(x, **self.geometry, return_indices=True, **self.options)
        self._keep(x, indices, self._policy())
        return y

    def backward(self, grad: Any) -> Any:
        """Return the gradient by `x`."""
        with self._kept() as (x, indices, policy), under(policy):
            return type(self)._gradient(grad, x, indices, **self.geometry, **self._layout)
