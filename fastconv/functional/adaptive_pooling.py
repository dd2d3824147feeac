"""Adaptive pooling: the windows follow from the output's size."""

from __future__ import annotations

from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.functional._pool_problems import ADAPTIVE_AVG, ADAPTIVE_MAX
from fastconv.functional._pool_windows import OutputSize


def adaptive_avg_pool1d(
    x: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the average of each window; as :func:`adaptive_avg_pool2d`, over 1 axis.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        Input, in `layout` "NCW" or "NWC".
    output_size, out, **policy
        As in :func:`adaptive_avg_pool2d`.

    Returns
    -------
    array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`avg_pool2d`.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.adaptive_avg_pool1d([[1.0, 2.0, 3.0, 4.0, 5.0]], 2)
    array([[2., 4.]])
    """
    parameters = (1, output_size, layout)
    return call(ADAPTIVE_AVG[1], (x,), parameters, out, policy)[0]


def adaptive_avg_pool2d(
    x: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the average of each window, with windows that share the input out evenly.

    Along an axis of L elements with S windows, window o covers elements floor(o L / S) to
    ceil((o + 1) L / S), as in PyTorch.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        Input. Integers give float64. Any strides; never written to.
    output_size : int or None, or one per axis
        Number of windows along each axis; None keeps the input's extent.
    layout : str, optional
        Axis order of x and the result: "NCHW" or "NHWC".
    out : array, optional
        Where to put the result; exactly its shape and dtype. May overlap x.
    **policy
        See :func:`fastconv.use`.

    Returns
    -------
    array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`avg_pool2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> fastconv.adaptive_avg_pool2d(image, (1, None))
    array([[[[6., 7., 8., 9.]]]])
    """
    parameters = (2, output_size, layout)
    return call(ADAPTIVE_AVG[2], (x,), parameters, out, policy)[0]


def adaptive_avg_pool3d(
    x: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the average of each window; as :func:`adaptive_avg_pool2d`, over 3 axes.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        Input, in `layout` "NCDHW" or "NDHWC".
    output_size, out, **policy
        As in :func:`adaptive_avg_pool2d`.

    Returns
    -------
    array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`avg_pool2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.adaptive_avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 1)
    array([[[[3.5]]]])
    """
    parameters = (3, output_size, layout)
    return call(ADAPTIVE_AVG[3], (x,), parameters, out, policy)[0]


def adaptive_max_pool1d(
    x: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the largest element of each window; as :func:`adaptive_max_pool2d`, over 1 axis.

    Parameters
    ----------
    x : array, shape (N, C, W) or without N
        Input, in `layout` "NCW" or "NWC".
    output_size, return_indices, out, **policy
        As in :func:`adaptive_max_pool2d`.

    Returns
    -------
    y : array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.
    indices : array of int64, of y's shape
        Only with `return_indices`; as :func:`max_pool2d` returns them.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_pool2d`.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.adaptive_max_pool1d([[1.0, 2.0, 5.0, 4.0, 3.0]], 2, return_indices=True)
    (array([[5., 5.]]), array([[2, 2]]))
    """
    parameters = (1, output_size, return_indices, layout)
    results = call(ADAPTIVE_MAX[1], (x,), parameters, out, policy)
    return results if return_indices else results[0]


def adaptive_max_pool2d(
    x: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the largest element of each window, with windows that share the input out evenly.

    Along an axis of L elements with S windows, window o covers elements floor(o L / S) to
    ceil((o + 1) L / S), as in PyTorch.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or without N
        Input of any real dtype, which y keeps. Any strides; never written to.
    output_size : int or None, or one per axis
        Number of windows along each axis; None keeps the input's extent.
    return_indices : bool, optional
        Return where the maxima are, too.
    layout : str, optional
        Axis order of x and the result: "NCHW" or "NHWC".
    out : array, optional
        Where to put y; exactly its shape and dtype. May overlap x.
    **policy
        See :func:`fastconv.use`.

    Returns
    -------
    y : array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.
    indices : array of int64, of y's shape
        Only with `return_indices`; as :func:`max_pool2d` returns them.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_pool2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> fastconv.adaptive_max_pool2d(image, (1, 2))
    array([[[[13., 15.]]]])
    """
    parameters = (2, output_size, return_indices, layout)
    results = call(ADAPTIVE_MAX[2], (x,), parameters, out, policy)
    return results if return_indices else results[0]


def adaptive_max_pool3d(
    x: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCDHW",
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Return the largest element of each window; as :func:`adaptive_max_pool2d`, over 3 axes.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or without N
        Input, in `layout` "NCDHW" or "NDHWC".
    output_size, return_indices, out, **policy
        As in :func:`adaptive_max_pool2d`.

    Returns
    -------
    y : array, shape (N, C, windows...)
        Fresh and C-contiguous in `layout`, unless `out` is given.
    indices : array of int64, of y's shape
        Only with `return_indices`; as :func:`max_pool2d` returns them.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`max_pool2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.adaptive_max_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 1)
    array([[[[7.]]]])
    """
    parameters = (3, output_size, return_indices, layout)
    results = call(ADAPTIVE_MAX[3], (x,), parameters, out, policy)
    return results if return_indices else results[0]
