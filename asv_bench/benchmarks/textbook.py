"""The layers of a deep-learning textbook: im2col by NumPy slices, then one matrix product.

What fastconv is measured against: as books write it, whole columns and all. Deep Learning from
Scratch fills columns made by ``np.zeros``, so that they are float64 whatever the images are;
with `keep` they have the images' dtype instead, which is kinder to the book in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def im2col(x: Any, size: int, stride: int, pad: int, keep: bool = False) -> Any:
    """Return every window of (N, C, H, W) images as a row of (N * OH * OW, C * size * size)."""
    n, c, h, w = x.shape
    out_h = (h + 2 * pad - size) // stride + 1
    out_w = (w + 2 * pad - size) // stride + 1
    image = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    columns = np.zeros((n, c, size, size, out_h, out_w), x.dtype if keep else float)
    for row in range(size):
        for column in range(size):
            columns[:, :, row, column] = image[
                :,
                :,
                row : row + stride * out_h : stride,
                column : column + stride * out_w : stride,
            ]
    return columns.transpose(0, 4, 5, 1, 2, 3).reshape(n * out_h * out_w, -1)


def convolution(
    x: Any, weight: Any, bias: Any, stride: int = 1, pad: int = 0, keep: bool = False
) -> Any:
    """Return the convolution of (N, C, H, W) images with (O, C, size, size) kernels."""
    n, _, h, w = x.shape
    count, _, size, _ = weight.shape
    out_h = (h + 2 * pad - size) // stride + 1
    out_w = (w + 2 * pad - size) // stride + 1
    rows = im2col(x, size, stride, pad, keep)
    y = rows @ weight.reshape(count, -1).T + bias
    return y.reshape(n, out_h, out_w, count).transpose(0, 3, 1, 2)


def relu(x: Any) -> Any:
    """Return x, and 0 where it is negative."""
    mask = x <= 0
    y = x.copy()
    y[mask] = 0
    return y


def max_pool(x: Any, size: int, stride: int, keep: bool = False) -> Any:
    """Return the maxima of (N, C, H, W) images' windows."""
    n, c, h, w = x.shape
    out_h, out_w = (h - size) // stride + 1, (w - size) // stride + 1
    rows = im2col(x, size, stride, 0, keep).reshape(-1, size * size)
    # The book also keeps where the maxima are, for the backward pass.
    np.argmax(rows, axis=1)
    y = np.max(rows, axis=1)
    return y.reshape(n, out_h, out_w, c).transpose(0, 3, 1, 2)
