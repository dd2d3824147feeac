"""Transposed convolution in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._conv_problems import TRANSPOSED
from fastconv.functional.parameters import Activation, IntOrInts, Padding


def conv_transpose1d(
    x: Any,
    weight: Any,
    /,
    bias: Any = None,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
    *,
    activation: Activation | None = None,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Apply a transposed convolution, adding a bias and an activation.

    As :func:`conv_transpose2d`, over 1 spatial axis.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        Input, in `layout` "NCW" or "NWC".
    weight : array, shape (C, O / groups, KW)
        Kernels.
    bias, stride, padding, output_padding, groups, dilation, activation, out, **policy
        As in :func:`conv_transpose2d`.

    Returns
    -------
    array, shape (N, O, W) with the output's extents
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.conv_transpose1d([[1.0, 2.0]], [[[1.0, 10.0, 100.0]]], stride=2)
    array([[  1.,  10., 102.,  20., 200.]])
    """
    parameters = (1, stride, padding, output_padding, dilation, groups, activation, layout)
    return call(TRANSPOSED[1], (x, weight, bias), parameters, out, policy)[0]


def conv_transpose2d(
    x: Any,
    weight: Any,
    /,
    bias: Any = None,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
    *,
    activation: Activation | None = None,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Apply a transposed convolution, adding a bias and an activation.

    The adjoint of :func:`conv2d` with the same weight, never conjugated: each input element
    adds its multiple of the kernel to the output. The output's extents are
    (extent - 1) * stride + (kernel - 1) * dilation + 1 + output_padding - padding.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        Input.
    weight : array, shape (C, O / groups, KH, KW)
        Kernels.
    bias : array, shape (O,), optional
        Added to each output channel.
    stride : int or one per axis, optional
        Distance of neighbouring inputs' kernels in the output.
    padding : int, one per axis, or (before, after) pairs, optional
        How much to take off the output's ends.
    output_padding : int or one per axis, optional
        How much to add behind; less than the stride or the dilation.
    groups : int, optional
        Channels in as many separate convolutions.
    dilation : int or one per axis, optional
        Step between a kernel's taps.
    activation, layout, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape (N, O, H, W) with the output's extents
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, w = np.ones((1, 2, 3, 3)), np.ones((2, 4, 4, 4))
    >>> fastconv.conv_transpose2d(x, w, stride=2, padding=1).shape
    (1, 4, 6, 6)
    """
    parameters = (2, stride, padding, output_padding, dilation, groups, activation, layout)
    return call(TRANSPOSED[2], (x, weight, bias), parameters, out, policy)[0]


def conv_transpose3d(
    x: Any,
    weight: Any,
    /,
    bias: Any = None,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
    *,
    activation: Activation | None = None,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Apply a transposed convolution, adding a bias and an activation.

    As :func:`conv_transpose2d`, over 3 spatial axes.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        Input, in `layout` "NCDHW" or "NDHWC".
    weight : array, shape (C, O / groups, KD, KH, KW)
        Kernels.
    bias, stride, padding, output_padding, groups, dilation, activation, out, **policy
        As in :func:`conv_transpose2d`.

    Returns
    -------
    array, shape (N, O, D, H, W) with the output's extents
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.conv_transpose3d(np.ones((1, 2, 3, 3, 3)), np.ones((2, 1, 2, 2, 2))).shape
    (1, 1, 4, 4, 4)
    """
    parameters = (3, stride, padding, output_padding, dilation, groups, activation, layout)
    return call(TRANSPOSED[3], (x, weight, bias), parameters, out, policy)[0]
