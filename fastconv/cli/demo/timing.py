"""Times that can be compared: contestants take turns, so that a busy moment hits all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def median_times(
    contestants: Mapping[str, Callable[[], Any]], repeats: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """Run each contestant ``repeats`` times in turn, after one run that is not counted.

    Returns
    -------
    times : dict
        Median seconds by name.
    results : dict
        What the last run of each returned.
    """
    results = {name: run() for name, run in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            start = time.perf_counter()
            results[name] = run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}, results
