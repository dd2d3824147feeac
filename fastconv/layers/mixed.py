"""Training in 16 bits: what of the gradients' scale float16 needs, and how to find it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastconv.dispatch.arrays import namespace
from fastconv.errors import bad_argument
from fastconv.layers.optimizer import Optimizer, at_least_zero

# A net whose gradients are NaN at any scale would halve it to 0.
_LEAST_SCALE = 2.0**-14


class LossScaler:
    """Keeps gradients in float16's range by scaling the loss, as much as they allow.

    Gradients are mostly too small for float16, whose smallest number is 6e-8; a scaled loss scales
    all of them. Where one becomes infinite, the step is left out and the scale halved; after
    `interval` good steps in a row it is doubled. bfloat16 reaches as far as float32: with it, none
    of this is needed, and none of it hurts.

    Parameters
    ----------
    scale : float
        To start from.
    growth, backoff : float
        Factors of the scale after `interval` good steps, and after a bad one.
    interval : int
        Steps without an infinite gradient before the scale grows.

    Raises
    ------
    ValueError
        For numbers that make no sense.

    References
    ----------
    Micikevicius et al., "Mixed precision training", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv.layers import SGD, Linear, LossScaler, SoftmaxCrossEntropy
    >>> net = Linear(4, 2, seed=0).compute_in("float16")
    >>> optimizer, loss, scaler = SGD(net, lr=0.1), SoftmaxCrossEntropy(), LossScaler()
    >>> _ = loss(net(np.ones((3, 4), np.float32)), np.array([0, 1, 1]))
    >>> _ = net.backward(loss.backward(scaler.scale))
    >>> scaler.step(optimizer), net.weight.dtype
    (True, dtype('float32'))
    """

    def __init__(
        self,
        scale: float = 2.0**15,
        *,
        growth: float = 2.0,
        backoff: float = 0.5,
        interval: int = 2000,
    ) -> None:
        at_least_zero("LossScaler", interval=interval)
        for name, value, low, high in (
            ("scale", scale, 0.0, float("inf")),
            ("growth", growth, 1.0, float("inf")),
            ("backoff", backoff, 0.0, 1.0),
        ):
            if not low < value < high:
                raise ValueError(
                    bad_argument(
                        "LossScaler", name, got=value, expected=f"above {low:g} and below {high:g}"
                    )
                )
        self.scale = float(scale)
        self.growth, self.backoff, self.interval = growth, backoff, interval
        self.good_steps = 0

    def step(self, optimizer: Optimizer) -> bool:
        """Step by the gradients less the scale; leave it out if one isn't finite.

        Returns
        -------
        bool
            Whether parameters were changed.

        Raises
        ------
        RuntimeError
            If a parameter has no gradient.
        """
        gradients = [g for g in optimizer.layer.gradients().values() if g is not None]
        if not all(bool(namespace(g).isfinite(g).all()) for g in gradients):
            self.scale = max(self.scale * self.backoff, _LEAST_SCALE)
            self.good_steps = 0
            return False
        optimizer.step(self.scale)
        self.good_steps += 1
        if self.good_steps >= self.interval:
            self.scale *= self.growth
            self.good_steps = 0
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the scale and the number of good steps."""
        return {"scale": self.scale, "good_steps": self.good_steps}

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; ValueError for other keys."""
        where = "LossScaler.load_state_dict"
        if set(values) != {"scale", "good_steps"}:
            raise ValueError(
                bad_argument(where, "keys", got=sorted(values), expected="good_steps, scale")
            )
        self.scale, self.good_steps = float(values["scale"]), int(values["good_steps"])
