"""Memory that is kept when large arrays die: nobody gets what another still has, bounds hold."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import random
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

import fastconv
from fastconv.cpu import memory
from fastconv.cpu.plans import HostPlan

core = pytest.importorskip("fastconv.cpu._core")

KIB, MIB = 2**10, 2**20
BOUND = 64 * MIB


@pytest.fixture(autouse=True)
def kept():
    """Start each test with an empty store."""
    fastconv.release_memory()
    memory.keep(BOUND)
    yield
    memory.keep(memory.bound())


def new(shape, dtype="uint8"):
    return HostPlan().empty(shape, dtype)


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("shape", [(), (0,), (0, MIB), (3, 5), (255, KIB), (256, KIB), (3, 5, MIB)])
@pytest.mark.parametrize("dtype", ["uint8", "bool", "float16", "float32", "complex128", "M8[ns]"])
def test_arrays_are_what_was_asked_for(shape, dtype):
    array = new(shape, dtype)
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.flags.aligned
    large = array.nbytes >= 256 * KIB
    assert array.flags.owndata is not large
    if large:
        assert address(array) % 64 == 0


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert new((MIB,), "bfloat16").dtype == ml_dtypes.bfloat16


def test_memory_is_used_again_when_the_last_view_dies():
    array = new((4, MIB))
    place = address(array)
    array[...] = 7
    view = array[2, ::3]
    del array
    other = new((4, MIB))
    assert address(other) != place
    other[...] = 8
    assert (view == 7).all()
    del view
    assert address(new((MIB,), "float32")) == place


def test_results_of_calls_are_kept_apart_and_used_again():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((2, 8, 96, 96)), rng.standard_normal((8, 8, 3, 3))
    first = fastconv.conv2d(x, w)
    assert isinstance(first.base, core.Block)
    expected, second = first.copy(), fastconv.conv2d(-x, w)
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(second, -expected)
    place = address(first)
    del first
    assert address(fastconv.conv2d(x, w)) == place


def test_copies_and_pickles_own_their_memory():
    array = new((MIB,), "float32")
    array[...] = np.arange(MIB)
    for twin in (array.copy(), copy.deepcopy(array), pickle.loads(pickle.dumps(array))):
        assert twin.base is None or not isinstance(twin.base, core.Block)
        np.testing.assert_array_equal(twin, array)


def test_a_buffer_keeps_its_block():
    view = memoryview(core.Block(MIB))
    assert (view.nbytes, view.readonly, view.format) == (MIB, False, "B")
    view[:4] = b"kept"
    assert core.idle_memory() == 0
    assert bytes(view[:4]) == b"kept"
    del view
    assert core.idle_memory() == MIB


@pytest.mark.parametrize(
    "size", [256 * KIB, 300 * KIB, MIB + 1, 3 * MIB, 17 * MIB + 4097, 40 * MIB]
)
def test_little_is_wasted(size):
    core.Block(size)
    assert size <= core.idle_memory() <= size * 9 / 8


@pytest.mark.parametrize("size", [2 * MIB, 2 * MIB + 1, 5 * MIB, 48 * MIB])
def test_large_blocks_start_on_a_huge_page(size):
    assert address(np.ndarray(size, np.uint8, core.Block(size))) % (2 * MIB) == 0


def test_the_oldest_goes_first_when_the_bound_is_reached():
    sizes = [8 * MIB, 16 * MIB, 32 * MIB, 20 * MIB]
    blocks = [core.Block(size) for size in sizes]
    for _ in sizes:
        del blocks[0]
        assert core.idle_memory() <= BOUND
    assert core.idle_memory() == 32 * MIB + 20 * MIB


def test_what_is_larger_than_the_bound_is_not_kept():
    core.Block(MIB)
    core.Block(2 * BOUND)
    assert core.idle_memory() == MIB


def test_many_blocks_are_bounded_in_number():
    core.bound_idle_memory(2**40)
    blocks = [core.Block(4096) for _ in range(3000)]
    del blocks
    assert 0 < core.idle_memory() <= 1024 * 4096


def test_a_lower_bound_holds_at_once():
    blocks = [core.Block(MIB) for _ in range(9)]
    del blocks
    core.bound_idle_memory(4 * MIB)
    assert core.idle_memory() == 4 * MIB
    memory.keep(0)
    assert core.idle_memory() == 0
    assert new((MIB,)).flags.owndata


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="only Linux says what is resident"
)
def test_released_memory_goes_back_to_the_system():
    array = new((48, MIB))
    array[...] = 1
    del array
    before = resident()
    assert core.idle_memory() == 48 * MIB
    fastconv.release_memory()
    assert core.idle_memory() == 0
    assert resident() < before - 40 * MIB


def test_workspaces_are_released_too():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((1, 8, 96, 96)), rng.standard_normal((8, 8, 5, 5))
    fastconv.conv2d(x, w, algorithm="im2col_blas")
    gc.collect()
    taken = core.idle_memory()
    fastconv.conv2d(x, w, algorithm="im2col_blas")
    assert core.idle_memory() == taken
    fastconv.release_memory()
    assert core.idle_memory() == 0


@pytest.mark.parametrize("size", [2**50, 2**61])
def test_what_there_is_no_room_for_is_a_memory_error(size):
    with pytest.raises(MemoryError, match="no room"):
        core.Block(size)
    with pytest.raises(MemoryError, match="Unable to allocate"):
        new((size,))
    x = np.broadcast_to(np.int8(1), (1, 1, 2**25, size // 2**25))
    with pytest.raises(MemoryError, match=r"max_pool2d: no memory for a result"):
        fastconv.max_pool2d(x, 1, algorithm="compiled")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere address space has no limit")
def test_idle_memory_makes_room():
    run_alone(
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_memory as t\n"
        "t.memory.keep(t.BOUND)\n"
        "t.core.Block(48 * t.MIB); assert t.core.idle_memory() == 48 * t.MIB\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 24 * t.MIB,) * 2)\n"
        "held = t.core.Block(50 * t.MIB); assert t.core.idle_memory() == 0\n"
    )


@pytest.mark.parametrize("size", [0, -1, 2**63, 2**100])
def test_sizes_that_are_none(size):
    with pytest.raises(ValueError, match="size"):
        core.Block(size)
    if size:
        with pytest.raises(ValueError, match="size"):
            core.bound_idle_memory(size)


def hammer(seed, rounds, failures):
    """Hold several blocks, each full of a number of its own, and look whether they stay so."""
    draw = random.Random(seed)  # NumPy's is loaded under a lock, which a fork may find taken
    held = []
    for number in range(rounds):
        value = seed * rounds + number
        array = new((draw.randrange(33, 300) * KIB,), "int64")
        array[::512] = value
        held.append((array, value))
        if len(held) > 5:
            array, value = held.pop(draw.randrange(len(held)))
            if not (array[::512] == value).all():
                failures.append(value)
        if number % 50 == 0:
            core.release_idle_memory()


def test_threads_get_memory_of_their_own():
    failures = []
    core.bound_idle_memory(4 * MIB)
    threads = [threading.Thread(target=hammer, args=(k, 300, failures)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert core.idle_memory() <= 4 * MIB


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
def test_a_forked_child_starts_with_an_empty_store():
    held, idle = new((4, MIB)), new((8, MIB))
    held[...], idle[...] = 1, 2
    place = address(idle)
    del idle
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert core.idle_memory() == 0
            assert (held == 1).all()
            failures = []
            hammer(1, 30, failures)
            del held
            assert not failures
            assert core.idle_memory() >= 4 * MIB
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (held == 1).all()
    assert address(new((8, MIB))) == place


@needs_fork
def test_forks_in_the_middle_of_another_threads_work():
    run_alone(
        "import os, threading, warnings, sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_memory as t\n"
        "warnings.simplefilter('ignore', DeprecationWarning)  # of forking beside Python threads\n"
        "t.memory.keep(4 * t.MIB); failures, stop = [], threading.Event()\n"
        "def work():\n"
        "    while not stop.is_set(): t.hammer(1, 100, failures)\n"
        "other = threading.Thread(target=work); other.start()\n"
        "codes = []\n"
        "for _ in range(20):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        code = 1\n"
        "        try:\n"
        "            t.hammer(2, 60, failures); code = len(failures)\n"
        "        finally: os._exit(code)\n"
        "    codes.append(os.waitpid(child, 0)[1])\n"
        "stop.set(); other.join(); sys.exit(any(codes) or len(failures))\n"
    )


def run_alone(script, **variables):
    # The package may be importable only through this process's own path.
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", script, os.path.dirname(__file__)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path, **variables}, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


RESULT = "import numpy as np, fastconv; y = fastconv.max_pool2d(np.ones((1, 8, 512, 512)), 2)\n"
IDLE = "from fastconv.cpu import memory, _core; idle = _core.idle_memory()\n"


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ("0", "assert y.flags.owndata; del y; " + IDLE + "assert idle == 0"),
        ("1000000", "assert not y.flags.owndata; del y; " + IDLE + "assert idle == 0"),
        ("4194304", "assert not y.flags.owndata; del y; " + IDLE + "assert idle == 4 * 2**20"),
        ("", "del y; " + IDLE + "assert idle == 4 * 2**20 <= memory.bound() <= 256 * 2**20"),
    ],
)
def test_a_variable_bounds_the_store(bound, expected):
    run_alone(RESULT + expected, FASTCONV_CACHE_BYTES=bound)


@pytest.mark.parametrize("text", ["many", "-1", "1.5"])
def test_a_variable_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv("FASTCONV_CACHE_BYTES", text)
    with pytest.raises(ValueError, match=r"FASTCONV_CACHE_BYTES: got '.*, expected an int"):
        memory.bound()


class Store(RuleBasedStateMachine):
    """Blocks taken, viewed and given back in any order, beside a model of who has what."""

    live = Bundle("live")

    def __init__(self):
        super().__init__()
        self.bound = BOUND
        memory.keep(BOUND)
        self.count = 0
        self.ranges = {}

    @rule(target=live, size=st.one_of(st.integers(1, 40), st.sampled_from([64, 512, 2560])))
    def take(self, size):
        array = np.ndarray(size * 4096 - 5, np.uint8, core.Block(size * 4096 - 5))
        self.count += 1
        array[...] = self.count % 251
        self.ranges[self.count] = (address(array), address(array) + array.size)
        return self.count, [array]

    @rule(target=live, block=consumes(live), start=st.integers(0, 4000))
    def keep_a_view_alone(self, block, start):
        number, (array,) = block
        block[1].clear()
        return number, [array[start::4096]]

    @rule(block=consumes(live))
    def give_back(self, block):
        number, arrays = block
        assert (arrays[0] == number % 251).all()
        arrays.clear()
        del self.ranges[number]

    @rule(bound=st.sampled_from([0, 8192, MIB, BOUND]))
    def change_the_bound(self, bound):
        core.bound_idle_memory(bound)
        self.bound = bound

    @rule()
    def release(self):
        core.release_idle_memory()
        assert core.idle_memory() == 0

    @invariant()
    def nothing_is_shared(self):
        ranges = sorted(self.ranges.values())
        assert all(a[1] <= b[0] for a, b in pairwise(ranges))

    @invariant()
    def the_bound_holds(self):
        assert core.idle_memory() <= self.bound


TestStore = Store.TestCase
TestStore.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
