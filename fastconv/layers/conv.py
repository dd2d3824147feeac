"""Convolution layers."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastconv import functional
from fastconv.functional.parameters import IntOrInts, Padding
from fastconv.layers.conv_base import ConvLayer
from fastconv.layers.options import CallOptions


class _Conv(ConvLayer):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrInts,
        stride: IntOrInts = 1,
        padding: Padding = 0,
        dilation: IntOrInts = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        dtype: Any = "float32",
        seed: int | None = None,
        rng: np.random.Generator | None = None,
        **options: Unpack[CallOptions],
    ) -> None:
        geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        channels = (in_channels, out_channels)
        super().__init__(channels, kernel_size, geometry, bias, dtype, (seed, rng), options)


class Conv1d(_Conv):
    """1-d convolution; see `Conv2d`."""

    _axes = 1
    _function = staticmethod(functional.conv1d)
    _gradient = staticmethod(functional.conv1d_backward)


class Conv2d(_Conv):
    """2-d convolution of (N, C, H, W) or (C, H, W) with a learnt weight and bias.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and the output.
    kernel_size, stride, padding, dilation, groups
        As in :func:`fastconv.conv2d`.
    bias : bool
        Whether to add a bias per output channel.
    dtype : dtype
        Of the parameters: a floating or complex one.
    seed, rng : int or numpy.random.Generator, optional
        Where the initial parameters are drawn from; PyTorch's distribution.
    **options
        ``layout`` and the policy keywords of :func:`fastconv.use`, for all its calls.

    Attributes
    ----------
    weight : array (out_channels, in_channels / groups, kernel height, kernel width)
    bias : array (out_channels,) or None

    Raises
    ------
    ValueError, TypeError
        For sizes and options that fit no convolution.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Conv2d(3, 8, kernel_size=3, padding="same", seed=0)
    >>> y = layer(np.ones((1, 3, 5, 5), np.float32))
    >>> y.shape, layer.backward(np.ones_like(y)).shape, layer.gradients()["weight"].shape
    ((1, 8, 5, 5), (1, 3, 5, 5), (8, 3, 3, 3))
    """

    _axes = 2
    _function = staticmethod(functional.conv2d)
    _gradient = staticmethod(functional.conv2d_backward)


class Conv3d(_Conv):
    """3-d convolution; see `Conv2d`."""

    _axes = 3
    _function = staticmethod(functional.conv3d)
    _gradient = staticmethod(functional.conv3d_backward)
