"""The gradient of average pooling."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._pool_problems import AVG_BACKWARD
from fastconv.functional.parameters import IntOrInts, Padding, shape_of


def avg_pool1d_backward(
    grad: Any,
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
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`avg_pool1d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's,
        float64 for integers.
    x : array
        As it was given to the pool; only its shape is read.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As they were given to the pool.
    dilation, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`avg_pool1d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.avg_pool1d_backward(np.ones((1, 2)), np.zeros((1, 4)), 2)
    array([[0.5, 0.5, 0.5, 0.5]])
    """
    parameters = (
        1,
        shape_of(x),
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
        layout,
    )
    return call(AVG_BACKWARD[1], (grad,), parameters, None, policy)[0]


def avg_pool2d_backward(
    grad: Any,
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
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`avg_pool2d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's,
        float64 for integers.
    x : array
        As it was given to the pool; only its shape is read.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As they were given to the pool.
    dilation, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`avg_pool2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.avg_pool2d_backward(np.ones((1, 1, 2)), np.zeros((1, 2, 3)), 2, stride=1)
    array([[[0.25, 0.5 , 0.25],
            [0.25, 0.5 , 0.25]]])
    """
    parameters = (
        2,
        shape_of(x),
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
        layout,
    )
    return call(AVG_BACKWARD[2], (grad,), parameters, None, policy)[0]


def avg_pool3d_backward(
    grad: Any,
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
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`avg_pool3d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's,
        float64 for integers.
    x : array
        As it was given to the pool; only its shape is read.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As they were given to the pool.
    dilation, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`avg_pool3d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = np.zeros((1, 2, 2, 2))
    >>> fastconv.avg_pool3d_backward(np.full((1, 1, 1, 1), 8.0), x, 2)[0, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    parameters = (
        3,
        shape_of(x),
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
        layout,
    )
    return call(AVG_BACKWARD[3], (grad,), parameters, None, policy)[0]
