"""What counts: whose time is divided by whose, and the goals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from asv_bench.cases import Pass
from asv_bench.names import ONNX, OWN, PREPARED, TORCH


@dataclass(frozen=True)
class Measurement:
    """Median seconds of a call, by contender, and the work that it did."""

    layer: str
    which: Pass
    seconds: Mapping[str, float]
    flops: int
    bytes: int
    rounds: int


@dataclass(frozen=True)
class Comparison:
    """The duel that counts: the rival that fastconv is slowest against. Above 1, it wins."""

    own: str
    rival: str
    ratio: float


def compare(measurement: Measurement) -> Comparison | None:
    """Return the duel that counts, or None where nobody contended.

    PyTorch, in whichever layout is faster, meets fastconv with plain weights. ONNX Runtime packs
    its weights beforehand, so it meets fastconv with prepared ones, where there are weights.
    """
    seconds = measurement.seconds
    duels = []
    rivals = [name for name in TORCH if name in seconds]
    if rivals:
        duels.append((OWN, min(rivals, key=seconds.__getitem__)))
    if ONNX in seconds:
        duels.append((PREPARED if PREPARED in seconds else OWN, ONNX))
    found = [Comparison(own, rival, seconds[rival] / seconds[own]) for own, rival in duels]
    return min(found, key=lambda comparison: comparison.ratio, default=None)


def geomean(ratios: Iterable[float]) -> float:
    """Return the geometric mean, NaN of none."""
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


@dataclass(frozen=True)
class Goal:
    """Ratios to reach: for the geometric mean of all layers, and for the slowest of them."""

    geomean: float
    geomean_least: float
    slowest: float | None = None
    slowest_least: float | None = None


def goal_of(which: Pass, dtype: str, isa: str | None) -> Goal:
    """Return what is to be reached in a pass."""
    if dtype != "float32" or isa:
        return Goal(1.3, 1.0)
    if which == "forward":
        return Goal(1.7, 1.4, 1.0, 0.9)
    return Goal(2.2, 1.6, 1.0, 0.9)


@dataclass(frozen=True)
class Roofline:
    """What the machine reached when measured: operations and bytes a second, by all threads."""

    flops: float | None
    bandwidth: float

    def share(self, measurement: Measurement, seconds: float) -> float | None:
        """Return how much of the attainable rate a time comes to.

        It may exceed 1: arrays that stay in the caches are faster than memory, and algorithms
        that save multiplications do more than the direct one, whose operations are counted.
        """
        if self.flops is None:
            return None
        least = max(measurement.flops / self.flops, measurement.bytes / self.bandwidth)
        return least / seconds
