"""What a call costs beyond its kernel: a cached layer so small that nothing else is left."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from asv_bench.cases import Case, operands
from asv_bench.libraries import Library
from asv_bench.names import OWN
from asv_bench.timing import Call, interleaved
from fastconv.cpu.isa import core
from fastconv.dispatch.cache import PLANS

TINY = Case("tiny", "convolution", (1, 1, 4, 4), (1, 1, 3, 3), (3, 3))
KERNEL = "kernel alone"
ROUNDS = 11


def measured(libraries: tuple[Library, ...]) -> dict[str, float]:
    """Return median seconds of a forward call of each contender, and of fastconv's C calls."""
    arrays = operands(TINY, "float32")
    calls: dict[str, Call] = {}
    for library in libraries:
        calls.update(library.calls(TINY, arrays).get("forward", {}))
    kernels = recorded(calls[OWN])
    if kernels:
        calls[KERNEL] = partial(_run_all, kernels)
    times = interleaved(calls, ROUNDS)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _run_all(calls: list[Call]) -> None:
    for call in calls:
        call()


def recorded(call: Call) -> list[Call]:
    """Return the calls of the compiled core that a call makes, ready to repeat."""
    if core is None:
        return []
    found: list[Call] = []
    with _watched(found):
        PLANS.clear()  # a plan may keep the functions that it was made with
        call()
        found.clear()  # what planning asked for
        call()
    PLANS.clear()
    return found


@contextmanager
def _watched(found: list[Call]) -> Iterator[None]:
    functions = {
        name: value
        for name, value in vars(core).items()
        if callable(value) and not isinstance(value, type) and not name.startswith("_")
    }

    def watch(function: Any) -> Any:
        def watched(*args: Any, **keywords: Any) -> Any:
            found.append(partial(function, *args, **keywords))
            return function(*args, **keywords)

        return watched

    try:
        for name, function in functions.items():
            setattr(core, name, watch(function))
        yield
    finally:
        for name, function in functions.items():
            setattr(core, name, function)
