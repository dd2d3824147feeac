"""Activation layers, elementwise in the array's own library."""

from __future__ import annotations

from functools import cache
from math import pi, sqrt
from types import ModuleType
from typing import Any

import numpy as np

from fastconv import functional
from fastconv.dispatch.arrays import namespace, take
from fastconv.layers.arrays import require_real
from fastconv.layers.base import Layer


class _Activation(Layer):
    """Subclasses define `_value(xp, x)`, and `_slope(xp, x, y)`: y's derivative by x."""

    def _value(self, xp: ModuleType, x: Any) -> Any:
        raise NotImplementedError

    def _slope(self, xp: ModuleType, x: Any, y: Any) -> Any:
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        """Return the activation of each element."""
        name = type(self).__name__
        x = take(name, "x", x)
        require_real(name, "x", x)
        y = self._value(namespace(x), x)
        self._keep(x, y)
        return y

    def backward(self, grad: Any) -> Any:
        """Return the gradient by `x`."""
        with self._kept() as (x, y):
            grad = self._checked_gradient(grad, y.shape, y)
            return grad * self._slope(namespace(x), x, y)


class _Clipped(_Activation):
    """An activation whose gradient is passed on or stopped: no 0 * inf, which is NaN."""

    def _passes(self, x: Any) -> Any:
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        """Return the activation of each element; keep one byte of each for backward."""
        name = type(self).__name__
        x = take(name, "x", x)
        require_real(name, "x", x)
        xp = namespace(x)
        self._keep(self._passes(x) if self.training else None)
        return self._value(xp, x)

    def backward(self, grad: Any) -> Any:
        """Return the gradient by `x`."""
        with self._kept() as (passes,):
            grad = self._checked_gradient(grad, passes.shape, passes)
            return namespace(grad).where(passes, grad, 0)


class ReLU(_Clipped):
    """max(x, 0). NaN stays NaN; the gradient at 0 is 0.

    Examples
    --------
    >>> import numpy as np
    >>> layer = ReLU()
    >>> layer(np.array([-1.0, 2.0])), layer.backward(np.array([3.0, 3.0]))
    (array([0., 2.]), array([0., 3.]))
    """

    def _value(self, xp: ModuleType, x: Any) -> Any:
        if xp is np and x.dtype.itemsize == 2 and x.dtype.kind in "fV" and x.dtype.isnative:
            return _relu_of_codes(x)
        return xp.maximum(x, 0)

    def _passes(self, x: Any) -> Any:
        return ~(x <= 0)  # not x > 0: NaN passes its gradient on, as in PyTorch


def _relu_of_codes(x: Any) -> Any:
    """Return max(x, 0) of float16 or bfloat16, ten times as fast as NumPy compares them.

    As integers, negative numbers are below 0 too.
    """
    codes = x.view(np.int16)
    infinite = _infinite_code(x.dtype)
    if x.size and codes.view(np.uint16).max() > infinite:
        return np.maximum(x, x.dtype.type(0))  # a NaN with a sign
    return np.maximum(codes, np.int16(0)).view(x.dtype)


@cache
def _infinite_code(dtype: Any) -> int:
    """Return the code of minus infinity, beyond which there is NaN alone."""
    return int(np.array(-np.inf, dtype).view(np.uint16))


class ReLU6(_Clipped):
    """min(max(x, 0), 6).

    Examples
    --------
    >>> import numpy as np
    >>> ReLU6()(np.array([-1.0, 2.5, 7.0])).round(3)
    array([0. , 2.5, 6. ])
    """

    def _value(self, xp: ModuleType, x: Any) -> Any:
        return xp.minimum(xp.maximum(x, 0), 6)

    def _passes(self, x: Any) -> Any:
        return (x > 0) & (x < 6)


class LeakyReLU(_Activation):
    """x, or ``negative_slope * x`` where x is negative.

    Examples
    --------
    >>> import numpy as np
    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = float(negative_slope)

    def _value(self, xp: ModuleType, x: Any) -> Any:
        return xp.where(x > 0, x, x * self.negative_slope)

    def _slope(self, xp: ModuleType, x: Any, y: Any) -> Any:
        return xp.where(x > 0, xp.ones_like(y), self.negative_slope)


def _sigmoid(xp: ModuleType, x: Any) -> Any:
    # exp of a negative number only: it can't overflow, and keeps small values' digits.
    decay = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1 / (1 + decay), decay / (1 + decay))


class Sigmoid(_Activation):
    """1 / (1 + exp(-x)), without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> Sigmoid()(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """

    def _value(self, xp: ModuleType, x: Any) -> Any:
        return _sigmoid(xp, x)

    def _slope(self, xp: ModuleType, x: Any, y: Any) -> Any:
        return y * (1 - y)


class Tanh(_Activation):
    """The hyperbolic tangent.

    Examples
    --------
    >>> import numpy as np
    >>> Tanh()(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.762])
    """

    def _value(self, xp: ModuleType, x: Any) -> Any:
        return xp.tanh(x)

    def _slope(self, xp: ModuleType, x: Any, y: Any) -> Any:
        return 1 - y * y


class SiLU(_Activation):
    """x * sigmoid(x), also called swish.

    Examples
    --------
    >>> import numpy as np
    >>> SiLU()(np.array([-1.0, 1.0])).round(3)
    array([-0.269,  0.731])
    """

    def _value(self, xp: ModuleType, x: Any) -> Any:
        return x * _sigmoid(xp, x)

    def _slope(self, xp: ModuleType, x: Any, y: Any) -> Any:
        sigmoid = _sigmoid(xp, x)
        return sigmoid + y * (1 - sigmoid)


class GELU(_Activation):
    """x times the normal distribution's cumulative function at x, exactly (not by tanh).

    Examples
    --------
    >>> import numpy as np
    >>> GELU()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """

    def _value(self, xp: ModuleType, x: Any) -> Any:
        if x.size == 0:
            return x.copy()
        # NumPy has no erf; every backend has gelu as the activation of a convolution.
        unit = xp.ones((1, 1, 1), x.dtype)
        return functional.conv1d(x.reshape(1, 1, -1), unit, activation="gelu").reshape(x.shape)

    def _slope(self, xp: ModuleType, x: Any, y: Any) -> Any:
        at_zero = x == 0
        cumulative = xp.where(at_zero, 0.5, y / xp.where(at_zero, 1, x))
        return cumulative + x * xp.exp(-0.5 * x * x) / sqrt(2 * pi)
