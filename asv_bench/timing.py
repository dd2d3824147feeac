"""Times that can be compared: contenders take turns, so that a busy moment hits all alike."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping

Call = Callable[[], object]

# A block shorter than this says more about the clock than about the call.
LEAST_BLOCK = 0.004
MOST_REPEATS = 2000
# OpenMP's threads spin for some 8 ms after a call, on the next contender's cores. Waiting
# awake, and warming up for longer than a moment, matters too: a thread that sleeps between calls
# may wake up on its caller's core, and stays there until the system balances the two.
PAUSE = 0.015
WARM_UP = 0.002
LEAST_ROUNDS = 3


def interleaved(
    calls: Mapping[str, Call], rounds: int, seconds: float = math.inf
) -> dict[str, list[float]]:
    """Time calls in rounds of one block each.

    Parameters
    ----------
    calls : mapping
        What to time, by name. Results are dropped as they come, as plain calls do.
    rounds : int
        How many blocks of each.
    seconds : float, optional
        Fewer rounds, but no fewer than three, where all of them would take longer.

    Returns
    -------
    dict
        For each name, seconds of a call in each round.
    """
    names = list(calls)
    repeats = {name: _repeats(call) for name, call in calls.items()}
    found: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.disable()
    try:
        started = time.perf_counter()
        for number in range(rounds):
            # Another order each time: nobody always follows the same neighbour.
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                found[name].append(_block(calls[name], repeats[name]))
            so_far = time.perf_counter() - started
            if number + 1 >= LEAST_ROUNDS and so_far * (number + 2) / (number + 1) > seconds:
                break
    finally:
        if collecting:
            gc.enable()
    return found


def _repeats(call: Call) -> int:
    """Return how many calls fill a block."""
    call()
    started = time.perf_counter()
    call()
    once = time.perf_counter() - started
    if once < LEAST_BLOCK / 20:
        started = time.perf_counter()
        for _ in range(20):
            call()
        once = (time.perf_counter() - started) / 20
    return max(1, min(MOST_REPEATS, math.ceil(LEAST_BLOCK / once)))


def _block(call: Call, repeats: int) -> float:
    _wait_awake(PAUSE)
    warm = time.perf_counter() + WARM_UP
    call()
    while time.perf_counter() < warm:
        call()
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def _wait_awake(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
