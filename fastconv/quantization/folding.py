"""Batch norm folded into the layer before it: two linear maps are one."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np

from fastconv.errors import bad_argument
from fastconv.layers import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    Conv1d,
    Conv2d,
    Conv3d,
    Dropout,
    Layer,
    Linear,
    Sequential,
)

PRODUCTS = (Conv1d, Conv2d, Conv3d, Linear)
_NORMS = (BatchNorm1d, BatchNorm2d, BatchNorm3d)


def fold_batch_norm(net: Sequential) -> Sequential:
    """Return a net for evaluation whose batch norms are part of the layers before them.

    Parameters
    ----------
    net : Sequential
        A trained net. It stays as it is.

    Returns
    -------
    Sequential
        In evaluation mode, with copies of the layers: inner Sequentials opened, dropout left out,
        and each batch norm with running statistics that follows a convolution or a linear layer
        folded into it. Parameters are float32 copies where they changed.

    Raises
    ------
    TypeError
        If it is no Sequential.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv.layers import BatchNorm2d, Conv2d, Sequential
    >>> from fastconv.quantization import fold_batch_norm
    >>> net = Sequential(Conv2d(1, 2, 3, seed=0), BatchNorm2d(2))
    >>> _ = net(np.random.default_rng(0).normal(size=(8, 1, 6, 6)).astype("f4"))
    >>> folded, x = fold_batch_norm(net), np.ones((1, 1, 3, 3), "f4")
    >>> len(folded), bool(abs(folded(x) - net.eval()(x)).max() < 1e-6)
    (1, True)
    """
    if not isinstance(net, Sequential):
        raise TypeError(
            bad_argument("fold_batch_norm", "net", got=repr(net), expected="a Sequential")
        )
    layers: list[Layer] = []
    for layer in _opened(net):
        if isinstance(layer, _NORMS) and layer.running_mean is not None and layers:
            before = layers[-1]
            if isinstance(before, PRODUCTS) and len(before.weight) == layer.num_features:
                _fold(before, layer)
                continue
        layers.append(_twin(layer))
    return Sequential(*layers).eval()


def _opened(net: Sequential) -> Iterator[Layer]:
    for layer in net:
        if isinstance(layer, Sequential):
            yield from _opened(layer)
        elif not isinstance(layer, Dropout):
            yield layer


def _twin(layer: Layer) -> Layer:
    """Return a copy of a layer with the same arrays, and nothing kept for a backward."""
    twin = copy(layer)
    twin._gradients = {}
    twin._drop("the layer is a copy")
    return twin


def _fold(layer: Any, norm: Any) -> None:
    def wide(array: Any, instead: float) -> Any:
        return instead if array is None else np.asarray(array, np.float64)

    root = np.sqrt(wide(norm.running_var, 1.0) + norm.eps)
    factor = np.broadcast_to(wide(norm.weight, 1.0) / root, (norm.num_features,))
    spread = factor.reshape(-1, *(1,) * (layer.weight.ndim - 1))
    bias = (wide(layer.bias, 0.0) - wide(norm.running_mean, 0.0)) * factor + wide(norm.bias, 0.0)
    layer.weight = (np.asarray(layer.weight, np.float64) * spread).astype(np.float32)
    layer.bias = bias.astype(np.float32)
