"""The device of a real GPU, against a stand-in for CuPy."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from fastconv_cuda.bus import Bus, remembered
from fastconv_cuda.units import Unit
from simt.device import CARD

UNIT = Unit("im2col.cu", (("FC_ELEMENT", "uint16"), ("FC_COPIES_ONLY", "")))


class OutOfMemoryError(MemoryError):
    """CuPy's."""


class StandInCupy(SimpleNamespace):
    """As much of CuPy as the device uses."""

    def __init__(self):
        super().__init__(current=0, full=False, kept=True, log=[], streams=[])
        memory = SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
        runtime = SimpleNamespace(getDevice=lambda: self.current)
        self.cuda = SimpleNamespace(memory=memory, runtime=runtime, Device=self.device)
        self.RawModule = lambda path: SimpleNamespace(get_function=self.function)

    @contextmanager
    def device(self, number):
        before, self.current = self.current, number
        yield
        self.current = before

    @contextmanager
    def stream(self):
        self.streams.append("in")
        yield

    def function(self, name):
        def call(grid, block, arguments, shared_mem):
            self.log.append((self.current, name, grid, block, arguments, shared_mem))

        return call

    def empty(self, shape, dtype):
        if self.full and self.kept:
            raise OutOfMemoryError("out of memory")
        return np.empty(shape, dtype)

    def get_default_memory_pool(self):
        return SimpleNamespace(free_all_blocks=self.free)

    def free(self):
        self.log.append("freed")
        self.kept = self.full == "forever"


@pytest.fixture
def cupy(monkeypatch):
    """Put the stand-in in CuPy's place."""
    stand_in = StandInCupy()
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    monkeypatch.delitem(sys.modules, "fastconv_cuda.cupy_device", raising=False)
    yield stand_in
    sys.modules.pop("fastconv_cuda.cupy_device", None)


@pytest.fixture
def device(cupy, monkeypatch):
    """Return the device, which finds every kernel compiled."""
    module = importlib.import_module("fastconv_cuda.cupy_device")
    monkeypatch.setattr(module, "compiled", lambda unit, capability: "kernel.cubin")
    return module.CupyDevice(CARD)


def test_a_full_pool_gives_back_what_it_keeps(device, cupy):
    cupy.full = True
    assert device.empty((2, 3), "float32").shape == (2, 3)
    assert cupy.log == ["freed"]


def test_a_full_card_is_a_memory_error(device, cupy):
    cupy.full = "forever"
    with pytest.raises(MemoryError):
        device.empty((2, 3), "float32")


def test_kernels_are_loaded_once_and_run_on_the_cards_own_device(device, cupy):
    cupy.current = 1
    for _ in range(2):
        device.launch(UNIT, "im2col", (3, 1, 1), (256, 1, 1), 0, [1, 2])
    assert cupy.log == [(0, "im2col", (3, 1, 1), (256, 1, 1), (1, 2), 0)] * 2
    assert cupy.current == 1


def test_a_stream_is_honoured(device, cupy):
    device.launch(UNIT, "im2col", (3, 1, 1), (256, 1, 1), 0, [1], stream=cupy.stream())
    assert cupy.streams == ["in"]


def test_tensor_maps_come_from_the_driver(device, monkeypatch):
    module = sys.modules["fastconv_cuda.cupy_device"]
    monkeypatch.setattr(module, "encode", lambda wanted, address: (wanted, address))
    assert device.tensor_map("what", 4096) == ("what", 4096)


def test_the_bus_is_timed_once_on_a_machine(device, cupy, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTCONV_CUDA_CACHE", str(tmp_path / "kernels"))
    waits = []
    cupy.cuda.get_current_stream = lambda: SimpleNamespace(synchronize=lambda: waits.append(1))
    monkeypatch.setattr(device, "upload", lambda array, to: None)
    monkeypatch.setattr(device, "download", lambda array, to: None)
    first = device.bus()
    assert first.up > 0
    timings = len(waits)
    assert timings > 0
    assert device.bus() == type(device)(CARD).bus() == first
    assert len(waits) == timings


def test_a_damaged_figure_is_timed_anew(tmp_path):
    path = tmp_path / "bus.json"
    path.write_text("{")
    assert remembered(path, lambda size: Bus(1.0, 2.0)) == Bus(1.0, 2.0)
    assert remembered(path, lambda size: Bus(3.0, 4.0)) == Bus(1.0, 2.0)
    (tmp_path / "file").write_text("")
    assert remembered(tmp_path / "file" / "bus.json", lambda size: Bus(3.0, 4.0)).up == 3.0


def test_an_array_of_another_device_is_refused(device):
    array = SimpleNamespace(data=SimpleNamespace(ptr=64, device_id=1))
    with pytest.raises(ValueError, match=r"lives on cuda:1.*planned for cuda:0"):
        device.pointer(array)
    array.data.device_id = 0
    assert device.pointer(array) == 64


def test_cupy_has_what_the_device_uses():
    real = pytest.importorskip("cupy", reason="CuPy isn't installed")
    assert issubclass(real.cuda.memory.OutOfMemoryError, MemoryError)
    uses = {
        real: ("empty", "matmul", "may_share_memory", "get_default_memory_pool", "from_dlpack"),
        real.cuda: ("Device", "ExternalStream", "get_current_stream"),
        real.cuda.runtime: ("getDevice", "getDeviceCount", "getDeviceProperties", "memGetInfo"),
        real.cuda.memory.MemoryPointer: ("ptr", "device_id"),
        real.RawModule: ("get_function",),
        real.RawKernel: ("max_dynamic_shared_size_bytes",),
        real.ndarray: ("get", "set", "data"),
    }
    for owner, names in uses.items():
        assert [name for name in names if not hasattr(owner, name)] == []
