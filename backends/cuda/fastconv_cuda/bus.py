"""How long arrays take to the device and back: timed once on a machine, then remembered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

_TRIAL = 32 * 2**20
_TRIALS = 3


@dataclass(frozen=True, slots=True)
class Bus:
    """Bytes a second to the device and from it, and what a copy costs beside its bytes."""

    up: float
    down: float
    latency: float = 20e-6

    def seconds(self, given: int, taken: int, copies: int) -> float:
        """Return how long so many bytes there and back take, in so many copies.

        Examples
        --------
        >>> Bus(1e9, 2e9, 1e-3).seconds(10**9, 10**9, 3)
        1.503
        """
        return given / self.up + taken / self.down + copies * self.latency


def timed(upload: Callable[[], object], download: Callable[[], object], size: int) -> Bus:
    """Time both ways with arrays of so many bytes; the best of a few counts."""
    return Bus(size / _best(upload), size / _best(download))


def _best(work: Callable[[], object]) -> float:
    work()  # memory is mapped, and the device woken
    found = []
    for _ in range(_TRIALS):
        start = perf_counter()
        work()
        found.append(perf_counter() - start)
    return max(min(found), 1e-9)


def remembered(path: Path, measure: Callable[[int], Bus]) -> Bus:
    """Return what a file says, or measure and write it down."""
    try:
        return Bus(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        bus = measure(_TRIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(bus)), encoding="utf-8")
    except OSError:
        # A folder that can't be written to costs the next process a few milliseconds.
        pass
    return bus
