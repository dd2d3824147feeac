"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.dispatch.arrays import namespace, take
from fastconv.errors import bad_argument
from fastconv.layers.base import Layer
from fastconv.layers.options import generator


class Dropout(Layer):
    """In training, zero each element with probability `p` and scale the others by 1 / (1 - p).

    Masks are drawn by NumPy whatever the array's library, so that one seed gives the same
    masks everywhere; only the mask, a byte per element, goes to the array's device.

    Parameters
    ----------
    p : float
        Probability of a zero, from 0 to 1.
    seed, rng : int or numpy.random.Generator, optional
        Where the masks are drawn from.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    JMLR 15, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dropout(0.5, seed=0)
    >>> layer(np.ones(8))
    array([2., 0., 0., 0., 2., 2., 2., 2.])
    >>> layer.eval()(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(
        self,
        p: float = 0.5,
        *,
        seed: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(bad_argument("Dropout", "p", got=p, expected="0 to 1"))
        self.p = float(p)
        self.rng = generator("Dropout", seed, rng)

    def forward(self, x: Any) -> Any:
        """Return `x` with elements dropped; in evaluation mode `x` itself."""
        x = take("Dropout", "x", x)
        if not self.training:
            self._keep()
            return x
        kept = namespace(x).asarray(self.rng.random(x.shape) >= self.p)
        self._keep(kept)
        return self._scaled(x, kept)

    def backward(self, grad: Any) -> Any:
        """Return the gradient by `x`, dropped and scaled alike."""
        with self._kept() as (kept,):
            return self._scaled(self._checked_gradient(grad, kept.shape, kept), kept)

    def _scaled(self, x: Any, kept: Any) -> Any:
        # where, not a product: a dropped infinity is 0, not NaN.
        scale = 1 / (1 - self.p) if self.p < 1 else 1.0
        return namespace(x).where(kept, x * scale, 0)
