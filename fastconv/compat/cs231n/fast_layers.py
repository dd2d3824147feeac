"""``cs231n.fast_layers``: convolution and maximum pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastconv import functional


def conv_forward_fast(x: Any, w: Any, b: Any, conv_param: Mapping[str, int]) -> tuple[Any, Any]:
    """Convolve images with filters.

    Parameters
    ----------
    x : array (N, C, H, W)
        Images.
    w : array (F, C, HH, WW)
        Filters, square or not.
    b : array (F,)
        Biases.
    conv_param : mapping
        "stride" and "pad".

    Returns
    -------
    out : array (N, F, OH, OW)
        The convolution.
    cache : tuple (x, w, b, conv_param)
        For `conv_backward_fast`, as in ``conv_forward_naive``.

    Raises
    ------
    ValueError, TypeError
        As :func:`fastconv.conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> out, cache = conv_forward_fast(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    >>> out
    array([[[[4., 4.],
             [4., 4.]]]])
    """
    out = functional.conv2d(x, w, b, conv_param["stride"], conv_param["pad"])
    return out, (x, w, b, conv_param)


def conv_backward_fast(dout: Any, cache: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Return the gradients (dx, dw, db) of `conv_forward_fast`.

    Parameters
    ----------
    dout : array (N, F, OH, OW)
        Gradient by the output.
    cache : tuple
        As the forward returned it.

    Returns
    -------
    dx, dw, db : array
        In the shapes of x, w and b.

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> out, cache = conv_forward_fast(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    >>> dx, dw, db = conv_backward_fast(np.ones_like(out), cache)
    >>> dx.shape, dw.tolist(), db
    ((1, 1, 3, 3), [[[[4.0, 4.0], [4.0, 4.0]]]], array([4.]))
    """
    x, w, _, conv_param = cache[:4]
    found = functional.conv2d_backward(dout, x, w, conv_param["stride"], conv_param["pad"])
    return found.x, found.weight, found.bias


conv_forward_im2col = conv_forward_strides = conv_forward_fast
conv_backward_im2col = conv_backward_strides = conv_backward_fast


def _pool(pool_param: Mapping[str, int]) -> tuple[tuple[int, int], int]:
    return (pool_param["pool_height"], pool_param["pool_width"]), pool_param["stride"]


def max_pool_forward_fast(x: Any, pool_param: Mapping[str, int]) -> tuple[Any, Any]:
    """Take each window's maximum.

    Parameters
    ----------
    x : array (N, C, H, W)
        Images.
    pool_param : mapping
        "pool_height", "pool_width" and "stride".

    Returns
    -------
    out : array (N, C, OH, OW)
        The maxima.
    cache : tuple
        For `max_pool_backward_fast`.

    Examples
    --------
    >>> import numpy as np
    >>> pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    >>> out, cache = max_pool_forward_fast(np.zeros((1, 1, 2, 2)), pool_param)
    >>> max_pool_backward_fast(np.ones_like(out), cache)
    array([[[[1., 0.],
             [0., 0.]]]])
    """
    window, stride = _pool(pool_param)
    out, indices = functional.max_pool2d(x, window, stride, return_indices=True)
    return out, (x, indices, pool_param)


def max_pool_backward_fast(dout: Any, cache: Sequence[Any]) -> Any:
    """Return the gradient by x of `max_pool_forward_fast`: to the first maximum of each window.

    Parameters
    ----------
    dout : array (N, C, OH, OW)
        Gradient by the output.
    cache : tuple
        As the forward returned it.

    Returns
    -------
    array (N, C, H, W)
    """
    x, indices, pool_param = cache
    window, stride = _pool(pool_param)
    return functional.max_pool2d_backward(dout, x, indices, window, stride)


max_pool_forward_im2col = max_pool_forward_fast
max_pool_backward_im2col = max_pool_backward_fast
