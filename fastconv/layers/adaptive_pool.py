"""Adaptive pooling layers: the output's size is given, the windows follow."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv import functional
from fastconv.layers.options import CallOptions
from fastconv.layers.pool_base import IndexedPoolLayer, PoolLayer


class _AdaptiveAvgPool(PoolLayer):
    def __init__(self, output_size: Any, **options: Unpack[CallOptions]) -> None:
        super().__init__({"output_size": output_size}, options)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """1-d adaptive average pool; see `AdaptiveAvgPool2d`."""

    _function = staticmethod(functional.adaptive_avg_pool1d)
    _gradient = staticmethod(functional.adaptive_avg_pool1d_backward)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """2-d adaptive average pool; see :func:`fastconv.adaptive_avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = AdaptiveAvgPool2d(1)
    >>> layer(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[7.5]]]])
    """

    _function = staticmethod(functional.adaptive_avg_pool2d)
    _gradient = staticmethod(functional.adaptive_avg_pool2d_backward)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """3-d adaptive average pool; see `AdaptiveAvgPool2d`."""

    _function = staticmethod(functional.adaptive_avg_pool3d)
    _gradient = staticmethod(functional.adaptive_avg_pool3d_backward)


class _AdaptiveMaxPool(IndexedPoolLayer):
    def __init__(self, output_size: Any, **options: Unpack[CallOptions]) -> None:
        super().__init__({"output_size": output_size}, options)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """1-d adaptive maximum pool; see `AdaptiveMaxPool2d`."""

    _function = staticmethod(functional.adaptive_max_pool1d)
    _gradient = staticmethod(functional.adaptive_max_pool1d_backward)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """2-d adaptive maximum pool; see :func:`fastconv.adaptive_max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = AdaptiveMaxPool2d((1, 2))
    >>> layer(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[13., 15.]]]])
    """

    _function = staticmethod(functional.adaptive_max_pool2d)
    _gradient = staticmethod(functional.adaptive_max_pool2d_backward)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """3-d adaptive maximum pool; see `AdaptiveMaxPool2d`."""

    _function = staticmethod(functional.adaptive_max_pool3d)
    _gradient = staticmethod(functional.adaptive_max_pool3d_backward)
