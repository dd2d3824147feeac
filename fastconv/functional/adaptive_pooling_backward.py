"""The gradients of adaptive pooling."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._pool_problems import ADAPTIVE_AVG_BACKWARD, ADAPTIVE_MAX_BACKWARD
from fastconv.functional._pool_windows import OutputSize
from fastconv.functional.parameters import shape_of


def adaptive_avg_pool1d_backward(
    grad: Any,
    x: Any,
    output_size: OutputSize = None,
    *,
    layout: str = "NCW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`adaptive_avg_pool1d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's,
        float64 for integers.
    x : array
        As it was given to the pool; only its shape is read.
    output_size : optional
        As it was given to the pool, if grad's shape is to be checked against it.
    layout, **policy
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
    >>> fastconv.adaptive_avg_pool1d_backward(np.ones((1, 2)), np.zeros((1, 4)))
    array([[0.5, 0.5, 0.5, 0.5]])
    """
    parameters = (1, shape_of(x), output_size, layout)
    return call(ADAPTIVE_AVG_BACKWARD[1], (grad,), parameters, None, policy)[0]


def adaptive_avg_pool2d_backward(
    grad: Any,
    x: Any,
    output_size: OutputSize = None,
    *,
    layout: str = "NCHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`adaptive_avg_pool2d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's,
        float64 for integers.
    x : array
        As it was given to the pool; only its shape is read.
    output_size : optional
        As it was given to the pool, if grad's shape is to be checked against it.
    layout, **policy
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
    >>> fastconv.adaptive_avg_pool2d_backward(np.ones((1, 1, 1)), np.zeros((1, 2, 2)))
    array([[[0.25, 0.25],
            [0.25, 0.25]]])
    """
    parameters = (2, shape_of(x), output_size, layout)
    return call(ADAPTIVE_AVG_BACKWARD[2], (grad,), parameters, None, policy)[0]


def adaptive_avg_pool3d_backward(
    grad: Any,
    x: Any,
    output_size: OutputSize = None,
    *,
    layout: str = "NCDHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`adaptive_avg_pool3d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's,
        float64 for integers.
    x : array
        As it was given to the pool; only its shape is read.
    output_size : optional
        As it was given to the pool, if grad's shape is to be checked against it.
    layout, **policy
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
    >>> x = np.zeros((1, 2, 2, 2))
    >>> fastconv.adaptive_avg_pool3d_backward(np.full((1, 1, 1, 1), 8.0), x)[0, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    parameters = (3, shape_of(x), output_size, layout)
    return call(ADAPTIVE_AVG_BACKWARD[3], (grad,), parameters, None, policy)[0]


def adaptive_max_pool1d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    output_size: OutputSize = None,
    *,
    layout: str = "NCW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`adaptive_max_pool1d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's.
    x : array
        As it was given to the pool; only its shape is read.
    indices : array of integers, of grad's shape
        As the pool returned them with ``return_indices=True``.
    output_size : optional
        As it was given to the pool, if grad's shape is to be checked against it.
    layout, **policy
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
    >>> x = [[1.0, 2.0, 5.0, 4.0, 3.0]]
    >>> y, indices = fastconv.adaptive_max_pool1d(x, 2, return_indices=True)
    >>> fastconv.adaptive_max_pool1d_backward([[10.0, 20.0]], x, indices)
    array([[ 0.,  0., 30.,  0.,  0.]])
    """
    parameters = (1, shape_of(x), output_size, layout)
    return call(ADAPTIVE_MAX_BACKWARD[1], (grad, indices), parameters, None, policy)[0]


def adaptive_max_pool2d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    output_size: OutputSize = None,
    *,
    layout: str = "NCHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`adaptive_max_pool2d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's.
    x : array
        As it was given to the pool; only its shape is read.
    indices : array of integers, of grad's shape
        As the pool returned them with ``return_indices=True``.
    output_size : optional
        As it was given to the pool, if grad's shape is to be checked against it.
    layout, **policy
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
    >>> x = np.array([[[1.0, 2.0], [2.0, 0.0]]])
    >>> y, indices = fastconv.adaptive_max_pool2d(x, 1, return_indices=True)
    >>> fastconv.adaptive_max_pool2d_backward(np.ones_like(y), x, indices)
    array([[[0., 1.],
            [0., 0.]]])
    """
    parameters = (2, shape_of(x), output_size, layout)
    return call(ADAPTIVE_MAX_BACKWARD[2], (grad, indices), parameters, None, policy)[0]


def adaptive_max_pool3d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    output_size: OutputSize = None,
    *,
    layout: str = "NCDHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`adaptive_max_pool3d` with respect to x.

    Parameters
    ----------
    grad : array
        Gradient with respect to the pool's output; of its shape. Its dtype is the result's.
    x : array
        As it was given to the pool; only its shape is read.
    indices : array of integers, of grad's shape
        As the pool returned them with ``return_indices=True``.
    output_size : optional
        As it was given to the pool, if grad's shape is to be checked against it.
    layout, **policy
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
    >>> y, indices = fastconv.adaptive_max_pool3d(x, 1, return_indices=True)
    >>> fastconv.adaptive_max_pool3d_backward(y, x, indices)[0, 1]
    array([[0., 0.],
           [0., 7.]])
    """
    parameters = (3, shape_of(x), output_size, layout)
    return call(ADAPTIVE_MAX_BACKWARD[3], (grad, indices), parameters, None, policy)[0]
