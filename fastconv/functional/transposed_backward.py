"""All gradients of a transposed convolution together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._conv_gradient_problems import TRANSPOSED_BACKWARD
from fastconv.functional.convolution_backward import ConvGradients
from fastconv.functional.parameters import IntOrInts, Padding, shape_of, wanted


def conv_transpose1d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
    *,
    wrt: Iterable[str] = ("x", "weight", "bias"),
    layout: str = "NCW",
    **policy: Unpack[PolicyOptions],
) -> ConvGradients:
    """Return the gradients of :func:`conv_transpose1d` with respect to x, weight and bias.

    Parameters
    ----------
    grad : array
        Gradient with respect to the transposed convolution's output; of its shape.
    x, weight : array
        As they were given to the transposed convolution.
    stride, padding, output_padding, groups, dilation, layout, **policy
        As they were given to the transposed convolution.
    wrt : iterable of str, optional
        Which gradients are wanted, of "x", "weight" and "bias".

    Returns
    -------
    ConvGradients
        Named tuple (x, weight, bias), None where not wanted. Fresh arrays. With complex
        operands, conj(weight) and conj(x) are used.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, w = np.ones((1, 1, 3)), np.ones((1, 1, 2))
    >>> grad = np.ones_like(fastconv.conv_transpose1d(x, w))
    >>> float(fastconv.conv_transpose1d_backward(grad, x, w).weight.max())
    3.0
    """
    parameters = (stride, padding, output_padding, dilation, groups, layout)
    return _backward(1, grad, x, weight, parameters, wrt, policy)


def conv_transpose2d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
    *,
    wrt: Iterable[str] = ("x", "weight", "bias"),
    layout: str = "NCHW",
    **policy: Unpack[PolicyOptions],
) -> ConvGradients:
    """Return the gradients of :func:`conv_transpose2d` with respect to x, weight and bias.

    Parameters
    ----------
    grad : array
        Gradient with respect to the transposed convolution's output; of its shape.
    x, weight : array
        As they were given to the transposed convolution.
    stride, padding, output_padding, groups, dilation, layout, **policy
        As they were given to the transposed convolution.
    wrt : iterable of str, optional
        Which gradients are wanted, of "x", "weight" and "bias".

    Returns
    -------
    ConvGradients
        Named tuple (x, weight, bias), None where not wanted. Fresh arrays. With complex
        operands, conj(weight) and conj(x) are used.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> grad = np.ones_like(fastconv.conv_transpose2d(x, w))
    >>> float(fastconv.conv_transpose2d_backward(grad, x, w).weight.max())
    9.0
    """
    parameters = (stride, padding, output_padding, dilation, groups, layout)
    return _backward(2, grad, x, weight, parameters, wrt, policy)


def conv_transpose3d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
    *,
    wrt: Iterable[str] = ("x", "weight", "bias"),
    layout: str = "NCDHW",
    **policy: Unpack[PolicyOptions],
) -> ConvGradients:
    """Return the gradients of :func:`conv_transpose3d` with respect to x, weight and bias.

    Parameters
    ----------
    grad : array
        Gradient with respect to the transposed convolution's output; of its shape.
    x, weight : array
        As they were given to the transposed convolution.
    stride, padding, output_padding, groups, dilation, layout, **policy
        As they were given to the transposed convolution.
    wrt : iterable of str, optional
        Which gradients are wanted, of "x", "weight" and "bias".

    Returns
    -------
    ConvGradients
        Named tuple (x, weight, bias), None where not wanted. Fresh arrays. With complex
        operands, conj(weight) and conj(x) are used.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, w = np.ones((1, 1, 3, 3, 3)), np.ones((1, 1, 2, 2, 2))
    >>> grad = np.ones_like(fastconv.conv_transpose3d(x, w))
    >>> float(fastconv.conv_transpose3d_backward(grad, x, w).weight.max())
    27.0
    """
    parameters = (stride, padding, output_padding, dilation, groups, layout)
    return _backward(3, grad, x, weight, parameters, wrt, policy)


def _backward(
    ndim: int,
    grad: Any,
    x: Any,
    weight: Any,
    parameters: tuple[Any, ...],
    wrt: Iterable[str],
    policy: PolicyOptions,
) -> ConvGradients:
    want = wanted(TRANSPOSED_BACKWARD["bias"][ndim].name, wrt)
    x_shape, weight_shape = shape_of(x), shape_of(weight)
    operands: dict[str, tuple[Any, ...]] = {
        "x": ((grad, weight), x_shape),
        "weight": ((grad, x), weight_shape),
        "bias": ((grad,), x_shape, weight_shape),
    }
    gradients: dict[str, Any] = dict.fromkeys(operands)
    for name, (arrays, *shapes) in operands.items():
        if name not in want:
            continue
        rest = (ndim, *shapes, *parameters)
        gradients[name] = call(TRANSPOSED_BACKWARD[name][ndim], arrays, rest, None, policy)[0]
    found = gradients["weight"]
    if found is not None and found.dtype.kind == "c":
        gradients["weight"] = found.conj()
    return ConvGradients(**gradients)
