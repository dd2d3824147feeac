"""``common.layers``: Relu, Sigmoid, Dropout and BatchNormalization."""

from __future__ import annotations

from typing import Any

import numpy as np

# The book writes 10e-7, which is 1e-6; parameters saved with it depend on it.
_EPSILON = 1e-6


class Relu:
    """The book's ReLU. Unlike the book's, backward leaves the gradient it is given alone.

    Attributes
    ----------
    mask : bool array or None
        Where the last input was 0 or less.

    Examples
    --------
    >>> import numpy as np
    >>> Relu().forward(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __init__(self) -> None:
        self.mask: Any = None

    def forward(self, x: Any) -> Any:
        """Return x, with 0 where it is negative."""
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout: Any) -> Any:
        """Return dout, with 0 where x was 0 or less."""
        return np.where(self.mask, 0, dout)


class Sigmoid:
    """The book's sigmoid, without overflow.

    Attributes
    ----------
    out : array or None
        The last output.

    Examples
    --------
    >>> import numpy as np
    >>> Sigmoid().forward(np.array([-1000.0, 0.0]))
    array([0. , 0.5])
    """

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Any) -> Any:
        """Return 1 / (1 + exp(-x))."""
        decay = np.exp(-np.abs(x))
        self.out = np.where(np.asarray(x) >= 0, 1 / (1 + decay), decay / (1 + decay))
        return self.out

    def backward(self, dout: Any) -> Any:
        """Return dout times the sigmoid's derivative."""
        return dout * (1.0 - self.out) * self.out


class Dropout:
    """The book's dropout: it scales by 1 - ratio when testing, not when training.

    Masks come from NumPy's global generator, so ``numpy.random.seed`` repeats the book's.

    Attributes
    ----------
    mask : bool array or None
        Which elements the last training forward kept.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.25).forward(np.ones(2), train_flg=False)
    array([0.75, 0.75])
    """

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.dropout_ratio = dropout_ratio
        self.mask: Any = None

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        """Return x with elements dropped, or scaled when testing."""
        if not train_flg:
            return x * (1.0 - self.dropout_ratio)
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio
        return x * self.mask

    def backward(self, dout: Any) -> Any:
        """Return dout with the same elements dropped."""
        return dout * self.mask


class BatchNormalization:
    """The book's batch normalisation, with statistics per element (per C, H and W).

    Parameters
    ----------
    gamma, beta : array (D,) or number
        Scale and shift; D is C * H * W for images.
    momentum : float
        Share of the old running statistics that is kept.
    running_mean, running_var : array (D,), optional
        Statistics for testing.

    Attributes
    ----------
    dgamma, dbeta : array (D,) or None
        Gradients of the last backward.
    input_shape, batch_size, xc, xn, std
        Of the last forward: shapes, deviations from the mean, those over the standard
        deviation, and the standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> layer = BatchNormalization(np.ones(1), np.zeros(1))
    >>> layer.forward(np.array([[1.0], [3.0]])).round(3)
    array([[-1.],
           [ 1.]])
    """

    def __init__(
        self,
        gamma: Any,
        beta: Any,
        momentum: float = 0.9,
        running_mean: Any = None,
        running_var: Any = None,
    ) -> None:
        self.gamma = gamma
        self.beta = beta
        self.momentum = momentum
        self.running_mean = running_mean
        self.running_var = running_var
        self.input_shape: Any = None
        self.batch_size: Any = None
        self.xc: Any = None
        self.xn: Any = None
        self.std: Any = None
        self.dgamma: Any = None
        self.dbeta: Any = None

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        """Return x (N, D) or (N, C, H, W) normalised."""
        self.input_shape = x.shape
        rows = x.reshape(len(x), -1)
        if self.running_mean is None:
            self.running_mean = np.zeros(rows.shape[1])
            self.running_var = np.zeros(rows.shape[1])
        if train_flg:
            normal = self._train(rows)
        else:
            normal = (rows - self.running_mean) / np.sqrt(self.running_var + _EPSILON)
        return (self.gamma * normal + self.beta).reshape(x.shape)

    def _train(self, rows: Any) -> Any:
        mean = rows.mean(axis=0)
        self.xc = rows - mean
        var = np.mean(self.xc**2, axis=0)
        self.std = np.sqrt(var + _EPSILON)
        self.xn = self.xc / self.std
        self.batch_size = len(rows)
        keep, take = self.momentum, 1 - self.momentum
        self.running_mean = keep * self.running_mean + take * mean
        self.running_var = keep * self.running_var + take * var
        return self.xn

    def backward(self, dout: Any) -> Any:
        """Return the gradient by x; set dgamma and dbeta."""
        rows = dout.reshape(len(dout), -1)
        self.dbeta = rows.sum(axis=0)
        self.dgamma = (self.xn * rows).sum(axis=0)
        by_normal = self.gamma * rows
        centred = by_normal - by_normal.mean(axis=0)
        dx = (centred - self.xn * (by_normal * self.xn).mean(axis=0)) / self.std
        return dx.reshape(self.input_shape)
