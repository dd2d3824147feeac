"""The fast layers of CS231n (``cs231n.fast_layers``, ``im2col``, ``im2col_cython``), by fastconv.

Columns are (C * FH * FW, OH * OW * N) with the image index fastest, and padding comes before
stride in the argument lists. Differences from the course's files: kernels need not be square;
a last window that doesn't fit is left out instead of an AssertionError; results are right for
every dtype; `cache` holds no columns. Of equal maxima in a pooling window the first gets the
gradient, as in the course's im2col version; its reshape version shares it out among them.
"""

from fastconv.compat.cs231n.columns import (
    col2im_6d_cython,
    col2im_cython,
    col2im_indices,
    get_im2col_indices,
    im2col_cython,
    im2col_indices,
)
from fastconv.compat.cs231n.fast_layers import (
    conv_backward_fast,
    conv_backward_im2col,
    conv_backward_strides,
    conv_forward_fast,
    conv_forward_im2col,
    conv_forward_strides,
    max_pool_backward_fast,
    max_pool_backward_im2col,
    max_pool_forward_fast,
    max_pool_forward_im2col,
)

__all__ = [
    "col2im_6d_cython",
    "col2im_cython",
    "col2im_indices",
    "conv_backward_fast",
    "conv_backward_im2col",
    "conv_backward_strides",
    "conv_forward_fast",
    "conv_forward_im2col",
    "conv_forward_strides",
    "get_im2col_indices",
    "im2col_cython",
    "im2col_indices",
    "max_pool_backward_fast",
    "max_pool_backward_im2col",
    "max_pool_forward_fast",
    "max_pool_forward_im2col",
]
