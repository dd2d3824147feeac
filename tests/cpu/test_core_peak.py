"""The arithmetic that benchmarks are measured against: counted right, and really done."""

from __future__ import annotations

import time

import pytest

core = pytest.importorskip("fastconv.cpu._core")


def test_operations_are_counted(level):
    once = core.peak("float32", 1, 1)
    assert once > 0
    assert core.peak("float32", 7, 1) == 7 * once
    assert core.peak("float32", 1, 3) == 3 * once
    assert core.peak("float64", 1, 1) == once / 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_more_steps_take_longer(level, dtype):
    def best(steps):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            core.peak(dtype, steps, 1)
            times.append(time.perf_counter() - started)
        return min(times)

    assert best(100_000) > 10 * best(1000)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("int32", 1, 1), "dtype"),
        (("float32", 0, 1), "steps"),
        (("float32", 2**41, 1), "steps"),
        (("float32", 1, 0), "threads"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        core.peak(*arguments)
