"""Gradients of convolution with respect to its input and to its weight, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._conv_gradient_problems import INPUT_GRAD, WEIGHT_GRAD
from fastconv.functional.parameters import IntOrInts, Padding


def conv1d_input_grad(
    x_shape: Sequence[int],
    weight: Any,
    grad: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`conv1d` with respect to its input.

    The adjoint of the convolution: with a complex weight, conj(weight) is used.

    Parameters
    ----------
    x_shape : sequence of int
        Shape of the convolution's input, in `layout`.
    weight : array, shape (O, C / groups, KW)
        Kernels.
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    stride, padding, dilation, groups, layout, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape `x_shape`
        The gradient; fresh, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> grad = np.ones((1, 1, 2))
    >>> dx = fastconv.conv1d_input_grad((1, 1, 3), np.ones((1, 1, 2)), grad)
    >>> dx.shape, float(dx.max())
    ((1, 1, 3), 2.0)
    """
    parameters = (1, x_shape, stride, padding, dilation, groups, layout)
    return call(INPUT_GRAD[1], (grad, weight), parameters, out, policy)[0]


def conv1d_weight_grad(
    x: Any,
    weight_shape: Sequence[int],
    grad: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`conv1d` with respect to its weight.

    With a complex input, conj(x) is used.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        The convolution's input.
    weight_shape : sequence of int
        Shape of the convolution's weight, (O, C / groups, KW).
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    stride, padding, dilation, groups, layout, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape `weight_shape`
        The gradient, summed over the batch; fresh, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, grad = np.ones((5, 1, 3)), np.ones((5, 1, 2))
    >>> float(fastconv.conv1d_weight_grad(x, (1, 1, 2), grad).max())
    10.0
    """
    parameters = (1, weight_shape, stride, padding, dilation, groups, layout)
    return call(WEIGHT_GRAD[1], (x, grad), parameters, out, policy)[0]


def conv2d_input_grad(
    x_shape: Sequence[int],
    weight: Any,
    grad: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`conv2d` with respect to its input.

    The adjoint of the convolution: with a complex weight, conj(weight) is used.

    Parameters
    ----------
    x_shape : sequence of int
        Shape of the convolution's input, in `layout`.
    weight : array, shape (O, C / groups, KH, KW)
        Kernels.
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    stride, padding, dilation, groups, layout, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape `x_shape`
        The gradient; fresh, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> grad = np.ones((1, 1, 2, 2))
    >>> dx = fastconv.conv2d_input_grad((1, 1, 3, 3), np.ones((1, 1, 2, 2)), grad)
    >>> dx.shape, float(dx.max())
    ((1, 1, 3, 3), 4.0)
    """
    parameters = (2, x_shape, stride, padding, dilation, groups, layout)
    return call(INPUT_GRAD[2], (grad, weight), parameters, out, policy)[0]


def conv2d_weight_grad(
    x: Any,
    weight_shape: Sequence[int],
    grad: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`conv2d` with respect to its weight.

    With a complex input, conj(x) is used.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        The convolution's input.
    weight_shape : sequence of int
        Shape of the convolution's weight, (O, C / groups, KH, KW).
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    stride, padding, dilation, groups, layout, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape `weight_shape`
        The gradient, summed over the batch; fresh, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, grad = np.ones((5, 1, 3, 3)), np.ones((5, 1, 2, 2))
    >>> float(fastconv.conv2d_weight_grad(x, (1, 1, 2, 2), grad).max())
    20.0
    """
    parameters = (2, weight_shape, stride, padding, dilation, groups, layout)
    return call(WEIGHT_GRAD[2], (x, grad), parameters, out, policy)[0]


def conv3d_input_grad(
    x_shape: Sequence[int],
    weight: Any,
    grad: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`conv3d` with respect to its input.

    The adjoint of the convolution: with a complex weight, conj(weight) is used.

    Parameters
    ----------
    x_shape : sequence of int
        Shape of the convolution's input, in `layout`.
    weight : array, shape (O, C / groups, KD, KH, KW)
        Kernels.
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    stride, padding, dilation, groups, layout, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape `x_shape`
        The gradient; fresh, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> grad = np.ones((1, 1, 2, 2, 2))
    >>> dx = fastconv.conv3d_input_grad((1, 1, 3, 3, 3), np.ones((1, 1, 2, 2, 2)), grad)
    >>> dx.shape, float(dx.max())
    ((1, 1, 3, 3, 3), 8.0)
    """
    parameters = (3, x_shape, stride, padding, dilation, groups, layout)
    return call(INPUT_GRAD[3], (grad, weight), parameters, out, policy)[0]


def conv3d_weight_grad(
    x: Any,
    weight_shape: Sequence[int],
    grad: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the gradient of :func:`conv3d` with respect to its weight.

    With a complex input, conj(x) is used.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        The convolution's input.
    weight_shape : sequence of int
        Shape of the convolution's weight, (O, C / groups, KD, KH, KW).
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    stride, padding, dilation, groups, layout, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape `weight_shape`
        The gradient, summed over the batch; fresh, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, grad = np.ones((5, 1, 3, 3, 3)), np.ones((5, 1, 2, 2, 2))
    >>> float(fastconv.conv3d_weight_grad(x, (1, 1, 2, 2, 2), grad).max())
    40.0
    """
    parameters = (3, weight_shape, stride, padding, dilation, groups, layout)
    return call(WEIGHT_GRAD[3], (x, grad), parameters, out, policy)[0]
