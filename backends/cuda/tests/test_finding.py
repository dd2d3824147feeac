"""One reason for whatever is missing, and never an exception."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.finding import find

PROPERTIES = {
    "name": b"Some GPU",
    "major": 9,
    "minor": 0,
    "multiProcessorCount": 132,
    "clockRate": 1_755_000,
    "memoryClockRate": 2_619_000,
    "memoryBusWidth": 5120,
    "totalGlobalMem": 80 << 30,
    "sharedMemPerBlockOptin": 232_448,
}


class StandIn:
    """What `find` loads, each part of which may fail."""

    def __init__(self, count=1, free=1 << 30, faults=None, **changes):
        self.faults = faults or {}
        self.properties = PROPERTIES | changes
        runtime = SimpleNamespace(
            getDeviceCount=lambda: self.maybe("driver", count),
            getDeviceProperties=lambda number: self.maybe("properties", self.properties),
            memGetInfo=lambda: self.maybe("memory", (free, 80 << 30)),
        )
        self.modules = {
            "cupy": SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)),
            "cupy_backends.cuda.libs.nvrtc": SimpleNamespace(
                getVersion=lambda: self.maybe("nvrtc", (13, 0)),
                getSupportedArchs=lambda: (75, 80, 86, 89, 90, 100, 120),
            ),
            "fastconv_cuda.cupy_device": SimpleNamespace(
                CupyDevice=lambda card: SimpleNamespace(card=card)
            ),
        }

    def maybe(self, part, value):
        if part in self.faults:
            raise self.faults[part]
        return value

    def __call__(self, name):
        return self.maybe(name, self.modules[name])


def test_a_gpu_is_described():
    found = find(StandIn())
    assert found.reason == ""
    card = found.devices["cuda:0"].card
    assert (card.name, card.capability, card.processors) == ("Some GPU", (9, 0), 132)
    assert 3.3e12 < card.bandwidth < 3.4e12
    assert card.clock == 1.755e9


def test_cards_whose_clocks_are_not_told_are_taken_all_the_same():
    found = find(StandIn(clockRate=0, memoryClockRate=0))
    assert found.devices["cuda:0"].card.bandwidth > 0
    assert found.devices["cuda:0"].card.clock > 0


REASONS = [
    (StandIn(faults={"cupy": ImportError("No module named 'cupy'")}), "CuPy can't be imported"),
    (StandIn(faults={"cupy": OSError("libcuda.so")}), "CuPy fails as it is imported: OSError"),
    (StandIn(faults={"driver": RuntimeError("cudaErrorNoDevice")}), "no NVIDIA driver was found"),
    (StandIn(count=0), "shows no GPU"),
    (StandIn(faults={"nvrtc": RuntimeError("libnvrtc.so.13")}), "NVRTC"),
    (StandIn(major=6, minor=1), "Some GPU has compute capability 6.1, and 7.5 is the least"),
    (StandIn(major=13, minor=0), "NVRTC 13.0 doesn't know Some GPU"),
    (StandIn(faults={"properties": RuntimeError("lost")}), "can't be asked what it is: lost"),
    (StandIn(faults={"memory": RuntimeError("out of memory")}), "no context could be made"),
    (StandIn(free=1 << 20), "1 MiB of free memory"),
]


@pytest.mark.parametrize(("load", "reason"), REASONS, ids=[reason for _, reason in REASONS])
def test_what_is_missing_is_said(load, reason):
    backend = CudaBackend(lambda: find(load))
    probe = backend.probe()
    assert probe.devices == ()
    assert reason in probe.reason
    assert "\n" not in probe.reason


def test_how_to_install_cupy_is_said():
    probe = find(StandIn(faults={"cupy": ImportError("No module named 'cupy'")}))
    assert 'pip install "fastconv-cuda[cuda13]"' in probe.reason


def test_one_old_card_beside_a_new_one_is_left_out():
    load = StandIn(count=2)
    cards = [PROPERTIES | {"major": 6, "minor": 0}, PROPERTIES]
    load.modules["cupy"].cuda.runtime.getDeviceProperties = cards.__getitem__
    found = find(load)
    assert list(found.devices) == ["cuda:1"]


@pytest.mark.skipif("cupy" in sys.modules, reason="something else imported CuPy")
def test_the_real_search_raises_nothing():
    found = find()
    assert bool(found.devices) != bool(found.reason)
