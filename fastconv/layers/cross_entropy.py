"""The loss of classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.dispatch.arrays import namespace, take
from fastconv.errors import bad_argument
from fastconv.layers.arrays import require_real, require_same_library, widened


class SoftmaxCrossEntropy:
    """Mean of -log(softmax(logits)) at the target classes.

    Examples
    --------
    >>> import numpy as np
    >>> loss = SoftmaxCrossEntropy()
    >>> round(loss(np.zeros((4, 10)), np.array([0, 1, 2, 3])), 4)
    2.3026
    >>> loss.backward().shape
    (4, 10)
    """

    def __init__(self) -> None:
        self._context: tuple[Any, ...] | None = None

    def __call__(self, logits: Any, target: Any) -> float:
        """Call `forward`."""
        return self.forward(logits, target)

    def forward(self, logits: Any, target: Any) -> float:
        """Return the loss, a Python float.

        Parameters
        ----------
        logits : array (N, C)
            Scores of C classes, before softmax.
        target : array (N,) of ints, or (N, C)
            Class numbers; or a one-hot or any other weight per class.

        Raises
        ------
        ValueError
            For shapes that don't fit, no samples, or class numbers out of range.
        TypeError
            For class numbers that aren't ints, or arrays of two libraries.
        """
        logits = take("SoftmaxCrossEntropy", "logits", logits)
        require_real("SoftmaxCrossEntropy", "logits", logits)
        xp = namespace(logits)
        if logits.ndim != 2 or 0 in logits.shape:
            raise ValueError(
                bad_argument(
                    "SoftmaxCrossEntropy",
                    "logits",
                    got=f"shape {logits.shape}",
                    expected="(samples, classes), one or more of both",
                )
            )
        dtype = widened(xp, logits)
        weights = _weights(logits, take("SoftmaxCrossEntropy", "target", target), dtype)
        shifted = logits.astype(dtype) - logits.max(axis=1, keepdims=True)
        exponents = xp.exp(shifted)
        total = exponents.sum(axis=1, keepdims=True)
        self._context = (exponents / total, weights, logits.dtype)
        # where: a class of weight 0 and probability 0 adds 0, not 0 * -inf.
        surprise = xp.where(weights != 0, xp.log(total) - shifted, 0)
        return float((weights * surprise).sum() / logits.shape[0])

    def backward(self, scale: float = 1.0) -> Any:
        """Return the gradient of the last `forward`'s loss by its logits.

        Parameters
        ----------
        scale : float
            What to multiply the loss by first; see :class:`LossScaler`.

        Raises
        ------
        RuntimeError
            If no `forward` came before, or its `backward` has run.
        """
        if self._context is None:
            raise RuntimeError(
                "SoftmaxCrossEntropy.backward: nothing to differentiate. Call forward(logits, "
                "target) first, then backward() once"
            )
        probabilities, weights, dtype = self._context
        self._context = None
        grad = probabilities * weights.sum(axis=1, keepdims=True) - weights
        grad *= scale
        grad /= grad.shape[0]
        with np.errstate(over="ignore"):  # of a scale that is too large for float16
            return grad.astype(dtype if dtype.kind not in "iu" else grad.dtype, copy=False)


def _weights(logits: Any, target: Any, dtype: Any) -> Any:
    """Return the target as one weight per sample and class."""
    name, xp = "SoftmaxCrossEntropy", namespace(logits)
    require_same_library(name, "target", target, logits)
    if target.shape == logits.shape:
        require_real(name, "target", target)
        return target.astype(dtype)
    samples, classes = logits.shape
    if target.shape != (samples,):
        raise ValueError(
            bad_argument(
                name,
                "target",
                got=f"shape {target.shape}",
                expected=f"({samples},) class numbers or {logits.shape} weights",
            )
        )
    if target.dtype.kind not in "iu":
        raise TypeError(
            bad_argument(
                name,
                "target",
                got=f"dtype {target.dtype}",
                expected="integer class numbers",
                hint="Cast them: target.astype(int)",
            )
        )
    lowest, highest = int(target.min()), int(target.max())
    if lowest < 0 or highest >= classes:
        raise ValueError(
            bad_argument(
                name,
                "target",
                got=f"class numbers from {lowest} to {highest}",
                expected=f"0 to {classes - 1}",
            )
        )
    return (target[:, None] == xp.arange(classes)).astype(dtype)
