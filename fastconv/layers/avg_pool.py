"""Average pooling layers."""

from __future__ import annotations

from typing import Unpack

from fastconv import functional
from fastconv.functional.parameters import IntOrInts, Padding
from fastconv.layers.options import CallOptions
from fastconv.layers.pool_base import PoolLayer


class _AvgPool(PoolLayer):
    def __init__(
        self,
        kernel_size: IntOrInts,
        stride: IntOrInts | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        dilation: IntOrInts = 1,
        **options: Unpack[CallOptions],
    ) -> None:
        geometry = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
            "divisor_override": divisor_override,
            "dilation": dilation,
        }
        super().__init__(geometry, options)


class AvgPool1d(_AvgPool):
    """1-d average pool; see `AvgPool2d`."""

    _function = staticmethod(functional.avg_pool1d)
    _gradient = staticmethod(functional.avg_pool1d_backward)


class AvgPool2d(_AvgPool):
    """2-d average pool; see :func:`fastconv.avg_pool2d` for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> layer = AvgPool2d(2)
    >>> layer(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """

    _function = staticmethod(functional.avg_pool2d)
    _gradient = staticmethod(functional.avg_pool2d_backward)


class AvgPool3d(_AvgPool):
    """3-d average pool; see `AvgPool2d`."""

    _function = staticmethod(functional.avg_pool3d)
    _gradient = staticmethod(functional.avg_pool3d_backward)
