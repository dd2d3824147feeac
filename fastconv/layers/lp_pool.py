"""Power-average pooling layers."""

from __future__ import annotations

from typing import Unpack

from fastconv import functional
from fastconv.functional.parameters import IntOrInts, Padding
from fastconv.layers.options import CallOptions
from fastconv.layers.pool_base import PoolLayer


class _LPPool(PoolLayer):
    def __init__(
        self,
        norm_type: float,
        kernel_size: IntOrInts,
        stride: IntOrInts | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        *,
        dilation: IntOrInts = 1,
        **options: Unpack[CallOptions],
    ) -> None:
        geometry = {
            "norm_type": norm_type,
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "dilation": dilation,
        }
        super().__init__(geometry, options)


class LPPool1d(_LPPool):
    """1-d power-average pool; see `LPPool2d`."""

    _function = staticmethod(functional.lp_pool1d)
    _gradient = staticmethod(functional.lp_pool1d_backward)


class LPPool2d(_LPPool):
    """2-d power-average pool; see :func:`fastconv.lp_pool2d` for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> layer = LPPool2d(2, kernel_size=2)
    >>> layer(np.array([[[[3.0, 0.0], [0.0, 4.0]]]]))
    array([[[[5.]]]])
    """

    _function = staticmethod(functional.lp_pool2d)
    _gradient = staticmethod(functional.lp_pool2d_backward)


class LPPool3d(_LPPool):
    """3-d power-average pool; see `LPPool2d`."""

    _function = staticmethod(functional.lp_pool3d)
    _gradient = staticmethod(functional.lp_pool3d_backward)
