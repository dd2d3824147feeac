"""Batch normalisation."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

import numpy as np

from fastconv.dispatch.arrays import namespace, take
from fastconv.errors import bad_argument
from fastconv.functional.parameters import whole
from fastconv.layers.arrays import require_real, require_same_library, widened
from fastconv.layers.base import Layer
from fastconv.layers.options import LayoutOption, channels_last, float_dtype


class _BatchNorm(Layer):
    parameter_names = ("weight", "bias")
    buffer_names = ("running_mean", "running_var", "num_batches_tracked")
    _axes: ClassVar[int]
    _ranks: ClassVar[tuple[int, ...]]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: Any = "float32",
        **options: Unpack[LayoutOption],
    ) -> None:
        name = type(self).__name__
        size = whole(name, "num_features", num_features, 1)
        kind = float_dtype(name, dtype)
        if kind.kind == "c":
            raise TypeError(bad_argument(name, "dtype", got=kind, expected="a real dtype"))
        super().__init__({"layout": options.get("layout")})
        self._channels_last = channels_last(name, self.options, self._axes)
        self.num_features = size
        self.eps = eps
        self.momentum = momentum
        self.weight = np.ones(size, kind) if affine else None
        self.bias = np.zeros(size, kind) if affine else None
        self.running_mean = np.zeros(size, kind) if track_running_stats else None
        self.running_var = np.ones(size, kind) if track_running_stats else None
        self.num_batches_tracked = np.zeros((), np.int64) if track_running_stats else None

    def forward(self, x: Any) -> Any:
        """Return `x` normalised: by its own statistics in training, else by the running ones."""
        x = self._checked(x)
        xp = namespace(x)
        own = (self.weight, self.bias, self.running_mean, self.running_var)
        arrays = [x, *(array for array in own if array is not None)]
        wide = x.astype(widened(xp, *arrays), copy=False)
        if self.training or self.running_mean is None:
            axes = self._reduced(x.ndim)
            mean = wide.mean(axis=axes)
            centred = wide - self._spread(mean, x.ndim)
            var = (centred * centred).mean(axis=axes)
        else:
            mean, var = self.running_mean, self.running_var
            centred = wide - self._spread(mean, x.ndim)
        scale = 1 / xp.sqrt(var.astype(wide.dtype, copy=False) + self.eps)
        normal = centred * self._spread(scale, x.ndim)
        y = normal
        if self.weight is not None:
            y = normal * self._spread(self.weight, x.ndim) + self._spread(self.bias, x.ndim)
        if self.training and self.running_mean is not None:
            self._track(mean, var, x.size // self.num_features)
        dtype = self.compute_dtype or xp.result_type(*(array.dtype for array in arrays))
        self._keep(normal, scale, dtype)
        return y.astype(dtype, copy=y is normal)

    def backward(self, grad: Any) -> Any:
        """Return the gradient by `x`; store those of weight and bias."""
        with self._kept() as (normal, scale, dtype):
            grad = self._checked_gradient(grad, normal.shape, normal).astype(normal.dtype)
            ndim, axes = grad.ndim, self._reduced(grad.ndim)
            by_bias, by_weight = grad.sum(axis=axes), (grad * normal).sum(axis=axes)
            count = normal.size // self.num_features
            grad -= self._spread(by_bias, ndim) / count
            grad -= normal * self._spread(by_weight, ndim) / count
            if self.weight is not None:
                scale = scale * self.weight
                self._gradients = {
                    "weight": by_weight.astype(self.weight.dtype, copy=False),
                    "bias": by_bias.astype(self.weight.dtype, copy=False),
                }
            grad *= self._spread(scale, ndim)
            return grad.astype(dtype, copy=False)

    def _checked(self, x: Any) -> Any:
        name = type(self).__name__
        x = take(name, "x", x)
        require_real(name, "x", x)
        if self.weight is not None or self.running_mean is not None:
            own = self.running_mean if self.weight is None else self.weight
            require_same_library(name, "x", x, own)
        if x.ndim not in self._ranks or x.shape[self._channel_axis(x.ndim)] != self.num_features:
            axes = " or ".join(str(rank) for rank in self._ranks)
            where = "last" if self._channels_last else "1"
            raise ValueError(
                bad_argument(
                    name,
                    "x",
                    got=f"shape {x.shape}",
                    expected=f"{axes} axes with {self.num_features} channels on axis {where}",
                )
            )
        if self.training and x.size <= self.num_features:
            raise ValueError(
                bad_argument(
                    name,
                    "x",
                    got=f"shape {x.shape}, one value per channel or none",
                    expected="more, to have a variance",
                    hint="Call eval() to normalise by the running statistics",
                )
            )
        return x

    def _channel_axis(self, ndim: int) -> int:
        return ndim - 1 if self._channels_last else 1

    def _reduced(self, ndim: int) -> tuple[int, ...]:
        return tuple(axis for axis in range(ndim) if axis != self._channel_axis(ndim))

    def _spread(self, values: Any, ndim: int) -> Any:
        """Return per-channel values with the axes that they are broadcast along."""
        shape = [1] * ndim
        shape[self._channel_axis(ndim)] = self.num_features
        return values.reshape(shape)

    def _track(self, mean: Any, var: Any, count: int) -> None:
        # PyTorch's: the new value has the weight `momentum`, and the variance is unbiased.
        tracked: Any = self.num_batches_tracked
        tracked += 1
        weight = 1 / int(tracked) if self.momentum is None else self.momentum
        for running, new in (
            (self.running_mean, mean),
            (self.running_var, var * (count / (count - 1))),
        ):
            assert running is not None
            running[...] = running * (1 - weight) + new * weight


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see `BatchNorm2d`."""

    _axes, _ranks = 1, (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise each channel of (N, C, H, W) to mean 0 and variance 1, then scale and shift.

    Parameters
    ----------
    num_features : int
        Number of channels.
    eps : float
        Added to the variance before its root.
    momentum : float or None
        Weight of a new batch in the running statistics; None averages all batches alike.
    affine : bool
        Whether to learn a scale (`weight`) and a shift (`bias`) per channel.
    track_running_stats : bool
        Whether to keep the statistics that evaluation mode uses; without, it uses the batch's.
    dtype : dtype
        Of the parameters and the statistics.
    layout : str, optional
        "NHWC" for channels last.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> layer = BatchNorm2d(3)
    >>> y = layer(np.random.default_rng(0).normal(5, 2, (8, 3, 4, 4)).astype(np.float32))
    >>> bool(abs(y.mean()) < 1e-5), round(float(y.std()), 3)
    (True, 1.0)
    """

    _axes, _ranks = 2, (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W); see `BatchNorm2d`."""

    _axes, _ranks = 3, (5,)
