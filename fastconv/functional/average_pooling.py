"""Average pooling."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._pool_problems import AVG
from fastconv.functional.parameters import IntOrInts, Padding


def avg_pool1d(
    x: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the average of each window; as :func:`avg_pool2d`, over 1 spatial axis.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        Input, in `layout` "NCW" or "NWC".
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in :func:`avg_pool2d`.
    dilation, out, **policy
        As in :func:`avg_pool2d`.

    Returns
    -------
    array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For what isn't an array of numbers that can be averaged.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.avg_pool1d([[1.0, 3.0, 5.0, 9.0]], 2)
    array([[2., 7.]])
    """
    parameters = (
        1,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
        layout,
    )
    return call(AVG[1], (x,), parameters, out, policy)[0]


def avg_pool2d(
    x: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the average of each window.

    y[n, c, o] = sum over k of x[n, c, o * stride + k * dilation - padding] / divisor, where
    padding counts as zeros. The divisor is the number of the window's elements, those in the
    padding included (not those past it, where `ceil_mode` may put some), as in PyTorch.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        Input. Integers give float64. Any strides; never written to.
    kernel_size : int or one per axis
        Extents of a window.
    stride : int or one per axis, optional
        Step between windows; kernel_size by default.
    padding : int, one per axis, (before, after) pairs, or a name, optional
        Zeros around the input; as in :func:`max_pool2d`.
    ceil_mode : bool, optional
        Keep a last window that sticks out, if it starts in the input or the padding before.
    count_include_pad : bool, optional
        Whether the divisor counts elements in the padding.
    divisor_override : int, optional
        The divisor, whatever the window.
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
        For what isn't an array of numbers that can be averaged.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> fastconv.avg_pool2d(image, 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    >>> fastconv.avg_pool2d(image, 2, padding=1, count_include_pad=False)
    array([[[[ 0. ,  1.5,  3. ],
             [ 6. ,  7.5,  9. ],
             [12. , 13.5, 15. ]]]])
    """
    parameters = (
        2,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
        layout,
    )
    return call(AVG[2], (x,), parameters, out, policy)[0]


def avg_pool3d(
    x: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the average of each window; as :func:`avg_pool2d`, over 3 spatial axes.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        Input, in `layout` "NCDHW" or "NDHWC".
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in :func:`avg_pool2d`.
    dilation, out, **policy
        As in :func:`avg_pool2d`.

    Returns
    -------
    array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together.
    TypeError
        For what isn't an array of numbers that can be averaged.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2)
    array([[[[3.5]]]])
    """
    parameters = (
        3,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
        layout,
    )
    return call(AVG[3], (x,), parameters, out, policy)[0]
