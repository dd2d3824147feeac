"""Unpooling, which puts maxima back to where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._unpool_problems import UNPOOL
from fastconv.functional.parameters import IntOrInts, Padding


def max_unpool1d(
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Put each element of x where its index says; as :func:`max_unpool2d`, over 1 spatial axis.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        Maxima, in `layout` "NCW" or "NWC".
    indices : array of integers, of x's shape
        Places in a plane of the result.
    kernel_size, stride, padding, output_size, out, **policy
        As in :func:`max_unpool2d`.

    Returns
    -------
    array, shape (N, C, output_size...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together, and for an index outside the result.
    TypeError
        For indices that aren't integers, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.max_unpool1d([[4.0, 3.0]], [[1, 3]], 2)
    array([[0., 4., 0., 3.]])
    """
    parameters = (1, kernel_size, stride, padding, output_size, layout)
    return call(UNPOOL[1], (x, indices), parameters, out, policy)[0]


def max_unpool2d(
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Put each element of x where its index says, and zeros elsewhere.

    A partial inverse of :func:`max_pool2d`. Of elements with one index the last stays.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        Maxima of any dtype, which the result keeps.
    indices : array of integers, of x's shape
        Places in a plane of the result, row by row, as :func:`max_pool2d` returns them.
    kernel_size, stride : int or one per axis
        As they were given to the pool; stride is kernel_size by default.
    padding : int, one per axis, or (before, after) pairs, optional
        As it was given to the pool.
    output_size : sequence of int, optional
        The result's spatial extents, or its shape with N and C. By default (extent - 1) *
        stride + kernel_size - padding on both sides; each may differ from that by less than
        a stride.
    layout : str, optional
        Axis order of x, indices and the result: "NCHW" or "NHWC".
    out : array, optional
        Where to put the result; exactly its shape and dtype. May overlap x.
    **policy
        See :func:`fastconv.use`.

    Returns
    -------
    array, shape (N, C, output_size...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together, and for an index outside the result.
    TypeError
        For indices that aren't integers, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> y, indices = fastconv.max_pool2d(
    ...     np.arange(9.0).reshape(1, 3, 3), 2, return_indices=True
    ... )
    >>> fastconv.max_unpool2d(y, indices, 2, output_size=(3, 3))
    array([[[0., 0., 0.],
            [0., 4., 0.],
            [0., 0., 0.]]])
    """
    parameters = (2, kernel_size, stride, padding, output_size, layout)
    return call(UNPOOL[2], (x, indices), parameters, out, policy)[0]


def max_unpool3d(
    x: Any,
    indices: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Put each element of x where its index says; as :func:`max_unpool2d`, over 3 spatial axes.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        Maxima, in `layout` "NCDHW" or "NDHWC".
    indices : array of integers, of x's shape
        Places in a plane of the result.
    kernel_size, stride, padding, output_size, out, **policy
        As in :func:`max_unpool2d`.

    Returns
    -------
    array, shape (N, C, output_size...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError
        For shapes and parameters that don't go together, and for an index outside the result.
    TypeError
        For indices that aren't integers, and what isn't an array of numbers.
    UnsupportedError, WorkspaceLimitError
        If no allowed backend serves the call, at all or within the workspace limit.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.max_unpool3d(np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 5), 2)[0, 1]
    array([[0., 1.],
           [0., 0.]])
    """
    parameters = (3, kernel_size, stride, padding, output_size, layout)
    return call(UNPOOL[3], (x, indices), parameters, out, policy)[0]
