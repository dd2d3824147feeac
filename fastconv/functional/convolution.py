"""Convolution (cross-correlation, as in PyTorch) in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._conv_problems import FORWARD
from fastconv.functional.parameters import Activation, IntOrInts, Padding


def conv1d(
    x: Any,
    weight: Any,
    /,
    bias: Any = None,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    activation: Activation | None = None,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Convolve a signal with kernels, adding a bias and an activation.

    As :func:`conv2d`, over 1 spatial axis.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        Input, in `layout` "NCW" or "NWC".
    weight : array, shape (O, C / groups, KW)
        Kernels.
    bias, stride, padding, dilation, groups, activation, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape (N, O, W) with the output's extents
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For mixed array types, and dtypes without a common one.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.conv1d([[0.0, 1.0, 3.0, 6.0]], [[[-1.0, 1.0]]])
    array([[1., 2., 3.]])
    """
    parameters = (1, stride, padding, dilation, groups, activation, layout)
    return call(FORWARD[1], (x, weight, bias), parameters, out, policy)[0]


def conv2d(
    x: Any,
    weight: Any,
    /,
    bias: Any = None,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    activation: Activation | None = None,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Convolve images with kernels, adding a bias and an activation.

    y[n, o, p] = bias[o] + sum over c, k of weight[o, c, k] * x[n, c, p * stride + k * dilation
    - padding], with c within o's group. Sums are taken in the operands' precision, at least
    float32; the policy may choose otherwise (see :func:`fastconv.use`).

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        Input. Any strides; never written to.
    weight : array, shape (O, C / groups, KH, KW)
        Kernels. Plain arrays are read at every call; see :func:`fastconv.prepare`.
    bias : array, shape (O,), optional
        Added to each output channel.
    stride, dilation : int or one per axis, optional
        Step between windows, and between a kernel's taps.
    padding : int, one per axis, (before, after) pairs, or a name, optional
        Zeros around the input. "valid" is none; "same" makes the output ceil(extent / stride),
        an odd zero behind; "same_lower" puts it in front.
    groups : int, optional
        Channels in as many separate convolutions.
    activation : str, optional
        Applied to the result: relu, relu6, leaky_relu (slope 0.01), sigmoid, tanh, silu, gelu.
    layout : str, optional
        Axis order of x and the result: "NCHW" or "NHWC". weight stays as it is.
    out : array, optional
        Where to put the result; exactly its shape and dtype. May overlap the inputs.
    **policy
        See :func:`fastconv.use`.

    Returns
    -------
    array, shape (N, O, H, W) with the output's extents
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For mixed array types, and dtypes without a common one.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> fastconv.conv2d(image, np.ones((1, 1, 3, 3)), padding="same", stride=2)
    array([[[[45., 39.],
             [66., 50.]]]])
    """
    parameters = (2, stride, padding, dilation, groups, activation, layout)
    return call(FORWARD[2], (x, weight, bias), parameters, out, policy)[0]


def conv3d(
    x: Any,
    weight: Any,
    /,
    bias: Any = None,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    activation: Activation | None = None,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Convolve volumes with kernels, adding a bias and an activation.

    As :func:`conv2d`, over 3 spatial axes.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        Input, in `layout` "NCDHW" or "NDHWC".
    weight : array, shape (O, C / groups, KD, KH, KW)
        Kernels.
    bias, stride, padding, dilation, groups, activation, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape (N, O, D, H, W) with the output's extents
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For mixed array types, and dtypes without a common one.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.conv3d(np.ones((1, 2, 3, 3, 3)), np.ones((4, 2, 3, 3, 3))).shape
    (1, 4, 1, 1, 1)
    """
    parameters = (3, stride, padding, dilation, groups, activation, layout)
    return call(FORWARD[3], (x, weight, bias), parameters, out, policy)[0]
