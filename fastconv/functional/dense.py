"""The linear layer and its gradients."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.dispatch.request import Call, Function, Output, Request, View
from fastconv.errors import bad_argument
from fastconv.functional.parameters import Activation, activation_name, shape_of, wanted
from fastconv.functional.posing import Draft, bias_input, check_shape, fresh, promoted
from fastconv.problem import BiasProblem, GemmProblem, Ints


class LinearGradients(NamedTuple):
    """Gradients of a linear layer; None for one that was not wanted."""

    x: Any
    weight: Any
    bias: Any


def _sizes(function: str, x_shape: Ints, weight_shape: Ints) -> tuple[int, int, int]:
    """Return (rows of x, out features, in features), checked."""
    if len(weight_shape) not in (1, 2):
        raise ValueError(
            bad_argument(
                function,
                "weight",
                got=f"shape {weight_shape}",
                expected="(out features, in features) or (in features,)",
            )
        )
    if not x_shape or x_shape[-1] != weight_shape[-1]:
        raise ValueError(
            bad_argument(
                function,
                "x",
                got=f"shape {x_shape}",
                expected=f"(..., {weight_shape[-1]}): weight's in features come last",
            )
        )
    out_features = weight_shape[0] if len(weight_shape) == 2 else 1
    return prod(x_shape[:-1]), out_features, x_shape[-1]


def _y_shape(x_shape: Ints, weight_shape: Ints) -> Ints:
    return (*x_shape[:-1], *weight_shape[:-1])


def _matrix(array: Any, rows: int, columns: int) -> View:
    return View() if tuple(array.shape) == (rows, columns) else View(shape=(rows, columns))


def _forward(call: Call) -> Request:
    name, (x, weight, bias) = call.function, call.arrays
    m, n, k = _sizes(name, tuple(x.shape), tuple(weight.shape))
    if bias is not None:
        check_shape(name, "bias", bias, weight.shape[:-1], "one for each out feature")
    dtype = promoted(name, x=x, weight=weight)
    shape = _y_shape(tuple(x.shape), tuple(weight.shape))
    output = Output(shape, dtype.name, View() if shape == (m, n) else View(shape=(m, n)))
    draft = Draft(call)
    problem = GemmProblem(
        function=name,
        operation="linear_forward",
        device=call.device,
        x=draft.input(0, dtype, _matrix(x, m, k)),
        weight=draft.input(1, dtype, _matrix(weight, n, k)),
        bias=bias_input(
            name, draft, 2, bias, dtype, View() if weight.ndim == 2 else View(shape=(1,))
        ),
        y=fresh(output),
        activation=activation_name(name, call.parameters[0], dtype.name),
    )
    return draft.request(problem, output)


def _input_grad(call: Call) -> Request:
    name, (grad, weight) = call.function, call.arrays
    (x_shape,) = call.parameters
    m, n, k = _sizes(name, x_shape, tuple(weight.shape))
    expected = _y_shape(x_shape, tuple(weight.shape))
    check_shape(name, "grad", grad, expected, "that of the layer's output")
    dtype = promoted(name, grad=grad, weight=weight)
    output = Output(x_shape, dtype.name, View() if x_shape == (m, k) else View(shape=(m, k)))
    draft = Draft(call)
    problem = GemmProblem(
        function=name,
        operation="linear_input_grad",
        device=call.device,
        y=draft.input(0, dtype, _matrix(grad, m, n)),
        weight=draft.input(1, dtype, _matrix(weight, n, k)),
        x=fresh(output),
        conjugate=True,
    )
    return draft.request(problem, output)


def _weight_grad(call: Call) -> Request:
    name, (x, grad) = call.function, call.arrays
    (weight_shape,) = call.parameters
    m, n, k = _sizes(name, tuple(x.shape), weight_shape)
    expected = _y_shape(tuple(x.shape), weight_shape)
    check_shape(name, "grad", grad, expected, "that of the layer's output")
    dtype = promoted(name, x=x, grad=grad)
    view = View() if weight_shape == (n, k) else View(shape=(n, k))
    output = Output(weight_shape, dtype.name, view)
    draft = Draft(call)
    problem = GemmProblem(
        function=name,
        operation="linear_weight_grad",
        device=call.device,
        x=draft.input(0, dtype, _matrix(x, m, k)),
        y=draft.input(1, dtype, _matrix(grad, m, n)),
        weight=fresh(output),
        conjugate=True,
    )
    return draft.request(problem, output)


def _bias_grad(call: Call) -> Request:
    name, (grad,) = call.function, call.arrays
    x_shape, weight_shape = call.parameters
    m, n, _ = _sizes(name, x_shape, weight_shape)
    expected = _y_shape(x_shape, weight_shape)
    check_shape(name, "grad", grad, expected, "that of the layer's output")
    bias_shape = weight_shape[:-1]
    dtype = promoted(name, grad=grad)
    output = Output(bias_shape, dtype.name, View() if bias_shape == (n,) else View(shape=(n,)))
    draft = Draft(call)
    problem = BiasProblem(
        function=name,
        operation="bias_grad",
        device=call.device,
        y=draft.input(0, dtype, _matrix(grad, m, n)),
        bias=fresh(output),
    )
    return draft.request(problem, output)


_FORWARD = Function("linear", ("x", "weight", "bias"), _forward)
_INPUT_GRAD = Function("linear_backward", ("grad", "weight"), _input_grad)
_WEIGHT_GRAD = Function("linear_backward", ("x", "grad"), _weight_grad)
_BIAS_GRAD = Function("linear_backward", ("grad",), _bias_grad)


def linear(
    x: Any,
    weight: Any,
    /,
    bias: Any = None,
    *,
    activation: Activation | None = None,
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Apply a linear layer, y = x weight^T + bias, and an activation.

    Parameters
    ----------
    x : array, shape (..., in features)
        Input.
    weight : array, shape (out features, in features) or (in features,)
        The latter drops the output's last axis.
    bias : array, shape (out features,), optional
        Added to each output.
    activation, out, **policy
        As in :func:`conv2d`.

    Returns
    -------
    array, shape (..., out features)
        Fresh and C-contiguous, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.linear([[1.0, 2.0]], [[3.0, 4.0], [-1.0, 0.0]], activation="relu")
    array([[11.,  0.]])
    """
    return call(_FORWARD, (x, weight, bias), (activation,), out, policy)[0]


