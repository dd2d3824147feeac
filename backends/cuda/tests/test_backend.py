"""Selection and planning, on the simulated device: nothing is compiled here."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from fastconv_cuda.backend import INFO, CudaBackend
from fastconv_cuda.finding import Found
from fastconv_cuda.host import HOST_INFO, HostBackend
from simt.device import simulated

from fastconv.backend import Policy
from fastconv.problem import OPERATIONS
from fastconv.testing import case_named

PLAIN = case_named("conv_forward-plain-float32").problem("cuda:0")


@pytest.fixture
def backend():
    """Return the backend with one device."""
    return CudaBackend(simulated)


def test_importing_the_package_loads_neither_cupy_nor_a_driver():
    code = (
        "import sys, fastconv_cuda; fastconv_cuda.BACKEND.info; fastconv_cuda.HOST_BACKEND.info; "
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in "
        "('cupy', 'cupy_backends', 'cuda', 'nvidia', 'torch', 'ml_dtypes', 'platformdirs')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_both_backends_name_every_operation():
    assert INFO.operations == HOST_INFO.operations == OPERATIONS
    assert INFO.array_types == ("cupy.ndarray",)
    assert HOST_INFO.array_types == ("numpy.ndarray",)


def test_a_device_that_is_not_there_is_declined(backend):
    (decision,) = backend.decide(replace(PLAIN, device="cuda:7"), Policy())
    assert not decision.can
    assert "it runs on cuda:0, and the arrays' device is cuda:7" in decision.reason


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "auto"])
def test_a_kind_of_device_means_its_first(backend, device):
    first = backend.decide(replace(PLAIN, device=device), Policy())[0]
    assert (first.can, first.device) == (True, "cuda:0")


def test_without_a_device_the_reason_is_kept():
    backend = CudaBackend(lambda: Found(reason="no card"))
    assert backend.probe().reason == "no card"
    (decision,) = backend.decide(PLAIN, Policy())
    assert "no card" in decision.reason


def test_the_search_happens_once():
    looks = []

    def look():
        looks.append(1)
        return simulated()

    backend = CudaBackend(look)
    for _ in range(3):
        backend.probe()
        backend.decide(PLAIN, Policy())
    assert len(looks) == 1


def test_precision_that_nothing_has_is_declined_with_a_reason(backend):
    weight = case_named("conv_weight_grad-plain-float32").problem("cuda:0")
    (first, *_) = backend.decide(weight, Policy(precision="float64"))
    assert (first.can, first.precision) == (True, "float64")
    problem = case_named("bias_grad-2d-float32").problem("cuda:0")
    found = backend.decide(problem, Policy(precision="float64"))
    assert not any(decision.can for decision in found)
    assert any("precision='float64'" in decision.reason for decision in found)


def test_the_quickest_comes_first(backend):
    found = [d for d in backend.decide(PLAIN, Policy()) if d.can]
    assert [d.seconds for d in found] == sorted(d.seconds for d in found)


def test_host_arrays_are_never_moved_unasked():
    backend = HostBackend(simulated)
    (decision,) = backend.decide(replace(PLAIN, device="cpu"), Policy(backend="cuda_host"))
    assert not decision.can
    assert 'device="cuda"' in decision.reason


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "auto"])
def test_transfers_count_and_are_shown(backend, device):
    problem = replace(PLAIN, device=device)
    there = backend.decide(problem, Policy())[0]
    moved = HostBackend(simulated).decide(problem, Policy(device=device))[0]
    assert moved.seconds > there.seconds
    assert "transfers take" in moved.reason
