"""``common.layers`` and ``common.functions``: Affine, softmax and the loss."""

from __future__ import annotations

from typing import Any

import numpy as np


def softmax(x: Any) -> Any:
    """Return exp(x) over its sum along the last axis, without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    exponents = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return exponents / np.sum(exponents, axis=-1, keepdims=True)


def cross_entropy_error(y: Any, t: Any) -> Any:
    """Return the mean of -log(y + 1e-7) at the classes of t.

    Parameters
    ----------
    y : array (N, C) or (C,)
        Probabilities.
    t : int array (N,), or one-hot array of y's shape
        Classes.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(cross_entropy_error(np.array([0.25, 0.75]), np.array([0, 1]))), 4)
    0.2877
    """
    y, t = np.asarray(y), np.asarray(t)
    if y.ndim == 1:
        t = t.reshape(1, t.size)
        y = y.reshape(1, y.size)
    if t.size == y.size:
        t = t.argmax(axis=1)
    rows = np.arange(len(y))
    return -np.sum(np.log(y[rows, t.reshape(-1)] + 1e-7)) / len(y)


class Affine:
    """The book's fully connected layer: x W + b, with W (in, out).

    Parameters
    ----------
    W : array (in, out)
        Weights.
    b : array (out,)
        Biases.

    Attributes
    ----------
    x : array (N, in) or None
        Input of the last forward, flattened.
    original_x_shape : tuple or None
        The input's own shape, which backward returns to.
    dW, db : array or None
        Gradients of the last backward.

    Examples
    --------
    >>> import numpy as np
    >>> Affine(np.eye(2), np.ones(2)).forward(np.array([[1.0, 2.0]]))
    array([[2., 3.]])
    """

    def __init__(self, W: Any, b: Any) -> None:
        self.W = W
        self.b = b
        self.x: Any = None
        self.original_x_shape: Any = None
        self.dW: Any = None
        self.db: Any = None

    def forward(self, x: Any) -> Any:
        """Return x W + b, with all axes of x but the first flattened."""
        self.original_x_shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return np.dot(self.x, self.W) + self.b

    def backward(self, dout: Any) -> Any:
        """Return the gradient by x; set dW and db."""
        dx = np.dot(dout, self.W.T)
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return dx.reshape(self.original_x_shape)


class SoftmaxWithLoss:
    """The book's last layer: softmax, then cross entropy.

    Attributes
    ----------
    loss, y, t
        Of the last forward: its loss, its probabilities and its classes.

    Examples
    --------
    >>> import numpy as np
    >>> layer = SoftmaxWithLoss()
    >>> round(float(layer.forward(np.zeros((2, 4)), np.array([0, 3]))), 4)
    1.3863
    >>> layer.backward()
    array([[-0.375,  0.125,  0.125,  0.125],
           [ 0.125,  0.125,  0.125, -0.375]])
    """

    def __init__(self) -> None:
        self.loss: Any = None
        self.y: Any = None
        self.t: Any = None

    def forward(self, x: Any, t: Any) -> Any:
        """Return the mean loss of scores x (N, C) and classes t, (N,) or one-hot."""
        self.t = t
        self.y = softmax(x)
        self.loss = cross_entropy_error(self.y, t)
        return self.loss

    def backward(self, dout: Any = 1) -> Any:
        """Return the gradient by the scores. The book ignores `dout`, and so does this."""
        samples = self.t.shape[0]
        if self.t.size == self.y.size:
            return (self.y - self.t) / samples
        dx = self.y.copy()
        dx[np.arange(samples), self.t] -= 1
        dx /= samples
        return dx
