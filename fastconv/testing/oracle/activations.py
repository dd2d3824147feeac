"""Activations in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


_FORMULAS: dict[str, Callable[[float], float]] = {
    "relu": lambda v: max(v, 0.0),
    "relu6": lambda v: min(max(v, 0.0), 6.0),
    "leaky_relu": lambda v: v if v > 0 else 0.01 * v,
    "sigmoid": _sigmoid,
    "tanh": math.tanh,
    "silu": lambda v: v * _sigmoid(v),
    # 1 + erf(z) is erfc(-z), without its cancellation.
    "gelu": lambda v: 0.5 * v * math.erfc(-v / math.sqrt(2)),
}


def activate(name: str | None, values: Any) -> Any:
    """Apply an activation, element by element; finite values only."""
    if name is None or values.size == 0:
        return values
    return np.vectorize(_FORMULAS[name], otypes=[np.float64])(values)
