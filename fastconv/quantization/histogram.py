"""A running histogram for each channel, whose range grows with what is added."""

from __future__ import annotations

from typing import Any

import numpy as np

BINS = 2048


class Histogram:
    """Counts of values by channel, in equal bins over the range seen so far.

    Parameters
    ----------
    channels : int
        Rows that are counted apart.
    """

    def __init__(self, channels: int) -> None:
        self.counts = np.zeros((channels, BINS))
        self.low = np.full(channels, np.inf)
        self.high = np.full(channels, -np.inf)

    @property
    def edges(self) -> Any:
        """Edges of the bins, shape (channels, BINS + 1)."""
        steps = np.arange(BINS + 1) / BINS
        return self.low[:, None] + (self.high - self.low)[:, None] * steps

    @property
    def centres(self) -> Any:
        """Middles of the bins, shape (channels, BINS)."""
        edges = self.edges
        return (edges[:, 1:] + edges[:, :-1]) / 2

    def add(self, rows: Any) -> None:
        """Count rows of finite values, shape (channels, any)."""
        if not rows.shape[1]:
            return
        self._widen(rows.min(axis=1), rows.max(axis=1))
        for row, counts, low, high in zip(rows, self.counts, self.low, self.high, strict=True):
            counts += np.histogram(row, BINS, (low, high))[0] if high > low else 0
            counts[0] += len(row) if high == low else 0

    def _widen(self, low: Any, high: Any) -> None:
        """Move the counts into the bins of a wider range: by their middles, so about right."""
        centres = self.centres if self.counts.any() else None
        old, wide = self.counts, (np.minimum(self.low, low), np.maximum(self.high, high))
        if centres is not None and (wide[0] < self.low).any() | (wide[1] > self.high).any():
            span = np.maximum(wide[1] - wide[0], np.finfo(np.float64).tiny)
            place = ((centres - wide[0][:, None]) / span[:, None] * BINS).astype(int)
            self.counts = np.zeros_like(old)
            for counts, where, before in zip(
                self.counts, np.clip(place, 0, BINS - 1), old, strict=True
            ):
                np.add.at(counts, where, before)
        self.low, self.high = wide
