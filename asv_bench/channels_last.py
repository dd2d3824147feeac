"""Arrays whose channels come last: fastconv beside PyTorch in the same memory format.

Pools and small groups have kernels of their own there; the suite's convolutions come along. Fewer
bits are fastconv's own, beside float32.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from asv_bench.cases import PASSES, Case, Operands, Pass, channels_last_cases, operands
from asv_bench.few_bits import SINGLE, dtypes
from asv_bench.libraries import Library, opened
from asv_bench.names import OWN, TORCH
from asv_bench.options import Configuration
from asv_bench.precisions import wanted
from asv_bench.timing import Call, interleaved

RIVAL = TORCH[1]
MOST_SECONDS = 1.0

Found = dict[Pass, dict[str, dict[str, float]]]


def cases(configuration: Configuration) -> list[Case]:
    """Return small groups and pools, and the convolutions of images that are asked for."""
    found = {case.name: case for case in (*channels_last_cases(), *wanted(configuration))}
    return list(found.values())


def measured(
    configuration: Configuration, say: Callable[[str], None], note: Callable[[str], None]
) -> Found:
    """Return median seconds by pass, layer and contender."""
    found: Found = {which: {} for which in PASSES if which in configuration.passes}
    last = replace(configuration, channels_last=True)
    with opened(last, note, "own", "pytorch") as libraries:
        for case in cases(configuration):
            say(f"{case.name}, channels last")
            calls = passes(case, configuration.dtype, libraries)
            for which in found:
                if which in calls:
                    times = interleaved(calls[which], configuration.rounds, MOST_SECONDS)
                    medians = {name: statistics.median(taken) for name, taken in times.items()}
                    found[which][case.name] = medians
    return found


def ratios(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return how many times faster fastconv is than PyTorch, and fewer bits than fastconv.

    >>> ratios({"fastconv": 2.0, "float16": 1.0, "PyTorch, channels last": 3.0})
    {'PyTorch, channels last': 1.5, 'float16': 2.0}
    """
    found = {RIVAL: seconds[RIVAL] / seconds[OWN]} if RIVAL in seconds else {}
    fewer = (name for name in seconds if name not in (OWN, RIVAL))
    return found | {name: seconds[OWN] / seconds[name] for name in fewer}


def passes(case: Case, dtype: str, libraries: tuple[Library, ...]) -> dict[Pass, dict[str, Call]]:
    """Return the contenders' calls by pass: fastconv, fewer bits by their names, PyTorch."""
    found: dict[Pass, dict[str, Call]] = {}
    for library in libraries:
        for name, arrays in _arrays(case, dtype, library.name == OWN):
            for which, calls in library.calls(case, arrays).items():
                for contender in (OWN, RIVAL):
                    if contender in calls:
                        named = found.setdefault(which, {})
                        named[name or contender] = calls[contender]
    return found


def _arrays(case: Case, dtype: str, own: bool) -> Iterator[tuple[str, Operands]]:
    """Give a case's arrays, and the same in fewer bits, which have a name."""
    arrays = operands(case, dtype)
    yield "", arrays
    if not own or dtype != SINGLE:
        return
    for name, fewer in dtypes().items():
        if name != SINGLE:
            weight = None if arrays.weight is None else arrays.weight.astype(fewer)
            yield name, Operands(arrays.x.astype(fewer), weight, arrays.grad.astype(fewer))