def linear_backward(
    grad: Any,
    x: Any,
    weight: Any,
    *,
    wrt: Iterable[str] = ("x", "weight", "bias"),
    **policy: Unpack[PolicyOptions],
) -> LinearGradients:
    """Return the gradients of :func:`linear` with respect to x, weight and bias.

    Parameters
    ----------
    grad : array, shape (..., out features)
        Gradient with respect to the layer's output.
    x, weight : array
        As they were given to the layer.
    wrt : iterable of str, optional
        Which gradients are wanted, of "x", "weight" and "bias".
    **policy
        See :func:`fastconv.use`.

    Returns
    -------
    LinearGradients
        Named tuple (x, weight, bias), None where not wanted. Fresh arrays.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import fastconv
    >>> grads = fastconv.linear_backward([[1.0]], [[2.0, 3.0]], [[4.0, 5.0]])
    >>> grads.x, grads.weight, grads.bias
    (array([[4., 5.]]), array([[2., 3.]]), array([1.]))
    """
    want = wanted("linear_backward", wrt)
    x_shape, weight_shape = shape_of(x), shape_of(weight)
    gradients: dict[str, Any] = dict.fromkeys(("x", "weight", "bias"))
    if "x" in want:
        gradients["x"] = call(_INPUT_GRAD, (grad, weight), (x_shape,), None, policy)[0]
    if "weight" in want:
        gradients["weight"] = call(_WEIGHT_GRAD, (x, grad), (weight_shape,), None, policy)[0]
    if "bias" in want:
        gradients["bias"] = call(_BIAS_GRAD, (grad,), (x_shape, weight_shape), None, policy)[0]
    return LinearGradients(**gradients)
