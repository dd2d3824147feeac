"""Time a candidate on a call's own arrays."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from fastconv.backend import Decision
from fastconv.dispatch.call import Consideration

# Runs of a candidate, fewer where they would take long in all.
_MOST_RUNS = 7
_LONG = 0.5
# Predicted to take longer, it isn't run at all.
_TOO_LONG = 10.0


def seconds_of(call: Consideration, decision: Decision) -> float | None:
    """Return a candidate's median time for a call, into a new array; None if it isn't run."""
    if not decision.can or decision.seconds > _TOO_LONG:
        return None
    ready = call.ready(decision)
    out = None if call.out is None else twin(call.out)
    times: list[float] = []
    ready.run(call.operands, out)  # pays for memory and for what is loaded on first use
    while len(times) < _MOST_RUNS and sum(times) < _LONG:
        started = perf_counter()
        ready.run(call.operands, out)
        times.append(perf_counter() - started)
    return median(times)


def twin(array: Any) -> Any:
    """Return a new array of the same shape, dtype and strides, where NumPy can make one."""
    if not isinstance(array, np.ndarray):
        return array.copy()
    reach = [(n - 1) * s for n, s in zip(array.shape, array.strides, strict=True) if array.size]
    size = sum(map(abs, reach)) + array.itemsize
    start = -sum(r for r in reach if r < 0)
    return np.ndarray(array.shape, array.dtype, np.empty(size, np.uint8), start, array.strides)
