"""Power-average (Lp) pooling."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._pool_problems import LP
from fastconv.functional.parameters import IntOrInts, Padding


def lp_pool1d(
    x: Any,
    norm_type: float,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the p-norm of each window; as :func:`lp_pool2d`, over 1 spatial axis.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        Input, in `layout` "NCW" or "NWC".
    norm_type, kernel_size, stride, padding, ceil_mode, dilation, out, **policy
        As in :func:`lp_pool2d`.

    Returns
    -------
    array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For complex numbers, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.lp_pool1d([[3.0, 4.0, 0.0, 2.0]], 2, 2)
    array([[5., 2.]])
    """
    parameters = (1, norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout)
    return call(LP[1], (x,), parameters, out, policy)[0]


def lp_pool2d(
    x: Any,
    norm_type: float,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the p-norm of each window, p being `norm_type`, by PyTorch's rule.

    y[n, c, o] = (sum over k of x[n, c, o * stride + k * dilation - padding] ** p) ** (1 / p).
    There is no absolute value: where p isn't even, a negative sum gives NaN (itself for
    p = 1); ONNX's LpPool is that of ``abs(x)``. A window that `ceil_mode` lets stick out has
    its sum scaled up to the kernel's full volume.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        Input. Integers give float64. Any strides; never written to.
    norm_type : float
        p: a number other than 0. At inf, the largest ``abs(x)``; at -inf, the smallest.
    kernel_size : int or one per axis
        Extents of a window.
    stride : int or one per axis, optional
        Step between windows; kernel_size by default.
    padding : int, one per axis, (before, after) pairs, or a name, optional
        Elements around the input that add nothing; as in :func:`max_pool2d`.
    ceil_mode : bool, optional
        Keep a last window that sticks out, if it starts in the input or the padding before.
    dilation : int or one per axis, optional
        Step between a window's elements.
    layout : str, optional
        Axis order of x and the result: "NCHW" or "NHWC".
    out : array, optional
        Where to put the result; exactly its shape and dtype. May overlap x.
    **policy
        See :func:`fastconv.use`.

    Returns
    -------
    array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For complex numbers, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.lp_pool2d(np.array([[[3.0, 0.0], [0.0, 4.0]]]), 2, kernel_size=2)
    array([[[5.]]])
    """
    parameters = (2, norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout)
    return call(LP[2], (x,), parameters, out, policy)[0]


def lp_pool3d(
    x: Any,
    norm_type: float,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the p-norm of each window; as :func:`lp_pool2d`, over 3 spatial axes.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        Input, in `layout` "NCDHW" or "NDHWC".
    norm_type, kernel_size, stride, padding, ceil_mode, dilation, out, **policy
        As in :func:`lp_pool2d`.

    Returns
    -------
    array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For complex numbers, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.lp_pool3d(np.ones((1, 2, 2, 2)), 3, kernel_size=2)
    array([[[[2.]]]])
    """
    parameters = (3, norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout)
    return call(LP[3], (x,), parameters, out, policy)[0]
