"""Activations as their formulas say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_erf = np.frompyfunc(math.erf, 1, 1)


def _sigmoid(x: Any) -> Any:
    # exp of a negative number only, so that nothing overflows.
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def activation_bytes(name: str | None, itemsize: int) -> int:
    """Return what the temporary arrays of an activation take for each item."""
    if name is None:
        return 0
    # math.erf goes through Python numbers, of 24 bytes each beside two pointers.
    return 4 * itemsize + (64 if name == "gelu" else 0)


def activate(name: str | None, x: Any) -> Any:
    """Apply an activation to an array; NaN stays NaN."""
    if name is None:
        return x
    if name == "relu":
        return np.maximum(x, 0)
    if name == "relu6":
        return np.clip(x, 0, 6)
    if name == "leaky_relu":
        return np.where(x > 0, x, x * 0.01)
    if name == "sigmoid":
        return _sigmoid(x)
    if name == "tanh":
        return np.tanh(x)
    if name == "silu":
        return x * _sigmoid(x)
    if name == "gelu":
        return 0.5 * x * (1 + _erf(x / math.sqrt(2)).astype(x.dtype))
    raise ValueError(f"unknown activation {name!r}")
