"""Calls from many threads at once, and in a forked child."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest

import fastconv

COUNT = 8


def run_together(works):
    """Run functions in a thread each, started at once; return what they return."""
    gate = threading.Barrier(len(works))
    results = [None] * len(works)

    def run(number):
        gate.wait()
        try:
            results[number] = works[number]()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def sample(seed, size=24):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 8, size, size), dtype=np.float32)
    return x, rng.standard_normal((12, 8, 3, 3), dtype=np.float32)


@pytest.mark.parametrize("algorithm", ["im2col_blas", "reference"])
def test_threads_at_once_get_what_one_gets(algorithm):
    inputs = [sample(seed) for seed in range(COUNT)]

    def work(number):
        x, w = inputs[number]
        y = [fastconv.conv2d(x, w, padding=1, algorithm=algorithm) for _ in range(5)]
        assert all(np.array_equal(y[0], other) for other in y)
        options = {"padding": 1, "algorithm": algorithm, "wrt": ("x", "weight")}
        return y[0], *fastconv.conv2d_backward(y[0], x, w, **options)[:2]

    alone = [work(number) for number in range(COUNT)]
    together = run_together([lambda n=n: work(n) for n in range(COUNT)])
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_threads_meet_new_problems_at_once():
    def work(number):
        sizes = range(3, 40 + number % 2)
        return [fastconv.conv2d(*sample(number, size), stride=2).shape for size in sizes]

    shapes = run_together([lambda n=n: work(n) for n in range(COUNT)])
    assert shapes[0] == shapes[2] == work(0)


def test_a_thread_that_fails_does_not_disturb_the_others():
    x, w = sample(0)

    def fail():
        for _ in range(20):
            with pytest.raises(ValueError, match="channels"):
                fastconv.conv2d(x[:, :3], w)

    right = fastconv.conv2d(x, w)
    works = [fail if n % 2 else (lambda: fastconv.conv2d(x, w)) for n in range(COUNT)]
    for result in run_together(works)[::2]:
        np.testing.assert_array_equal(result, right)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_parent_and_child_go_on_after_a_fork(python):
    # In an interpreter of its own, without other Python threads that a fork could hurt.
    out = python(
        """
        import os
        import numpy as np, fastconv
        rng = np.random.default_rng(0)
        x = rng.standard_normal((4, 16, 48, 48), dtype=np.float32)
        w = rng.standard_normal((16, 16, 3, 3), dtype=np.float32)
        def work():
            y = fastconv.conv2d(x, w, padding=1, activation="relu")
            return y, fastconv.conv2d_input_grad(x.shape, w, y, padding=1)
        before = work()
        child = os.fork()
        same = all(np.array_equal(a, b) for a, b in zip(before, work()))
        if child == 0:
            os._exit(0 if same else 1)
        _, status = os.waitpid(child, 0)
        print(same, os.waitstatus_to_exitcode(status))
        """
    )
    assert out == "True 0\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_child_of_a_child_and_first_use_in_the_child(python):
    out = python(
        """
        import os
        import numpy as np, fastconv
        x, w = np.ones((1, 2, 16, 16)), np.ones((2, 2, 3, 3))
        def in_child(work):
            child = os.fork()
            if child == 0:
                try:
                    work()
                except BaseException:
                    os._exit(1)
                os._exit(0)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        def work():
            assert fastconv.conv2d(x, w).max() == 18
        def nested():
            work()
            assert in_child(work) == 0
        print(in_child(work), in_child(nested))
        work()
        print(in_child(nested))
        """
    )
    assert out == "0 0\n0\n"


def test_the_policy_of_a_thread_is_its_own(fake):
    x, w = (a.astype(np.float64) for a in sample(0))

    def work(number):
        if number % 2:
            return fastconv.conv2d(x, w, backend="fake")
        return fastconv.conv2d(x, w)

    results = run_together([lambda n=n: work(n) for n in range(COUNT)])
    assert all((y == fake.value).all() == bool(n % 2) for n, y in enumerate(results))


def test_switching_often_changes_nothing():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        x, w = sample(1)
        right = fastconv.conv2d(x, w)
        for result in run_together([lambda: fastconv.conv2d(x, w)] * COUNT):
            np.testing.assert_array_equal(result, right)
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize(
    ("variables", "options", "workers"),
    [
        ({"FASTCONV_NUM_THREADS": "3"}, "", 2),
        ({"FASTCONV_NUM_THREADS": "3"}, "threads=1", 0),
        ({"FASTCONV_NUM_THREADS": "1"}, "threads=4", 3),
        ({"FASTCONV_NUM_THREADS": "1"}, "", 0),
        ({}, "", None),
    ],
)
def test_the_number_of_threads_reaches_the_kernels(python, variables, options, workers):
    pytest.importorskip("fastconv.cpu._core")
    out = python(
        f"""
        import numpy as np, fastconv
        from fastconv.cpu.isa import core
        from fastconv.machine import usable_cores
        x, w = np.ones((8, 32, 64, 64), "f4"), np.ones((32, 32, 3, 3), "f4")
        with fastconv.trace() as ran:
            fastconv.conv2d(x, w, None, 1, 1, algorithm="implicit_gemm", {options})
        print(core.pool_threads(), ran[0].threads - 1, usable_cores() - 1)
        """,
        **variables,
    )
    started, decided, default = map(int, out.split())
    assert started == decided == (default if workers is None else workers)
