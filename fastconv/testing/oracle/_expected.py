"""An output as it should be, with the measure that its error is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Expected:
    """Right values of an output.

    Attributes
    ----------
    values : numpy.ndarray
        In float64 or complex128; in the output's own dtype where `magnitudes` is None.
    magnitudes : numpy.ndarray or None
        The same sums over absolute values, which errors are measured against. None: the
        operation only copies or selects, and the output must be equal.
    terms : int
        Largest number of terms that a sum may have, as far as the problem tells.
    channel_axis : int
        The output's channels, each with its own measure.
    activated : bool
        Whether an activation followed the sums.
    ill_conditioned : bool
        Whether the result may be arbitrarily more sensitive than its sums: a root of a sum
        that may cancel. No finite error bound holds for such.
    reach : float
        By how many of its smallest normal numbers a sum may be off where those below count as
        0: the largest sum of |x| + |w| + 1 over the terms of an element.
    """

    values: Any
    magnitudes: Any
    terms: int = 1
    channel_axis: int = 1
    activated: bool = False
    ill_conditioned: bool = False
    reach: float = 0.0


def wide(array: Any) -> Any:
    """Return an array as float64 or complex128."""
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def size_of(array: Any) -> Any:
    """Return absolute values as float64, 0 in place of what isn't finite."""
    magnitudes = np.abs(wide(array))
    return np.where(np.isfinite(magnitudes), magnitudes, 0.0)


def reach_of(products: Callable[[Any, Any], Any], first: Any, second: Any) -> float:
    """Return `Expected.reach` of sums of products, from the absolute values of their factors."""
    # (|x| + 1) (|w| + 1) = |x| |w| + |x| + |w| + 1; huge ones have other worries.
    sizes = (np.minimum(size, 2.0**20) + 1 for size in (first, second))
    return float(products(*sizes).max(initial=0.0))
