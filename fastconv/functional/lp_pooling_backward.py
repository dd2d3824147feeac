"""The gradient of power-average (Lp) pooling."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._pool_problems import LP_BACKWARD
from fastconv.functional.parameters import IntOrInts, Padding


def lp_pool1d_backward(
    grad: Any,
    x: Any,
    norm_type: float,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`lp_pool1d` with respect to x.

    A window whose norm is 0 gives no gradient.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape.
    x : array
        As it was given to the pool.
    norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`lp_pool1d`.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.lp_pool1d_backward([[10.0]], [[3.0, 4.0]], 2, 2)
    array([[6., 8.]])
    """
    parameters = (1, norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout)
    return call(LP_BACKWARD[1], (grad, x), parameters, None, policy)[0]


def lp_pool2d_backward(
    grad: Any,
    x: Any,
    norm_type: float,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`lp_pool2d` with respect to x.

    A window whose norm is 0 gives no gradient.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape.
    x : array
        As it was given to the pool.
    norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`lp_pool2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = np.array([[[3.0, 0.0], [0.0, 4.0]]])
    >>> fastconv.lp_pool2d_backward(np.ones((1, 1, 1)), x, 2, kernel_size=2)
    array([[[0.6, 0. ],
            [0. , 0.8]]])
    """
    parameters = (2, norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout)
    return call(LP_BACKWARD[2], (grad, x), parameters, None, policy)[0]


def lp_pool3d_backward(
    grad: Any,
    x: Any,
    norm_type: float,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    dilation: IntOrInts = 1,
    layout: str = "NCDHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`lp_pool3d` with respect to x.

    A window whose norm is 0 gives no gradient.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape.
    x : array
        As it was given to the pool.
    norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`lp_pool3d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = np.ones((1, 2, 2, 2))
    >>> fastconv.lp_pool3d_backward(np.ones((1, 1, 1, 1)), x, 3, kernel_size=2)[0, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    parameters = (3, norm_type, kernel_size, stride, padding, ceil_mode, dilation, layout)
    return call(LP_BACKWARD[3], (grad, x), parameters, None, policy)[0]
