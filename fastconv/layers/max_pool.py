"""Maximum pooling layers."""

from __future__ import annotations

from typing import Unpack

from fastconv import functional
from fastconv.functional.parameters import IntOrInts, Padding
from fastconv.layers.options import CallOptions
from fastconv.layers.pool_base import IndexedPoolLayer


class _MaxPool(IndexedPoolLayer):
    def __init__(
        self,
        kernel_size: IntOrInts,
        stride: IntOrInts | None = None,
        padding: Padding = 0,
        dilation: IntOrInts = 1,
        ceil_mode: bool = False,
        **options: Unpack[CallOptions],
    ) -> None:
        geometry = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "ceil_mode": ceil_mode,
        }
        super().__init__(geometry, options)


class MaxPool1d(_MaxPool):
    """1-d maximum pool; see `MaxPool2d`."""

    _function = staticmethod(functional.max_pool1d)
    _gradient = staticmethod(functional.max_pool1d_backward)


class MaxPool2d(_MaxPool):
    """2-d maximum pool; see :func:`fastconv.max_pool2d` for the arguments.

    Of equal maxima the first gets the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> layer = MaxPool2d(2)
    >>> layer(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    >>> layer.backward(np.ones((1, 1, 2, 2))).sum(axis=(0, 1))
    array([[0., 0., 0., 0.],
           [0., 1., 0., 1.],
           [0., 0., 0., 0.],
           [0., 1., 0., 1.]])
    """

    _function = staticmethod(functional.max_pool2d)
    _gradient = staticmethod(functional.max_pool2d_backward)


class MaxPool3d(_MaxPool):
    """3-d maximum pool; see `MaxPool2d`."""

    _function = staticmethod(functional.max_pool3d)
    _gradient = staticmethod(functional.max_pool3d_backward)
