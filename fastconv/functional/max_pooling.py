"""Maximum pooling."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._pool_problems import MAX
from fastconv.functional.parameters import IntOrInts, Padding


def max_pool1d(
    x: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the largest element of each window; as :func:`max_pool2d`, over 1 spatial axis.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        Input, in `layout` "NCW" or "NWC".
    kernel_size, stride, padding, dilation, ceil_mode, return_indices, out, **policy
        As in :func:`max_pool2d`.

    Returns
    -------
    y : array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.
    indices : array of int64, of y's shape
        Only with `return_indices`.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For complex numbers, which have no order, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.max_pool1d([[1.0, 4.0, 2.0, 3.0]], 2)
    array([[4., 3.]])
    """
    parameters = (1, kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout)
    results = call(MAX[1], (x,), parameters, out, policy)
    return results if return_indices else results[0]


def max_pool2d(
    x: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the largest element of each window.

    y[n, c, o] = max over k of x[n, c, o * stride + k * dilation - padding], as in PyTorch:
    padding is -inf (an integer dtype's least number), NaN is larger than all numbers.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        Input of any real dtype, which y keeps. Any strides; never written to.
    kernel_size : int or one per axis
        Extents of a window.
    stride, dilation : int or one per axis, optional
        Step between windows, kernel_size by default, and between a window's elements.
    padding : int, one per axis, (before, after) pairs, or a name, optional
        Elements around the input that no window chooses. A number may be at most half of
        the kernel; each side of a pair must only be less than what a window covers.
        "valid" is none; "same" makes the output ceil(extent / stride), an odd element
        behind; "same_lower" puts it in front.
    ceil_mode : bool, optional
        Keep a last window that sticks out, if it starts in the input or the padding before.
    return_indices : bool, optional
        Return where the maxima are, too.
    layout : str, optional
        Axis order of x and the results: "NCHW" or "NHWC".
    out : array, optional
        Where to put y; exactly its shape and dtype. May overlap x.
    **policy
        See :func:`fastconv.use`.

    Returns
    -------
    y : array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.
    indices : array of int64, of y's shape
        Only with `return_indices`: each maximum's place in its plane of x, row by row. The
        first of equal maxima counts; of several NaN the last, as in PyTorch.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For complex numbers, which have no order, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> y, indices = fastconv.max_pool2d(
    ...     np.arange(16.0).reshape(1, 1, 4, 4), 3, stride=2, padding=1, return_indices=True
    ... )
    >>> y
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    >>> indices
    array([[[[ 5,  7],
             [13, 15]]]])
    """
    parameters = (2, kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout)
    results = call(MAX[2], (x,), parameters, out, policy)
    return results if return_indices else results[0]


def max_pool3d(
    x: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the largest element of each window; as :func:`max_pool2d`, over 3 spatial axes.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        Input, in `layout` "NCDHW" or "NDHWC".
    kernel_size, stride, padding, dilation, ceil_mode, return_indices, out, **policy
        As in :func:`max_pool2d`.

    Returns
    -------
    y : array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.
    indices : array of int64, of y's shape
        Only with `return_indices`.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For complex numbers, which have no order, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.max_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2)
    array([[[[7.]]]])
    """
    parameters = (3, kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout)
    results = call(MAX[3], (x,), parameters, out, policy)
    return results if return_indices else results[0]
