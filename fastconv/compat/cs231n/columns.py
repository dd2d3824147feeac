"""``cs231n.im2col`` and ``cs231n.im2col_cython``: columns with the image index fastest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv import functional
from fastconv.errors import bad_argument
from fastconv.functional.parameters import whole


def _windows(
    function: str, extents: Sequence[int], field: Sequence[int], padding: int, stride: int
) -> tuple[int, int]:
    whole(function, "padding", padding, 0)
    whole(function, "stride", stride, 1)
    for extent, size in zip(extents, field, strict=True):
        whole(function, "the field's size", size, 1)
        if extent + 2 * padding < size:
            raise ValueError(
                bad_argument(
                    function,
                    "x",
                    got=f"an extent of {extent} with padding={padding}",
                    expected=f"at least the field's {size}",
                )
            )
    height, width = (
        (extent + 2 * padding - size) // stride + 1
        for extent, size in zip(extents, field, strict=True)
    )
    return height, width


def im2col_cython(x: Any, field_height: int, field_width: int, padding: int, stride: int) -> Any:
    """Return every window of the images as a column.

    Parameters
    ----------
    x : array (N, C, H, W)
        Images of any dtype.
    field_height, field_width, padding, stride : int
        The window's size, zeros around each image, and the window's step.

    Returns
    -------
    array (C * field_height * field_width, OH * OW * N)
        Of x's dtype, the image index fastest.

    Raises
    ------
    ValueError
        For sizes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> im2col_cython(np.arange(8.0).reshape(2, 1, 2, 2), 1, 2, 0, 1)
    array([[0., 4., 2., 6.],
           [1., 5., 3., 7.]])
    """
    x = np.asarray(x)
    if x.ndim != 4:
        raise ValueError(
            bad_argument("im2col", "x", got=f"shape {x.shape}", expected="(N, C, H, W)")
        )
    n, c, *extents = x.shape
    field = (field_height, field_width)
    out_h, out_w = _windows("im2col", extents, field, padding, stride)
    columns = np.empty((c * field_height * field_width, out_h * out_w, n), x.dtype)
    functional.im2col(x, field, stride, padding, out=columns.transpose(2, 0, 1))
    return columns.reshape(len(columns), out_h * out_w * n)


def im2col_indices(
    x: Any, field_height: int, field_width: int, padding: int = 1, stride: int = 1
) -> Any:
    """Return every window as a column; see `im2col_cython`. Padding is 1 by default."""
    return im2col_cython(x, field_height, field_width, padding, stride)


def col2im_6d_cython(
    cols: Any, N: int, C: int, H: int, W: int, HH: int, WW: int, pad: int, stride: int
) -> Any:
    """Add windows up to images.

    Parameters
    ----------
    cols : array (C, HH, WW, N, OH, OW)
        Windows, with the image index before the positions.
    N, C, H, W : int
        Shape of the images.
    HH, WW, pad, stride : int
        The window's size, zeros around each image, and the window's step.

    Returns
    -------
    array (N, C, H, W)

    Raises
    ------
    ValueError
        For sizes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> col2im_6d_cython(np.ones((1, 1, 2, 1, 1, 2)), 1, 1, 1, 3, 1, 2, 0, 1)
    array([[[[1., 2., 1.]]]])
    """
    cols = np.asarray(cols)
    out_h, out_w = _windows("col2im_6d_cython", (H, W), (HH, WW), pad, stride)
    _check_shape("col2im_6d_cython", cols, (C, HH, WW, N, out_h, out_w))
    columns = cols.reshape(C * HH * WW, N, out_h * out_w).transpose(1, 0, 2)
    return functional.col2im(columns, (H, W), (HH, WW), stride, pad)


def col2im_cython(
    cols: Any,
    N: int,
    C: int,
    H: int,
    W: int,
    field_height: int,
    field_width: int,
    padding: int,
    stride: int,
) -> Any:
    """Add columns up to images: the adjoint of `im2col_cython`.

    Parameters
    ----------
    cols : array (C * field_height * field_width, OH * OW * N)
        Columns, with the image index fastest.
    N, C, H, W : int
        Shape of the images.
    field_height, field_width, padding, stride : int
        As for `im2col_cython`.

    Returns
    -------
    array (N, C, H, W)

    Raises
    ------
    ValueError
        For sizes that don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> col2im_cython(np.ones((2, 2)), 1, 1, 1, 3, 1, 2, 0, 1)
    array([[[[1., 2., 1.]]]])
    """
    cols = np.asarray(cols)
    field = (field_height, field_width)
    out_h, out_w = _windows("col2im", (H, W), field, padding, stride)
    rows = C * field_height * field_width
    _check_shape("col2im", cols, (rows, out_h * out_w * N))
    columns = cols.reshape(rows, out_h * out_w, N).transpose(2, 0, 1)
    return functional.col2im(columns, (H, W), field, stride, padding)


def col2im_indices(
    cols: Any,
    x_shape: Sequence[int],
    field_height: int = 3,
    field_width: int = 3,
    padding: int = 1,
    stride: int = 1,
) -> Any:
    """Add columns up to images of `x_shape`; see `col2im_cython`."""
    n, c, h, w = x_shape
    return col2im_cython(cols, n, c, h, w, field_height, field_width, padding, stride)


def _check_shape(function: str, cols: Any, expected: tuple[int, ...]) -> None:
    if cols.shape != expected:
        raise ValueError(
            bad_argument(function, "cols", got=f"shape {cols.shape}", expected=str(expected))
        )


def get_im2col_indices(
    x_shape: Sequence[int],
    field_height: int,
    field_width: int,
    padding: int = 1,
    stride: int = 1,
) -> tuple[Any, Any, Any]:
    """Return the index arrays (k, i, j) that take columns out of a padded image.

    Parameters
    ----------
    x_shape : (N, C, H, W)
        Shape of the images without padding.
    field_height, field_width, padding, stride : int
        As for `im2col_cython`.

    Returns
    -------
    k : int array (C * field_height * field_width, 1)
        Channels.
    i, j : int array (C * field_height * field_width, OH * OW)
        Rows and columns.

    Examples
    --------
    >>> k, i, j = get_im2col_indices((1, 1, 1, 3), 1, 2, padding=0)
    >>> i.tolist(), j.tolist()
    ([[0, 0], [0, 0]], [[0, 1], [1, 2]])
    """
    _, channels, *extents = x_shape
    out_h, out_w = _windows(
        "get_im2col_indices", extents, (field_height, field_width), padding, stride
    )
    k, i, j = np.indices((channels, field_height, field_width)).reshape(3, -1, 1)
    rows, columns = stride * np.indices((out_h, out_w)).reshape(2, 1, -1)
    return k, i + rows, j + columns
