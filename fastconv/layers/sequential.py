"""Layers one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastconv.errors import bad_argument
from fastconv.layers.base import Layer


class Sequential(Layer):
    """Apply layers in order; names of their parameters start with the layer's number.

    Parameters
    ----------
    *layers : Layer
        Each of them once: a layer keeps the context of one call.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv.layers import Linear, ReLU
    >>> net = Sequential(Linear(2, 3, seed=0), ReLU(), Linear(3, 1, seed=1))
    >>> y = net(np.ones((4, 2), np.float32))
    >>> net.backward(np.ones_like(y)).shape
    (4, 2)
    >>> [name for name, gradient in net.gradients().items() if gradient is not None]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        for number, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(
                    bad_argument(
                        "Sequential", f"layer {number}", got=repr(layer), expected="a Layer"
                    )
                )
        self.layers = list(layers)
        inside = [id(layer) for _, layer in self._named_layers()]
        if len(set(inside)) != len(inside):
            raise ValueError("Sequential: layers: got one layer twice, expected separate layers")

    def children(self) -> Mapping[str, Layer]:
        """Return the layers under "0", "1", ..."""
        return {str(number): layer for number, layer in enumerate(self.layers)}

    def forward(self, x: Any) -> Any:
        """Return the last layer's output."""
        for layer in self.layers:
            x = layer(x)
        return x

    def backward(self, grad: Any) -> Any:
        """Return the gradient by the first layer's input; every layer stores its own."""
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    def __getitem__(self, number: int) -> Layer:
        """Return one layer."""
        return self.layers[number]

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        """Iterate over the layers."""
        return iter(self.layers)
