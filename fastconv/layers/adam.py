"""Adam and AdamW."""

from __future__ import annotations

from math import sqrt
from typing import Any

from fastconv.dispatch.arrays import namespace
from fastconv.errors import bad_argument
from fastconv.layers.arrays import require_real
from fastconv.layers.base import Layer
from fastconv.layers.optimizer import Optimizer, at_least_zero


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    Parameters
    ----------
    layer : Layer
        What to train; its parameters must be real.
    lr : float
        Learning rate.
    betas : pair of float
        Shares of the old running means that are kept, from 0 to below 1.
    eps : float
        Added to the root of the squares' mean.
    weight_decay : float
        Multiple of each parameter that is added to its gradient.
    decoupled_weight_decay : bool
        Shrink the parameter by ``lr * weight_decay`` instead: that is AdamW.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv.layers import Linear
    >>> layer = Linear(2, 1, seed=0)
    >>> optimizer = Adam(layer, lr=0.05)
    >>> x, wanted = np.eye(2, dtype=np.float32), np.ones((2, 1), np.float32)
    >>> for _ in range(300):
    ...     _ = layer.backward(layer(x) - wanted)
    ...     optimizer.step()
    >>> layer(x).round(2).tolist()
    [[1.0], [1.0]]
    """

    state_names = ("mean", "square")

    def __init__(
        self,
        layer: Layer,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(layer, lr)
        at_least_zero("Adam", eps=eps, weight_decay=weight_decay)
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(
                bad_argument("Adam", "betas", got=betas, expected="two numbers in [0, 1)")
            )
        for name, parameter in layer.parameters().items():
            require_real("Adam", name, parameter)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.decoupled_weight_decay = decoupled_weight_decay

    def _change(self, parameter: Any, gradient: Any, state: dict[str, Any]) -> Any:
        xp = namespace(parameter)
        if self.weight_decay and not self.decoupled_weight_decay:
            gradient = gradient + self.weight_decay * parameter
        first, second = self.betas
        mean, square = state["mean"], state["square"]
        mean *= first
        mean += (1 - first) * gradient
        square *= second
        square += (1 - second) * gradient * gradient
        # Both means start from 0; dividing by what they could have gathered unbiases them.
        root = xp.sqrt(square) / sqrt(1 - second**self.steps) + self.eps
        change = -self.lr / (1 - first**self.steps) * mean / root
        if self.decoupled_weight_decay:
            change -= self.lr * self.weight_decay * parameter
        return change
