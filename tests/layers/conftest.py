"""Numerical differentiation, shared by the layers' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Differentiate = Callable[[Callable[[], float], Any], Any]


def _differentiate(loss: Callable[[], float], array: Any, step: float = 1e-5) -> Any:
    """Return the central differences of `loss` by each element of `array`, poked in place."""
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + step
        above = loss()
        array[place] = kept - step
        below = loss()
        array[place] = kept
        gradient[place] = (above - below) / (2 * step)
    return gradient


@pytest.fixture
def differentiate() -> Differentiate:
    return _differentiate
