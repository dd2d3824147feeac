"""A trained net on integers of 8 bits, by what it makes of sample batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastconv.errors import bad_argument
from fastconv.layers import (
    Flatten,
    Layer,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    ReLU,
    ReLU6,
    Sequential,
)
from fastconv.quantization.calibrator import Calibrator, Quantization
from fastconv.quantization.folding import PRODUCTS, fold_batch_norm
from fastconv.quantization.layers import Quantize, QuantizedProduct

# Layers that do the same to integers as to the numbers that they stand for.
_ALIKE = (MaxPool1d, MaxPool2d, MaxPool3d, Flatten)
# Layers that saturation does the work of, where a range was found behind them.
_CLIPPING = (ReLU, ReLU6)


def quantize_network(
    net: Sequential,
    batches: Iterable[Any],
    *,
    method: str = "minmax",
    percentile: float = 99.99,
    dtype: str = "uint8",
) -> Sequential:
    """Return a net that computes its convolutions and linear layers in integers of 8 bits.

    Batch norm is folded into the layer before it. Weights get a scale for each output channel,
    what flows between layers one for all, from the sample batches. Between two such layers
    integers flow, through ReLU, maximum pools and `Flatten` as well; other layers compute in
    float32 as before, and the last product's sums come out in float32.

    Parameters
    ----------
    net : Sequential
        A trained net of real numbers. It stays as it is.
    batches : iterable of array
        Inputs such as the net will get: a few hundred samples tell the ranges.
    method, percentile
        How ranges are chosen; see :class:`Calibrator`.
    dtype : {"uint8", "int8"}, optional
        Of the integers between layers.

    Returns
    -------
    Sequential
        For evaluation alone: it has no parameters, and saves its integers and scales.

    Raises
    ------
    TypeError
        If `net` is no Sequential.
    ValueError
        If there are no batches, or values that aren't finite; for other names.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv.layers import Conv2d, Flatten, Linear, ReLU, Sequential
    >>> from fastconv.quantization import quantize_network
    >>> net = Sequential(Conv2d(1, 4, 3, seed=0), ReLU(), Flatten(), Linear(64, 3, seed=1))
    >>> x = np.random.default_rng(0).normal(size=(50, 1, 6, 6)).astype("f4")
    >>> small = quantize_network(net, [x])
    >>> [type(layer).__name__ for layer in small]
    ['Quantize', 'QuantizedProduct', 'Flatten', 'QuantizedProduct']
    >>> bool(abs(small(x) - net(x)).max() < 0.05)
    True
    """
    folded = fold_batch_norm(net)
    layers = list(folded)
    ends = {number: _end_of(layers, number) for number, layer in enumerate(layers)
            if isinstance(layer, PRODUCTS)}  # fmt: skip
    wanted = {number - 1 for number in ends} | set(ends.values())
    ranges = _observed(layers, batches, wanted, lambda: Calibrator(
        method, dtype=dtype, percentile=percentile))  # fmt: skip
    built: list[Layer] = []
    flowing: Quantization | None = None  # what integers at this place stand for
    number = 0
    while number < len(layers):
        layer = layers[number]
        if number not in ends:
            built.append(layer)
            flowing = flowing if isinstance(layer, _ALIKE) else None
            number += 1
            continue
        if flowing is None:
            flowing = ranges[number - 1]
            built.append(Quantize(flowing, dtype))
        end = ends[number]
        result = ranges[end] if _feeds_a_product(layers, end) else None
        built.append(_product(layer, flowing, result, dtype))
        flowing = result
        # Saturation does a ReLU's work on integers; on float32 it stays a layer.
        number = (end if result is not None else number) + 1
    return Sequential(*built).eval()


def _end_of(layers: list[Layer], number: int) -> int:
    """Return the last layer that a product's integers stand for: itself, or a ReLU behind it."""
    behind = layers[number + 1] if number + 1 < len(layers) else None
    return number + isinstance(behind, _CLIPPING)


def _feeds_a_product(layers: list[Layer], end: int) -> bool:
    """Whether integers can flow from behind a layer to another product."""
    for layer in layers[end + 1 :]:
        if isinstance(layer, PRODUCTS):
            return True
        if not isinstance(layer, _ALIKE):
            return False
    return False


def _product(
    layer: Any, given: Quantization, result: Quantization | None, dtype: str
) -> QuantizedProduct:
    geometry = getattr(layer, "geometry", {})
    layout = layer.options.get("layout")
    return QuantizedProduct(layer.weight, layer.bias, geometry, given, result, dtype, layout)


def _observed(
    layers: list[Layer], batches: Iterable[Any], wanted: set[int], make: Any
) -> dict[int, Quantization]:
    """Return the ranges behind the wanted layers; -1 is the input."""
    calibrators = {number: make() for number in wanted}
    seen = False
    for batch in batches:
        seen = True
        x = np.asarray(batch)
        for number, layer in enumerate([None, *layers], -1):
            x = x if layer is None else layer(x)
            if number in calibrators:
                calibrators[number].observe(x)
    if not seen:
        raise ValueError(
            bad_argument(
                "quantize_network", "batches", got="none", expected="one or more sample batches"
            )
        )
    return {number: calibrator.result() for number, calibrator in calibrators.items()}
