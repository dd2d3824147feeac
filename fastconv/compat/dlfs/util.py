"""``common.util``: columns, always float64, as the book's are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv import functional
from fastconv.errors import bad_argument
from fastconv.functional.parameters import whole


def as_float64(function: str, argument: str, value: Any) -> Any:
    """Return an array of real numbers as float64, the array itself if it is that already."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            bad_argument(function, argument, got=f"dtype {array.dtype}", expected="real numbers")
        )
    return array.astype(np.float64, copy=False)


def axes4(function: str, argument: str, array: Any) -> tuple[int, int, int, int]:
    """Return the shape of an array with four axes."""
    if array.ndim != 4:
        raise ValueError(
            bad_argument(
                function, argument, got=f"shape {array.shape}", expected="four axes: (N, C, H, W)"
            )
        )
    n, c, h, w = array.shape
    return n, c, h, w


def window_count(function: str, extent: int, window: int, stride: int, pad: int) -> int:
    """Return how many windows fit along an axis; ValueError if none does."""
    whole(function, "stride", stride, 1)
    whole(function, "pad", pad, 0)
    whole(function, "the window's size", window, 1)
    if extent + 2 * pad < window:
        raise ValueError(
            bad_argument(
                function,
                "input",
                got=f"an extent of {extent} with pad={pad}",
                expected=f"at least the window's {window}",
            )
        )
    return (extent + 2 * pad - window) // stride + 1


def conv_output_size(input_size: int, filter_size: int, stride: int = 1, pad: int = 0) -> float:
    """Return the output's size; a float, as in the book.

    Examples
    --------
    >>> conv_output_size(28, 5)
    24.0
    """
    return (input_size + 2 * pad - filter_size) / stride + 1


def im2col(input_data: Any, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> Any:
    """Return every window of the images as a row.

    Parameters
    ----------
    input_data : array (N, C, H, W)
        Images of any real dtype.
    filter_h, filter_w, stride, pad : int
        The window's size, its step, and zeros around each image.

    Returns
    -------
    float64 array (N * OH * OW, C * filter_h * filter_w)

    Raises
    ------
    ValueError, TypeError
        For sizes or dtypes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> im2col(np.arange(9).reshape(1, 1, 3, 3), 2, 2)
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    x = as_float64("im2col", "input_data", input_data)
    n, c, h, w = axes4("im2col", "input_data", x)
    out_h = window_count("im2col", h, filter_h, stride, pad)
    out_w = window_count("im2col", w, filter_w, stride, pad)
    rows = np.empty((n, out_h * out_w, c * filter_h * filter_w))
    functional.im2col(x, (filter_h, filter_w), stride, pad, out=rows.transpose(0, 2, 1))
    return rows.reshape(n * out_h * out_w, c * filter_h * filter_w)


def col2im(
    col: Any,
    input_shape: Sequence[int],
    filter_h: int,
    filter_w: int,
    stride: int = 1,
    pad: int = 0,
) -> Any:
    """Add rows of windows up to images: the adjoint of `im2col`.

    Parameters
    ----------
    col : array (N * OH * OW, C * filter_h * filter_w)
        Rows as `im2col` returns them, of any real dtype.
    input_shape : (N, C, H, W)
        Shape of the images.
    filter_h, filter_w, stride, pad : int
        As for `im2col`.

    Returns
    -------
    float64 array (N, C, H, W)

    Raises
    ------
    ValueError, TypeError
        For sizes or dtypes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2, 2)
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    rows = as_float64("col2im", "col", col)
    n, c, h, w = input_shape
    out_h = window_count("col2im", h, filter_h, stride, pad)
    out_w = window_count("col2im", w, filter_w, stride, pad)
    shape = (n, out_h * out_w, c * filter_h * filter_w)
    if rows.size != shape[0] * shape[1] * shape[2]:
        raise ValueError(
            bad_argument(
                "col2im",
                "col",
                got=f"shape {rows.shape}",
                expected=f"({shape[0] * shape[1]}, {shape[2]})",
            )
        )
    columns = rows.reshape(shape).transpose(0, 2, 1)
    return functional.col2im(columns, (h, w), (filter_h, filter_w), stride, pad)
