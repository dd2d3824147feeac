"""What this machine reaches at best with so many threads, measured: the roofline."""

from __future__ import annotations

import time

from asv_bench.options import Configuration
from asv_bench.rules import Roofline
from fastconv import machine
from fastconv.cpu.isa import core

# Long enough that waking threads doesn't count, short enough for a scheduler's turn.
_BLOCK = 0.01
_BLOCKS = 20


def measured(configuration: Configuration) -> Roofline:
    """Return both figures for a configuration's threads."""
    bandwidth = machine.measure_bandwidth(0.3, threads=configuration.threads)
    return Roofline(peak(configuration.dtype, configuration.threads), bandwidth)


def peak(dtype: str, threads: int) -> float | None:
    """Return the most multiply-adds in registers a second, times two; None without the core."""
    if core is None:
        return None
    steps = 1000
    while _seconds(dtype, steps, threads)[0] < _BLOCK:
        steps *= 2
    rates = []
    for _ in range(_BLOCKS):
        seconds, operations = _seconds(dtype, steps, threads)
        rates.append(operations / seconds)
    return max(rates)  # whatever else runs only slows it down


def _seconds(dtype: str, steps: int, threads: int) -> tuple[float, float]:
    assert core is not None
    started = time.perf_counter()
    operations = core.peak(dtype, steps, threads)
    return time.perf_counter() - started, operations
