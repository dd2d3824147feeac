"""The book's numerical differentiation, shared by its tests."""

from __future__ import annotations

import numpy as np
import pytest


def _numerical_gradient(loss, array):
    """The book's: pokes single elements with h = 1e-4, in place."""
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + 1e-4
        above = loss()
        array[place] = kept - 1e-4
        below = loss()
        array[place] = kept
        gradient[place] = (above - below) / 2e-4
    return gradient


@pytest.fixture
def numerical_gradient():
    return _numerical_gradient
