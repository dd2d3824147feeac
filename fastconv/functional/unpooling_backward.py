"""The gradient of unpooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._unpool_problems import UNPOOL_BACKWARD
from fastconv.functional.parameters import IntOrInts, Padding, shape_of


def max_unpool1d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`max_unpool1d` with respect to x: grad's indexed elements.

    Parameters
    ----------
    grad : array
        Gradient with respect to the result of unpooling; of its shape. Its dtype, any, stays.
    x : array
        As it was given to the unpooling; only its shape is read.
    indices : array of integers, of x's shape
        As they were given to the unpooling.
    kernel_size, stride, padding, output_size, layout, **policy
        As they were given to the unpooling.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_unpool1d`.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.max_unpool1d_backward([[1.0, 2.0, 3.0, 4.0]], [[0.0, 0.0]], [[1, 3]], 2)
    array([[2., 4.]])
    """
    parameters = (1, shape_of(x), kernel_size, stride, padding, output_size, layout)
    return call(UNPOOL_BACKWARD[1], (grad, indices), parameters, None, policy)[0]


def max_unpool2d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`max_unpool2d` with respect to x: grad's indexed elements.

    Parameters
    ----------
    grad : array
        Gradient with respect to the result of unpooling; of its shape. Its dtype, any, stays.
    x : array
        As it was given to the unpooling; only its shape is read.
    indices : array of integers, of x's shape
        As they were given to the unpooling.
    kernel_size, stride, padding, output_size, layout, **policy
        As they were given to the unpooling.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_unpool2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> y, indices = np.ones((1, 1, 1)), np.array([[[3]]])
    >>> grad = np.arange(4.0).reshape(1, 2, 2)
    >>> fastconv.max_unpool2d_backward(grad, y, indices, 2)
    array([[[3.]]])
    """
    parameters = (2, shape_of(x), kernel_size, stride, padding, output_size, layout)
    return call(UNPOOL_BACKWARD[2], (grad, indices), parameters, None, policy)[0]


def max_unpool3d_backward(
    grad: Any,
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCDHW",
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`max_unpool3d` with respect to x: grad's indexed elements.

    Parameters
    ----------
    grad : array
        Gradient with respect to the result of unpooling; of its shape. Its dtype, any, stays.
    x : array
        As it was given to the unpooling; only its shape is read.
    indices : array of integers, of x's shape
        As they were given to the unpooling.
    kernel_size, stride, padding, output_size, layout, **policy
        As they were given to the unpooling.

    Returns
    -------
    array, of x's shape
        Fresh and C-contiguous.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_unpool3d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> y, indices = np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 5)
    >>> fastconv.max_unpool3d_backward(np.arange(8.0).reshape(1, 2, 2, 2), y, indices, 2)
    array([[[[5.]]]])
    """
    parameters = (3, shape_of(x), kernel_size, stride, padding, output_size, layout)
    return call(UNPOOL_BACKWARD[3], (grad, indices), parameters, None, policy)[0]
