"""What fastconv is compared with: convolution as textbooks write it, in plain Python and NumPy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def conv2d_loops(x: Array, weight: Array, padding: int = 0) -> Array:
    """Convolution of (N, C, H, W) with (O, C, KH, KW), stride 1, by seven loops over elements."""
    n, c, h, w = x.shape
    o, _, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    oh, ow = h + 2 * padding - kh + 1, w + 2 * padding - kw + 1
    y = np.zeros((n, o, oh, ow), x.dtype)
    for image in range(n):
        for out in range(o):
            for row in range(oh):
                for column in range(ow):
                    total = 0.0
                    for channel in range(c):
                        for i in range(kh):
                            for j in range(kw):
                                pixel = padded[image, channel, row + i, column + j]
                                total += pixel * weight[out, channel, i, j]
                    y[image, out, row, column] = total
    return y


def im2col(x: Array, kh: int, kw: int, padding: int) -> Array:
    """Every window of (N, C, H, W) as a row: (N * OH * OW, C * KH * KW), stride 1."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    oh, ow = h + 2 * padding - kh + 1, w + 2 * padding - kw + 1
    windows = np.empty((n, c, kh, kw, oh, ow), x.dtype)
    for i in range(kh):
        for j in range(kw):
            windows[:, :, i, j] = padded[:, :, i : i + oh, j : j + ow]
    return windows.transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, -1)


def col2im(rows: Array, shape: tuple[int, ...], kh: int, kw: int, padding: int) -> Array:
    """Add every row back to where its window came from: the adjoint of :func:`im2col`."""
    n, c, h, w = shape
    oh, ow = h + 2 * padding - kh + 1, w + 2 * padding - kw + 1
    windows = rows.reshape(n, oh, ow, c, kh, kw).transpose(0, 3, 4, 5, 1, 2)
    padded = np.zeros((n, c, h + 2 * padding, w + 2 * padding), rows.dtype)
    for i in range(kh):
        for j in range(kw):
            padded[:, :, i : i + oh, j : j + ow] += windows[:, :, i, j]
    return padded[:, :, padding : padding + h, padding : padding + w]


def conv2d_im2col(x: Array, weight: Array, padding: int = 0) -> Array:
    """Convolution as one matrix product with the columns of :func:`im2col`."""
    n, _, h, w = x.shape
    o, _, kh, kw = weight.shape
    rows = im2col(x, kh, kw, padding) @ weight.reshape(o, -1).T
    oh, ow = h + 2 * padding - kh + 1, w + 2 * padding - kw + 1
    return rows.reshape(n, oh, ow, o).transpose(0, 3, 1, 2)


def training_step(
    parameters: dict[str, Array], images: Array, labels: Array
) -> tuple[float, dict[str, Array]]:
    """Loss and gradients of the demo's network, layer by layer in NumPy.

    The names are those of ``fastconv.layers.Sequential`` for
    :func:`fastconv.cli.demo.training.build_network`: a convolution is "0" and "2", a fully
    connected layer "6" and "8".
    """
    p, n = parameters, len(images)
    first = conv2d_im2col(images, p["0.weight"], 1) + p["0.bias"][:, None, None]
    a = np.maximum(first, 0)
    second = conv2d_im2col(a, p["2.weight"], 1) + p["2.bias"][:, None, None]
    b = np.maximum(second, 0)
    c, h, w = b.shape[1:]
    blocks = b.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5)
    blocks = blocks.reshape(n, c, h // 2, w // 2, 4)
    winners = blocks.argmax(-1)[..., None]
    flat = np.take_along_axis(blocks, winners, -1).reshape(n, -1)
    third = flat @ p["6.weight"].T + p["6.bias"]
    d = np.maximum(third, 0)
    logits = d @ p["8.weight"].T + p["8.bias"]

    shifted = logits - logits.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    loss = -float(logs[np.arange(n), labels].mean())

    grads = {}
    grad = np.exp(logs)
    grad[np.arange(n), labels] -= 1
    grad /= n
    grads["8.weight"], grads["8.bias"] = grad.T @ d, grad.sum(0)
    grad = (grad @ p["8.weight"]) * (third > 0)
    grads["6.weight"], grads["6.bias"] = grad.T @ flat, grad.sum(0)
    spread = np.zeros_like(blocks)
    np.put_along_axis(spread, winners, (grad @ p["6.weight"]).reshape(winners.shape), -1)
    grad = spread.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(b.shape)
    grad = grad * (second > 0)
    grad, grads["2.weight"], grads["2.bias"] = _conv_backward(grad, a, p["2.weight"])
    grad = grad * (first > 0)
    _, grads["0.weight"], grads["0.bias"] = _conv_backward(grad, images, p["0.weight"])
    return loss, grads


def _conv_backward(grad: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    o, _, kh, kw = weight.shape
    rows = grad.transpose(0, 2, 3, 1).reshape(-1, o)
    weight_grad = (rows.T @ im2col(x, kh, kw, 1)).reshape(weight.shape)
    x_grad = col2im(rows @ weight.reshape(o, -1), x.shape, kh, kw, 1)
    return x_grad, weight_grad, rows.sum(0)
