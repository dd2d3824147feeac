"""Transposed convolution layers."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastconv import functional
from fastconv.functional.parameters import IntOrInts, Padding
from fastconv.layers.conv_base import ConvLayer
from fastconv.layers.options import CallOptions


class _ConvTranspose(ConvLayer):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrInts,
        stride: IntOrInts = 1,
        padding: Padding = 0,
        output_padding: IntOrInts = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntOrInts = 1,
        *,
        dtype: Any = "float32",
        seed: int | None = None,
        rng: np.random.Generator | None = None,
        **options: Unpack[CallOptions],
    ) -> None:
        geometry = {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "groups": groups,
            "dilation": dilation,
        }
        channels = (in_channels, out_channels)
        super().__init__(channels, kernel_size, geometry, bias, dtype, (seed, rng), options)

    @staticmethod
    def _weight_channels(in_channels: int, out_channels: int, groups: int) -> tuple[int, int]:
        return in_channels, out_channels // groups


class ConvTranspose1d(_ConvTranspose):
    """1-d transposed convolution; see `ConvTranspose2d`."""

    _axes = 1
    _function = staticmethod(functional.conv_transpose1d)
    _gradient = staticmethod(functional.conv_transpose1d_backward)


class ConvTranspose2d(_ConvTranspose):
    """2-d transposed convolution with a learnt weight and bias.

    Takes `Conv2d`'s arguments and ``output_padding``, in PyTorch's order; see
    :func:`fastconv.conv_transpose2d`.

    Attributes
    ----------
    weight : array (in_channels, out_channels / groups, kernel height, kernel width)
    bias : array (out_channels,) or None

    Examples
    --------
    >>> import numpy as np
    >>> layer = ConvTranspose2d(4, 2, kernel_size=2, stride=2, seed=0)
    >>> layer(np.ones((1, 4, 3, 3), np.float32)).shape
    (1, 2, 6, 6)
    """

    _axes = 2
    _function = staticmethod(functional.conv_transpose2d)
    _gradient = staticmethod(functional.conv_transpose2d_backward)


class ConvTranspose3d(_ConvTranspose):
    """3-d transposed convolution; see `ConvTranspose2d`."""

    _axes = 3
    _function = staticmethod(functional.conv_transpose3d)
    _gradient = staticmethod(functional.conv_transpose3d_backward)
