"""The gradient of maximum pooling."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._pool_problems import MAX_BACKWARD
from fastconv.functional.parameters import IntOrInts, Padding, shape_of


def max_pool1d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    *,
    layout: str = "NCW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`max_pool1d` with respect to x.

    Parameters
    ----------
    grad, x, indices : array
        As in :func:`max_pool2d_backward`, with 1 spatial axis.
    kernel_size, stride, padding, dilation, ceil_mode, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_pool2d_backward`.

    Examples
    --------
    >>> import fastconv
    >>> x = [[1.0, 4.0, 2.0, 3.0]]
    >>> y, indices = fastconv.max_pool1d(x, 2, return_indices=True)
    >>> fastconv.max_pool1d_backward([[10.0, 20.0]], x, indices, 2)
    array([[ 0., 10.,  0., 20.]])
    """
    parameters = (1, shape_of(x), kernel_size, stride, padding, dilation, ceil_mode, layout)
    return call(MAX_BACKWARD[1], (grad, indices), parameters, None, policy)[0]


def max_pool2d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    *,
    layout: str = "NCHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`max_pool2d` with respect to x.

    Each element of `grad` is added to the element that its index names.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's y; of its shape. Its dtype, any real one, is the
        result's; integers wrap around.
    x : array
        As it was given to the pool; only its shape is read.
    indices : array of integers, of grad's shape
        As the pool returned them with ``return_indices=True``.
    kernel_size, stride, padding, dilation, ceil_mode, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError
        Also for an index outside x's planes.
    TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_pool2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = np.array([[[[1.0, 2.0], [2.0, 0.0]]]])
    >>> y, indices = fastconv.max_pool2d(x, 2, return_indices=True)
    >>> fastconv.max_pool2d_backward(np.ones_like(y), x, indices, 2)
    array([[[[0., 1.],
             [0., 0.]]]])
    """
    parameters = (2, shape_of(x), kernel_size, stride, padding, dilation, ceil_mode, layout)
    return call(MAX_BACKWARD[2], (grad, indices), parameters, None, policy)[0]


def max_pool3d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    *,
    layout: str = "NCDHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`max_pool3d` with respect to x.

    Parameters
    ----------
    grad, x, indices : array
        As in :func:`max_pool2d_backward`, with 3 spatial axes.
    kernel_size, stride, padding, dilation, ceil_mode, layout, **policy
        As they were given to the pool.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_pool2d_backward`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = np.arange(8.0).reshape(1, 2, 2, 2)
    >>> y, indices = fastconv.max_pool3d(x, 2, return_indices=True)
    >>> fastconv.max_pool3d_backward(y, x, indices, 2)[0, 1]
    array([[0., 0.],
           [0., 7.]])
    """
    parameters = (3, shape_of(x), kernel_size, stride, padding, dilation, ceil_mode, layout)
    return call(MAX_BACKWARD[3], (grad, indices), parameters, None, policy)[0]
