"""``common.layers``: Convolution and Pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv import functional
from fastconv.compat.dlfs.util import as_float64, axes4, im2col, window_count
from fastconv.errors import bad_argument


class Convolution:
    """The book's convolution layer, in float64.

    Parameters
    ----------
    W : array (FN, C, FH, FW)
        Filters.
    b : array (FN,)
        Biases.
    stride, pad : int
        Step of the filters, and zeros around each image.

    Attributes
    ----------
    x, col, col_W : array or None
        Of the last forward: its input, its columns (built when read), and its filters as a
        matrix (C * FH * FW, FN).
    dW, db : array or None
        Gradients of the last backward, in the shapes of W and b.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Convolution(np.ones((1, 1, 2, 2)), np.zeros(1))
    >>> layer.forward(np.arange(9).reshape(1, 1, 3, 3))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """

    def __init__(self, W: Any, b: Any, stride: int = 1, pad: int = 0) -> None:
        self.W = W
        self.b = b
        self.stride = stride
        self.pad = pad
        self.x: Any = None
        self.dW: Any = None
        self.db: Any = None
        # The filters that forward used: load_params may rebind W before backward.
        self._used_W: Any = None

    @property
    def col(self) -> Any:
        """The last input's columns, (N * OH * OW, C * FH * FW)."""
        if self.x is None:
            return None
        height, width = self._used_W.shape[2:]
        return im2col(self.x, height, width, self.stride, self.pad)

    @property
    def col_W(self) -> Any:
        """The filters of the last forward as a matrix, (C * FH * FW, FN)."""
        return None if self.x is None else self._used_W.reshape(len(self._used_W), -1).T

    def forward(self, x: Any) -> Any:
        """Return the convolution, float64 (N, FN, OH, OW)."""
        filters = as_float64("Convolution", "W", self.W)
        bias = as_float64("Convolution", "b", self.b)
        images = as_float64("Convolution", "x", x)
        axes4("Convolution", "x", images)
        axes4("Convolution", "W", filters)
        # The book's sum broadcasts: one number serves all filters.
        bias = np.broadcast_to(bias.reshape(-1), (len(filters),))
        y = functional.conv2d(images, filters, bias, self.stride, self.pad)
        self.x = x
        self._used_W = self.W
        return y

    def backward(self, dout: Any) -> Any:
        """Return the gradient by x, float64 and fresh; set dW and db."""
        if self.x is None:
            raise RuntimeError("Convolution.backward: call forward first")
        dx, self.dW, self.db = functional.conv2d_backward(
            as_float64("Convolution", "dout", dout),
            as_float64("Convolution", "x", self.x),
            as_float64("Convolution", "W", self._used_W),
            self.stride,
            self.pad,
        )
        return dx


class Pooling:
    """The book's maximum pool, in float64; of equal maxima the first counts.

    The book computes its output's size without ``pad``, and fails in almost all cases where
    ``pad`` isn't 0. So does this, with a ValueError that says so. Where both sizes agree the
    padding takes part as zeros, which win over negative numbers.

    Parameters
    ----------
    pool_h, pool_w, stride, pad : int
        The window's size, its step, and zeros around each image.

    Attributes
    ----------
    x : array or None
        Input of the last forward.
    arg_max : int64 array (N * OH * OW * C,) or None
        Position of each maximum within its window, row by row.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Pooling(2, 2, stride=2)
    >>> layer.forward(np.arange(16).reshape(1, 1, 4, 4))
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    >>> layer.arg_max
    array([3, 3, 3, 3])
    """

    def __init__(self, pool_h: int, pool_w: int, stride: int = 2, pad: int = 0) -> None:
        self.pool_h = pool_h
        self.pool_w = pool_w
        self.stride = stride
        self.pad = pad
        self.x: Any = None
        self._indices: Any = None

    @property
    def arg_max(self) -> Any:
        """Position of each maximum within its window, in the order (N, OH, OW, C)."""
        if self._indices is None:
            return None
        out_h, out_w = self._indices.shape[2:]
        row, column = np.divmod(self._indices, self.x.shape[3] + 2 * self.pad)
        row -= np.arange(out_h)[:, None] * self.stride
        column -= np.arange(out_w) * self.stride
        return (row * self.pool_w + column).transpose(0, 2, 3, 1).reshape(-1)

    def forward(self, x: Any) -> Any:
        """Return each window's maximum, float64 (N, C, OH, OW)."""
        images = as_float64("Pooling", "x", x)
        _, _, h, w = axes4("Pooling", "x", images)
        self._check_size(h, self.pool_h)
        self._check_size(w, self.pool_w)
        y, indices = functional.max_pool2d(
            self._padded(images), (self.pool_h, self.pool_w), self.stride, return_indices=True
        )
        self.x = x
        self._indices = indices
        return y

    def backward(self, dout: Any) -> Any:
        """Return the gradient by x, float64 and fresh."""
        if self.x is None:
            raise RuntimeError("Pooling.backward: call forward first")
        dx = functional.max_pool2d_backward(
            as_float64("Pooling", "dout", dout),
            self._padded(as_float64("Pooling", "x", self.x)),
            self._indices,
            (self.pool_h, self.pool_w),
            self.stride,
        )
        inner = slice(self.pad, -self.pad or None)
        return dx[:, :, inner, inner]

    def _padded(self, images: Any) -> Any:
        if self.pad == 0:
            return images
        return np.pad(images, ((0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad)))

    def _check_size(self, extent: int, window: int) -> None:
        right = window_count("Pooling", extent, window, self.stride, self.pad)
        books = int(1 + (extent - window) / self.stride)
        if right != books:
            raise ValueError(
                bad_argument(
                    "Pooling",
                    "pad",
                    got=f"{self.pad}, for which {right} windows of {window} fit into {extent}",
                    expected=f"a pad that leaves the {books} of the book, which counts without it",
                    hint="Pad x yourself (numpy.pad) and use pad=0, or call "
                    "fastconv.max_pool2d with padding=",
                )
            )
