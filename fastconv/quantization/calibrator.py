"""Choosing a scale and a zero point: by the extremes, by a percentile, or by the least error."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastconv.dispatch.arrays import take
from fastconv.errors import bad_argument
from fastconv.quantization.histogram import Histogram

METHODS = ("minmax", "percentile", "mse")
# Shares of the whole range among which the one of least error is sought.
_SHARES = np.linspace(0.1, 1.0, 91)


class Quantization(NamedTuple):
    """What :func:`fastconv.quantize` takes after its array."""

    scale: Any
    zero_point: Any


class Calibrator:
    """Finds the range of values that integers should cover, from sample batches.

    Parameters
    ----------
    method : {"minmax", "percentile", "mse"}, optional
        The range is that of all values; from a percentile's counterpart at the low end to it; or
        the share of the whole whose rounding and saturation err least, in the mean square.
    dtype : {"int8", "uint8"}, optional
        Of the integers.
    symmetric : bool, optional
        Whether 0 becomes integer 0 (128 for uint8) and the range is as wide on both sides: for
        weights, as it makes products cheaper. With it, int8 goes from -127 on.
    axis : int, optional
        Along which each place gets a range of its own: 0 for a weight's output channels.
    percentile : float, optional
        For that method, 50 to 100.

    Raises
    ------
    ValueError
        For other names or numbers.

    Notes
    -----
    The last two methods count values in 2048 bins, so that any number of batches takes the memory
    of one.

    Examples
    --------
    >>> import fastconv, numpy as np
    >>> from fastconv.quantization import Calibrator
    >>> calibrator = Calibrator(symmetric=True)
    >>> for batch in ([0.5, -2.54], [1.0]):
    ...     calibrator.observe(batch)
    >>> found = calibrator.result()
    >>> fastconv.quantize(np.float32([-2.54, 1.0]), *found)
    array([-127,   50], dtype=int8)
    """

    def __init__(
        self,
        method: str = "minmax",
        *,
        dtype: str = "int8",
        symmetric: bool = False,
        axis: int | None = None,
        percentile: float = 99.99,
    ) -> None:
        name = "Calibrator"
        if method not in METHODS:
            raise ValueError(
                bad_argument(
                    name, "method", got=repr(method), expected="one of " + ", ".join(METHODS)
                )
            )
        if dtype not in ("int8", "uint8"):
            raise ValueError(bad_argument(name, "dtype", got=repr(dtype), expected="int8 or uint8"))
        if not 50 < percentile <= 100:
            raise ValueError(
                bad_argument(name, "percentile", got=percentile, expected="above 50, at most 100")
            )
        self._method, self._symmetric, self._axis = method, symmetric, axis
        self._percentile = percentile
        info = np.iinfo(dtype)
        self._ends = int(info.min) + (symmetric and dtype == "int8"), int(info.max)
        self._seen: Histogram | None = None

    def observe(self, batch: Any) -> None:
        """Take a batch of samples into account.

        Parameters
        ----------
        batch : array of float, any shape
            With an axis, the same extent along it in every batch.

        Raises
        ------
        ValueError
            For NaN and infinite values, which no scale suits, or another extent.
        TypeError
            If it isn't floating.
        """
        values = np.asarray(take("Calibrator.observe", "batch", batch))
        if values.dtype.kind != "f":
            raise TypeError(
                bad_argument(
                    "Calibrator.observe",
                    "batch",
                    got=f"dtype {values.dtype}",
                    expected="a floating one",
                )
            )
        rows = self._rows(values.astype(np.float64, copy=False))
        if not np.isfinite(rows).all():
            raise ValueError(
                bad_argument(
                    "Calibrator.observe", "batch", got="NaN or inf", expected="finite numbers"
                )
            )
        if self._seen is None:
            self._seen = Histogram(len(rows))
        elif len(rows) != len(self._seen.low):
            raise ValueError(
                bad_argument(
                    "Calibrator.observe",
                    "batch",
                    got=f"{len(rows)} places along axis {self._axis}",
                    expected=f"{len(self._seen.low)}, as before",
                )
            )
        self._seen.add(rows)

    def _rows(self, values: Any) -> Any:
        if self._axis is None:
            return values.reshape(1, -1)
        if not -values.ndim <= self._axis < values.ndim:
            raise ValueError(
                bad_argument(
                    "Calibrator.observe",
                    "batch",
                    got=f"shape {values.shape}",
                    expected=f"one with axis {self._axis}",
                )
            )
        moved = np.moveaxis(values, self._axis, 0)
        return moved.reshape(len(moved), -1)

    def result(self) -> Quantization:
        """Return the scale and zero point for what was observed.

        Returns
        -------
        Quantization
            (scale, zero_point): arrays of float32 and int32, without axes or one for each place.

        Raises
        ------
        ValueError
            If nothing was observed.
        """
        if self._seen is None or not self._seen.counts.any():
            raise ValueError("Calibrator.result: got no samples, expected observe() before")
        low, high = self._range(self._seen)
        scale, zero = self._cover(low, high)
        if self._axis is None:
            return Quantization(scale[0], zero[0])
        return Quantization(scale, zero)

    def _range(self, seen: Histogram) -> tuple[Any, Any]:
        if self._method == "minmax":
            return seen.low, seen.high
        if self._method == "percentile":
            return _percentiles(seen, self._percentile / 100)
        return self._least_error(seen)

    def _cover(self, low: Any, high: Any) -> tuple[Any, Any]:
        """Return scales and zero points for ranges, which always hold 0."""
        first, last = self._ends
        if self._symmetric:
            reach = np.maximum(np.abs(low), np.abs(high))
            half = (last - first) // 2
            scale = _positive(reach / half)
            return scale, np.full(scale.shape, last - half, np.int32)
        low, high = np.minimum(low, 0), np.maximum(high, 0)
        scale = _positive((high - low) / (last - first))
        zero = np.clip(np.rint(first - low / scale), first, last)
        return scale, zero.astype(np.int32)

    def _least_error(self, seen: Histogram) -> tuple[Any, Any]:
        centres, best = seen.centres, np.full(len(seen.low), np.inf)
        low, high = seen.low.copy(), seen.high.copy()
        for share in _SHARES:
            scale, zero = (
                part[:, None] for part in self._cover(seen.low * share, seen.high * share)
            )
            steps = np.clip(np.rint(centres / scale) + zero, *self._ends)
            error = (seen.counts * (centres - (steps - zero) * scale) ** 2).sum(axis=1)
            better = error < best
            best = np.where(better, error, best)
            low = np.where(better, seen.low * share, low)
            high = np.where(better, seen.high * share, high)
        return low, high


def _percentiles(seen: Histogram, share: float) -> tuple[Any, Any]:
    """Return the ends between which a share of the values lies, the rest outside at either end."""
    edges, part = seen.edges, np.cumsum(seen.counts, axis=1)
    part /= part[:, -1:]
    first = np.argmax(part > 1 - share, axis=1)
    last = np.argmax(part >= share - 1e-12, axis=1) + 1
    rows = np.arange(len(edges))
    return edges[rows, first], edges[rows, last]


def _positive(scale: Any) -> Any:
    """Return float32 scales; of a range that is 0 alone, one that keeps it."""
    found = scale.astype(np.float32)
    return np.where(found > 0, found, np.float32(1))
