"""Weights packed ahead of the calls that they serve."""

from __future__ import annotations

from typing import Any

from fastconv.dispatch import PreparedWeight, pack_ahead
from fastconv.dispatch.prepared import copy_of
from fastconv.errors import bad_argument
from fastconv.functional.convolution import conv1d, conv2d, conv3d
from fastconv.functional.dense import linear
from fastconv.functional.transposed import conv_transpose1d, conv_transpose2d, conv_transpose3d

_FUNCTIONS = {
    function.__name__: function
    for function in (
        conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, linear,
    )
}  # fmt: skip
_BY_AXES = {1: "linear", 2: "linear", 3: "conv1d", 4: "conv2d", 5: "conv3d"}


def prepare(
    weight: Any,
    like: Any,
    *,
    function: str | None = None,
    backend: str | None = None,
    device: str | None = None,
    **call: Any,
) -> PreparedWeight:
    """Make a weight ready for repeated use with inputs such as `like`.

    Kernels read a weight in an order of their own. A plain weight is brought into it at every
    call, because it may have changed; a prepared one once for each kind of call (shapes,
    parameters and policy), at the first. Given the call's keywords, that happens here.

    Parameters
    ----------
    weight : array
        A weight of a convolution or a linear layer, in any memory layout.
    like : array
        An input as the calls will get it; its type settles the backend.
    function : str, optional
        What will be called: "conv2d" (the default for a weight of 4 axes), "linear",
        "conv_transpose1d"...
    backend, device : str, optional
        As in :func:`fastconv.use`.
    **call
        Keywords of that function: bias, stride, padding, dilation, groups, activation, layout,
        and policy keywords. With any of them, or with `function`, the weight is packed at once.

    Returns
    -------
    PreparedWeight
        An immutable copy, accepted wherever a weight is. Later changes to `weight` don't
        reach it. Calls that a policy sends to another backend refuse it. What is packed is its
        own, and isn't counted against ``workspace_limit``.

    Raises
    ------
    TypeError
        If the two are of different array types, or for a keyword that the function hasn't.
    ValueError
        For another function's name, and for shapes and parameters that don't go together.
    UnsupportedError
        If no backend serves them.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = np.ones((1, 1, 3, 3))
    >>> w = fastconv.prepare(np.ones((1, 1, 3, 3)), like=x, padding=1)
    >>> fastconv.conv2d(x, w, padding=1)[0, 0, 1]
    array([6., 9., 6.])
    """
    prepared = copy_of(weight, like, backend, device)
    if function is None and not call:
        return prepared
    name = _BY_AXES.get(len(prepared.shape), "") if function is None else function
    if name not in _FUNCTIONS:
        raise ValueError(
            bad_argument(
                "prepare",
                "function",
                got=repr(name),
                expected="one of " + ", ".join(_FUNCTIONS),
            )
        )
    if device is not None:
        call["device"] = device
    pack_ahead(_FUNCTIONS[name], like, prepared, **call)
    return prepared
