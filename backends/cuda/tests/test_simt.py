"""The simulated device sees what a GPU would suffer from."""

from __future__ import annotations

import numpy as np
import pytest
from fastconv_cuda.units import Unit
from simt.device import SimulatedDevice, SimulationError

HEAD = '#include "primitives.cuh"\nextern "C" __global__ void k(int *y, int n) {'
TAIL = "}\nFC_EXPORT(k)"
SHIFT = """
  FC_SHARED(memory);
  int *shared = (int *)memory;
  shared[threadIdx.x] = y[threadIdx.x];
  BARRIER
  y[threadIdx.x] = shared[(threadIdx.x + n) % blockDim.x];
"""


class Sourced(SimulatedDevice):
    """A device that compiles a test's own source."""

    def __init__(self, body):
        super().__init__()
        self.text = HEAD + body + TAIL

    def source(self, unit):
        return self.text


def run(body, threads=64, n=1, shared=256):
    """Return y after the kernel, for both orders of the threads."""
    device = Sourced(body)
    results = []
    for _ in range(2):
        y = np.arange(threads, dtype=np.int32)
        device.launch(Unit("k.cu"), "k", (1, 1, 1), (threads, 1, 1), shared, [device.pointer(y), n])
        results.append(y)
    return results


def test_threads_meet_at_a_barrier():
    for y in run(SHIFT.replace("BARRIER", "block_barrier();")):
        assert y.tolist() == [*range(1, 64), 0]


@pytest.mark.parametrize("n", [1, 63])
def test_a_missing_barrier_shows_in_one_of_the_orders(n):
    right = [(i + n) % 64 for i in range(64)]
    assert not all(y.tolist() == right for y in run(SHIFT.replace("BARRIER", ""), n=n))


def test_a_barrier_that_some_threads_miss_is_reported():
    with pytest.raises(SimulationError, match="barrier that others never reach"):
        run("if (threadIdx.x < 5) block_barrier();")


def test_shared_memory_starts_as_garbage_and_has_an_end():
    read = "FC_SHARED(memory); y[threadIdx.x] = ((int *)memory)[threadIdx.x];"
    for y in run(read):
        assert np.isnan(y.view(np.float32)).all()
        assert np.isnan(y.view(np.float16)).all()
        assert np.isnan(y.view(np.float64)).all()
    with pytest.raises(SimulationError, match="past the shared memory"):
        run("FC_SHARED(memory); memory[256] = 0;")


def test_a_misaligned_address_is_reported():
    with pytest.raises(SimulationError, match="misaligned"):
        run("check_aligned((char *)y + 1, 4);")


def test_a_wild_address_is_reported():
    for _ in range(2):
        with pytest.raises(SimulationError, match="wild address"):
            run("FC_SHARED(memory); y[((long long *)memory)[0]] = n;")


def test_a_failed_launch_leaves_the_device_usable():
    device = Sourced("if (n) check_aligned((char *)y + 1, 4); block_barrier(); y[0] = 7;")
    y = np.zeros(1, np.int32)
    launch = (Unit("k.cu"), "k", (1, 1, 1), (64, 1, 1), 0)
    with pytest.raises(SimulationError):
        device.launch(*launch, [device.pointer(y), 1])
    device.launch(*launch, [device.pointer(y), 0])
    assert y[0] == 7
