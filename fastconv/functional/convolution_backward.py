"""All gradients of a convolution together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._conv_gradient_problems import BACKWARD
from fastconv.functional.parameters import IntOrInts, Padding, shape_of, wanted


class ConvGradients(NamedTuple):
    """Gradients of a convolution; None for one that was not wanted."""

    x: Any
    weight: Any
    bias: Any


def conv1d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    wrt: Iterable[str] = ("x", "weight", "bias"),
    layout: str = "NCW",
    **policy: Unpack[PolicyOptions],
) -> ConvGradients:
    """Return the gradients of :func:`conv1d` with respect to x, weight and bias.

    Parameters
    ----------
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    x, weight : array
        As they were given to the convolution.
    stride, padding, dilation, groups, layout, **policy
        As they were given to the convolution.
    wrt : iterable of str, optional
        Which gradients are wanted, of "x", "weight" and "bias".

    Returns
    -------
    ConvGradients
        Named tuple (x, weight, bias), None where not wanted. Fresh arrays.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, w = np.ones((1, 1, 3)), np.ones((1, 1, 2))
    >>> grads = fastconv.conv1d_backward(fastconv.conv1d(x, w), x, w, wrt=("weight", "bias"))
    >>> grads.x is None, grads.bias
    (True, array([4.]))
    """
    return _backward(1, grad, x, weight, (stride, padding, dilation, groups, layout), wrt, policy)


def conv2d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    wrt: Iterable[str] = ("x", "weight", "bias"),
    layout: str = "NCHW",
    **policy: Unpack[PolicyOptions],
) -> ConvGradients:
    """Return the gradients of :func:`conv2d` with respect to x, weight and bias.

    Parameters
    ----------
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    x, weight : array
        As they were given to the convolution.
    stride, padding, dilation, groups, layout, **policy
        As they were given to the convolution.
    wrt : iterable of str, optional
        Which gradients are wanted, of "x", "weight" and "bias".

    Returns
    -------
    ConvGradients
        Named tuple (x, weight, bias), None where not wanted. Fresh arrays.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> grads = fastconv.conv2d_backward(fastconv.conv2d(x, w), x, w, wrt=("weight", "bias"))
    >>> grads.x is None, grads.bias
    (True, array([16.]))
    """
    return _backward(2, grad, x, weight, (stride, padding, dilation, groups, layout), wrt, policy)


def conv3d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    *,
    wrt: Iterable[str] = ("x", "weight", "bias"),
    layout: str = "NCDHW",
    **policy: Unpack[PolicyOptions],
) -> ConvGradients:
    """Return the gradients of :func:`conv3d` with respect to x, weight and bias.

    Parameters
    ----------
    grad : array
        Gradient with respect to the convolution's output; of its shape.
    x, weight : array
        As they were given to the convolution.
    stride, padding, dilation, groups, layout, **policy
        As they were given to the convolution.
    wrt : iterable of str, optional
        Which gradients are wanted, of "x", "weight" and "bias".

    Returns
    -------
    ConvGradients
        Named tuple (x, weight, bias), None where not wanted. Fresh arrays.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, w = np.ones((1, 1, 3, 3, 3)), np.ones((1, 1, 2, 2, 2))
    >>> grads = fastconv.conv3d_backward(fastconv.conv3d(x, w), x, w, wrt=("weight", "bias"))
    >>> grads.x is None, grads.bias
    (True, array([64.]))
    """
    return _backward(3, grad, x, weight, (stride, padding, dilation, groups, layout), wrt, policy)


def _backward(
    ndim: int,
    grad: Any,
    x: Any,
    weight: Any,
    parameters: tuple[Any, ...],
    wrt: Iterable[str],
    policy: PolicyOptions,
) -> ConvGradients:
    want = wanted(BACKWARD["bias"][ndim].name, wrt)
    x_shape, weight_shape = shape_of(x), shape_of(weight)
    operands: dict[str, tuple[Any, ...]] = {
        "x": ((grad, weight), x_shape),
        "weight": ((x, grad), weight_shape),
        "bias": ((grad,), x_shape, weight_shape),
    }
    gradients: dict[str, Any] = dict.fromkeys(operands)
    for name, (arrays, *shapes) in operands.items():
        if name not in want:
            continue
        rest = (ndim, *shapes, *parameters)
        gradients[name] = call(BACKWARD[name][ndim], arrays, rest, None, policy)[0]
    return ConvGradients(**gradients)
