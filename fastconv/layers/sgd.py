"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from fastconv.layers.base import Layer
from fastconv.layers.optimizer import Optimizer, at_least_zero


class SGD(Optimizer):
    """Gradient descent with momentum, as PyTorch defines it.

    Parameters
    ----------
    layer : Layer
        What to train.
    lr : float
        Learning rate.
    momentum : float
        Share of the last step's direction that is kept.
    weight_decay : float
        Multiple of each parameter that is added to its gradient.
    nesterov : bool
        Whether to look one step of momentum ahead.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning",
    ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv.layers import Linear
    >>> layer = Linear(2, 1, seed=0)
    >>> optimizer = SGD(layer, lr=0.1, momentum=0.9)
    >>> x, wanted = np.eye(2, dtype=np.float32), np.ones((2, 1), np.float32)
    >>> for _ in range(200):
    ...     _ = layer.backward(layer(x) - wanted)
    ...     optimizer.step()
    >>> layer(x).round(2).tolist()
    [[1.0], [1.0]]
    """

    state_names: tuple[str, ...] = ("momentum",)

    def __init__(
        self,
        layer: Layer,
        lr: float = 0.001,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(layer, lr)
        at_least_zero("SGD", momentum=momentum, weight_decay=weight_decay)
        if nesterov and momentum == 0:
            raise ValueError("SGD: nesterov: got True with momentum=0, expected a momentum")
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        if momentum == 0:
            self.state_names = ()

    def _change(self, parameter: Any, gradient: Any, state: dict[str, Any]) -> Any:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        if not state:
            return -self.lr * gradient
        velocity = state["momentum"]
        velocity *= self.momentum
        velocity += gradient
        return -self.lr * (gradient + self.momentum * velocity if self.nesterov else velocity)
