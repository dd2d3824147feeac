"""Where fewer bits might be slower: gradients, linear layers and pools beside the same in float32.

Everything is fastconv's own, so that nothing but the numbers' format differs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

import fastconv
from asv_bench.benchmarks import pooling
from asv_bench.cases import Case, operands
from asv_bench.options import Configuration
from asv_bench.precisions import wanted
from asv_bench.timing import Call, interleaved

SINGLE = "float32"
# Fewer bits may take so much longer than float32.
LEAST = 0.9
MOST_SECONDS = 1.0
_FEATURES = 1024
_ROWS = (1, 16, 256, 1024)

Row = tuple[str, dict[str, Call]]


def dtypes() -> dict[str, Any]:
    """Return the floating dtypes that can be compared, float32 first."""
    found: dict[str, Any] = {SINGLE: np.float32, "float16": np.float16}
    with suppress(ModuleNotFoundError):
        found["bfloat16"] = __import__("ml_dtypes").bfloat16
    return found


def measured(
    configuration: Configuration, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Return median seconds by what was computed, and in which format."""
    found = {}
    for name, calls in _rows(configuration):
        say(f"{name} in few bits")
        times = interleaved(calls, configuration.rounds, MOST_SECONDS)
        found[name] = {format_: statistics.median(taken) for format_, taken in times.items()}
    return found


def _rows(configuration: Configuration) -> Iterator[Row]:
    for case in wanted(configuration):
        yield from _layer(case)
    yield from (_linear(rows) for rows in _ROWS)
    for name, pool in pooling.POOLS.items():
        yield from _pool(name, pool)


def _layer(case: Case) -> Iterator[Row]:
    """Gradients of arrays of each dtype; forward passes of float32 ones, by precision."""
    single = operands(case, SINGLE)
    window: dict[str, Any] = dict(case.window)
    forward: dict[str, Call] = {}
    input_grad: dict[str, Call] = {}
    weight_grad: dict[str, Call] = {}
    for name, dtype in dtypes().items():
        x, weight, grad = (a.astype(dtype) for a in (single.x, single.weight, single.grad))
        forward[name] = partial(fastconv.conv2d, single.x, single.weight, precision=name, **window)
        input_grad[name] = partial(fastconv.conv2d_input_grad, case.x, weight, grad, **window)
        weight_grad[name] = partial(fastconv.conv2d_weight_grad, x, case.weight, grad, **window)
    yield f"{case.name}, float32 arrays, precision=", forward
    yield f"{case.name}, input gradient", input_grad
    yield f"{case.name}, weight gradient", weight_grad


def _linear(rows: int) -> Row:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, _FEATURES), np.float32)
    weight = rng.standard_normal((_FEATURES, _FEATURES), np.float32)
    return f"linear, batch {rows}", {
        name: partial(fastconv.linear, x.astype(dtype), weight.astype(dtype))
        for name, dtype in dtypes().items()
    }


def _pool(name: str, pool: pooling.Pool) -> Iterator[Row]:
    forward: dict[str, Call] = {}
    backward: dict[str, Call] = {}
    place = pooling.window(pool)
    for format_, dtype in dtypes().items():
        x = pooling.images(pool, SINGLE).astype(dtype)
        if pool.kind == "max":
            y, indices = fastconv.max_pool2d(x, *place, return_indices=True)
            forward[format_] = partial(fastconv.max_pool2d, x, *place)
            backward[format_] = partial(fastconv.max_pool2d_backward, y, x, indices, *place)
        else:
            y = fastconv.adaptive_avg_pool2d(x, 1)
            forward[format_] = partial(fastconv.adaptive_avg_pool2d, x, 1)
            backward[format_] = partial(fastconv.adaptive_avg_pool2d_backward, y, x, 1)
    if pool.kind == "max":
        steps = np.random.default_rng(0).integers(0, 256, pool.x).astype(np.uint8)
        forward["uint8"] = partial(fastconv.max_pool2d, steps, *place)
    yield name, forward
    yield f"{name}, gradient", backward
