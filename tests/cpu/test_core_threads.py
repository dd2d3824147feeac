"""The thread pool: equal bits at any thread count, concurrent callers, forks, exits."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core")

SIZE = 48
GEOMETRY = ((SIZE, SIZE), (3, 3), (1, 1), (1, 1), (1, 1), (SIZE, SIZE))
ADAPTIVE = ([o * SIZE // 7 for o in range(7)], [-(-SIZE // 7)] * 7, [-(-SIZE // 7)] * 7, 1)
HALVES = (list(range(0, SIZE, 2)), [2] * (SIZE // 2), [2] * (SIZE // 2), 1)


def everything(threads):
    """Run every kernel on arrays large enough to be shared out; return all results."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 24, SIZE, SIZE)).astype(np.float32)
    geometry = core.Geometry(*GEOMETRY)
    columns = np.empty((2, 24 * 9, SIZE * SIZE), np.float32)
    core.im2col(geometry, x, columns, 0, 0, 0, threads)
    back = np.zeros_like(x)
    core.col2im(geometry, columns * np.float32(1.1), back, "float32", 0, 0, 0, threads)
    acc = x.reshape(2, 24, -1).copy()
    core.epilogue(acc, "float32", x[0, :, 0, 0].copy(), 7, 0.0, threads)
    channels_last = np.zeros((2, SIZE, SIZE, 24), np.float32).transpose(0, 3, 1, 2)
    core.scatter(acc, channels_last, 0, 0, 0, threads)
    results = [columns, back, acc, channels_last]
    for axes in ([HALVES] * 2, [ADAPTIVE] * 2):
        windows = core.Windows(axes, (SIZE, SIZE))
        shape = (2, 24, len(axes[0][0]), len(axes[0][0]))
        top, mean, norm = (np.empty(shape, np.float32) for _ in range(3))
        indices = np.empty(shape, np.int64)
        core.max_forward(windows, x, top, indices, False, "float32", threads)
        core.avg_forward(windows, x, mean, None, "float32", threads)
        core.lp_forward(windows, x, norm, 2.5, 4, True, "float32", threads)
        spread, shares, slopes, unpooled = (np.zeros_like(x) for _ in range(4))
        core.scatter_add(mean, indices, spread, "float32", False, threads)
        core.avg_backward(windows, top, shares, None, "float32", threads)
        core.lp_backward(windows, top, x, norm, slopes, 2.5, 4, True, "float32", threads)
        core.unpool(top, indices, unpooled, threads)
        gathered = np.empty_like(top)
        core.gather(x, indices, gathered, threads)
        results += [top, mean, norm, indices, spread, shares, slopes, unpooled, gathered]
    return results


def assert_same_bits(results, expected):
    for got, wanted in zip(results, expected, strict=True):
        assert got.tobytes() == wanted.tobytes()


def test_results_have_the_same_bits_at_any_thread_count(level):
    expected = everything(1)
    for threads in (2, 3, 7, 1000):
        assert_same_bits(everything(threads), expected)
    assert 6 <= core.pool_threads() < 256


def test_overlapping_outputs_are_served_by_one_thread(level):
    """Repeated items of an output: the last write wins, at any thread count."""
    x = np.random.default_rng(2).standard_normal((2, 24, SIZE, SIZE)).astype(np.float32)
    for threads in (1, 3):
        row = np.zeros(SIZE * SIZE, np.float32)
        panel = np.lib.stride_tricks.as_strided(row, (2, 24 * 9, row.size), (0, 0, 4))
        core.im2col(core.Geometry(*GEOMETRY), x, panel, 0, 0, 0, threads)
        last = np.zeros((SIZE, SIZE), np.float32)
        last[:-1, :-1] = x[-1, -1, 1:, 1:]
        np.testing.assert_array_equal(row, last.ravel())


def test_eight_callers_at_once():
    expected, failures = everything(1), []

    def work():
        try:
            for _ in range(3):
                assert_same_bits(everything(3), expected)
        except BaseException as error:
            failures.append(error)

    callers = [threading.Thread(target=work) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures


def test_sleeping_workers_burn_no_time():
    everything(4)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
def test_a_forked_child_builds_its_own_pool():
    expected = everything(3)
    assert core.pool_threads() >= 2
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                assert core.pool_threads() == 0
                assert_same_bits(everything(3), expected)
                assert core.pool_threads() >= 2
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert_same_bits(everything(3), expected)


@needs_fork
def test_a_fork_in_the_middle_of_another_threads_call():
    """The child finds the pool's locks in any state."""
    script = (
        "import os, sys, threading, warnings; sys.path.insert(0, sys.argv[1])\n"
        "import test_core_threads as t\n"
        "warnings.simplefilter('ignore', DeprecationWarning)  # of forking beside Python threads\n"
        "expected, stop = t.everything(1), threading.Event()\n"
        "def work():\n"
        "    while not stop.is_set(): t.everything(3)\n"
        "other = threading.Thread(target=work); other.start()\n"
        "codes = []\n"
        "for _ in range(10):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        code = 1\n"
        "        try:\n"
        "            t.assert_same_bits(t.everything(3), expected); code = 0\n"
        "        finally: os._exit(code)\n"
        "    codes.append(os.waitpid(child, 0)[1])\n"
        "stop.set(); other.join(); sys.exit(any(codes))\n"
    )
    run_alone(script)


def run_alone(script):
    # The package may be importable only through this process's own path.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", script, os.path.dirname(__file__)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_process_ends_while_workers_sleep():
    run_alone(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_core_threads as t; t.everything(4); assert t.core.pool_threads() == 3\n"
    )


def test_the_module_is_imported_many_times_across_threads():
    modules = []

    def load():
        modules.append(importlib.import_module("fastconv.cpu._core"))

    threads = [threading.Thread(target=load) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert modules == [core] * 16
