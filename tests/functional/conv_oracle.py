"""Convolution and its gradients by scipy.signal, in double precision, channel by channel.

Nothing here is fastconv's: it is what the reference is held to.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from conv_support import wide
from scipy.signal import convolve, correlate


def _spread(array, steps):
    """Put zeros between the elements of the spatial axes, (size - 1) * step + 1 in all."""
    spatial = [(n - 1) * s + 1 for n, s in zip(array.shape, steps, strict=True)]
    result = np.zeros(spatial, array.dtype)
    result[tuple(slice(None, None, s) for s in steps)] = array
    return result


def _pairs(conv):
    """Yield (output channel, input channel, that channel's place in the weight)."""
    outer, inner = conv.weight_shape[0] // conv.groups, conv.weight_shape[1]
    for o, c in product(range(conv.weight_shape[0]), range(inner)):
        yield o, o // outer * inner + c, c


def _padded(conv, x):
    return np.pad(x, ((0, 0), (0, 0), *conv.pads))


def forward(conv, x, weight):
    """y[n, o] = the sum over channels of correlate(x[n, c], weight[o, c])."""
    x, weight = _padded(conv, wide(x)), wide(weight)
    y = np.zeros(conv.y_shape, np.result_type(x, weight))
    strided = tuple(slice(None, None, s) for s in conv.stride)
    for o, c, k in _pairs(conv):
        kernel = _spread(weight[o, k], conv.dilation)
        for n in range(len(x)):
            # SciPy conjugates its second argument.
            y[n, o] += correlate(x[n, c], kernel.conj(), "valid", "direct")[strided]
    return y


def _in_reach(conv, array):
    """Put a plane of x's gradient, which ends at the last window, into one of x's shape."""
    extents = [n + sum(pads) for n, pads in zip(conv.x_shape[2:], conv.pads, strict=True)]
    plane = np.zeros(extents, array.dtype)
    plane[tuple(slice(0, n) for n in array.shape)] = array
    inner = zip(conv.x_shape[2:], conv.pads, strict=True)
    return plane[tuple(slice(before, before + n) for n, (before, _) in inner)]


def input_grad(conv, weight, grad):
    """The transpose of `forward` in x, nothing conjugated."""
    weight, grad = wide(weight), wide(grad)
    x = np.zeros(conv.x_shape, np.result_type(weight, grad))
    for o, c, k in _pairs(conv):
        kernel = _spread(weight[o, k], conv.dilation)
        for n in range(len(x)):
            full = convolve(_spread(grad[n, o], conv.stride), kernel, "full", "direct")
            x[n, c] += _in_reach(conv, full)
    return x


def weight_grad(conv, x, grad):
    """The transpose of `forward` in the weight, nothing conjugated."""
    x, grad = _padded(conv, wide(x)), wide(grad)
    weight = np.zeros(conv.weight_shape, np.result_type(x, grad))
    taps = tuple(
        slice(0, (k - 1) * d + 1, d)
        for k, d in zip(conv.weight_shape[2:], conv.dilation, strict=True)
    )
    for o, c, k in _pairs(conv):
        for n in range(len(x)):
            spread = _spread(grad[n, o], conv.stride)
            weight[o, k] += correlate(x[n, c], spread.conj(), "valid", "direct")[taps]
    return weight
