"""NumPy arrays to the device and back, through fastconv's own functions."""

from __future__ import annotations

import numpy as np
import pytest
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.host import HostBackend
from fastconv_cuda.pieces import cut_for
from problems import conv_problem
from simt.device import simulated

import fastconv

pytestmark = pytest.mark.simulated


@pytest.fixture(scope="module", autouse=True)
def _registered():
    backend = HostBackend(simulated)
    fastconv.register_backend(backend, replace_existing=True)  # it may be installed
    yield
    fastconv.unregister_backend("cuda_host")


def arrays(dtype=np.float32):
    rng = np.random.default_rng(3)
    x = rng.integers(-4, 5, (2, 6, 9, 8)).astype(dtype)
    w = rng.integers(-3, 4, (4, 3, 3, 3)).astype(dtype)
    return x, w


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_asked_for_they_are_moved(device):
    x, w = arrays()
    with fastconv.trace() as ran:
        y = fastconv.conv2d(x, w, padding=1, groups=2, device=device)
    assert isinstance(y, np.ndarray)
    assert (ran[0].backend, ran[0].device) == ("cuda_host", "cuda:0")
    np.testing.assert_array_equal(y, fastconv.conv2d(x, w, padding=1, groups=2))


def test_strided_inputs_and_outputs_are_served():
    x, w = arrays()
    out = np.zeros((2, 9, 8, 4), np.float32).transpose(0, 3, 1, 2)
    y = fastconv.conv2d(x[::-1, :, ::-1], w, padding=1, groups=2, device="cuda", out=out)
    assert y is out
    np.testing.assert_array_equal(y, fastconv.conv2d(x[::-1, :, ::-1], w, padding=1, groups=2))


def test_gradients_and_pools():
    x, w = arrays()
    grad = np.ones((2, 4, 9, 8), np.float32)
    on_gpu = fastconv.conv2d_backward(grad, x, w, padding=1, groups=2, device="cuda")
    on_cpu = fastconv.conv2d_backward(grad, x, w, padding=1, groups=2)
    for a, b in zip(on_gpu, on_cpu, strict=True):
        np.testing.assert_array_equal(a, b)
    values, indices = fastconv.max_pool2d(x, 2, return_indices=True, device="cuda")
    expected, places = fastconv.max_pool2d(x, 2, return_indices=True)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(indices, places)


@pytest.mark.parametrize("size", [600, 2000])
def test_large_batches_go_in_pieces(size, monkeypatch):
    monkeypatch.setattr("fastconv_cuda.pieces.PIECE_BYTES", size)
    x, w = arrays()
    x = np.concatenate([x, x[::-1] + 1, x - 2, x[:1]])
    bias = np.arange(4, dtype=np.float32)
    grad = np.random.default_rng(4).integers(-3, 4, (7, 4, 9, 8)).astype(np.float32)
    options = {"padding": 1, "groups": 2}
    look = fastconv.explain(fastconv.conv2d, x, w, **options, device="cuda").problems[0]
    assert "pieces that overlap" in look.chosen.reason
    calls = (
        lambda **where: fastconv.conv2d(x, w, bias, **options, **where),
        lambda **where: fastconv.conv2d_input_grad(x.shape, w, grad, **options, **where),
        lambda **where: fastconv.max_pool2d(x, 2, return_indices=True, **where)[1],
        lambda **where: fastconv.avg_pool2d(x[:, :, ::-1], 3, **where),
    )
    for call in calls:
        np.testing.assert_array_equal(call(device="cuda"), call())


def test_a_weight_gradient_goes_in_one_piece():
    problem = conv_problem("conv_weight_grad", (19, 64, 64, 64), (64, 64, 3, 3), padding=1)
    assert cut_for(problem) is None
    forward = conv_problem("conv_forward", (19, 64, 64, 64), (64, 64, 3, 3), padding=1)
    cut = cut_for(forward)
    assert (cut.count - 1) * cut.images + cut.rest == 19


def test_auto_weighs_the_bus_against_the_processor():
    x, w = arrays()
    look = fastconv.explain(fastconv.conv2d, x, w, groups=2, device="auto").problems[0]
    names = {c.backend for c in look.candidates}
    assert {"cpu", "cuda_host"} <= names
    # A layer of microseconds stays where it is.
    assert look.chosen.backend == "cpu"


def test_unasked_nothing_moves():
    x, w = arrays()
    with fastconv.trace() as ran:
        fastconv.conv2d(x, w, groups=2)
    assert ran[0].backend == "cpu"


def test_the_arrays_of_the_card_are_not_the_hosts():
    backend = CudaBackend(simulated)
    fastconv.register_backend(backend, replace_existing=True)  # it may be installed
    x, w = arrays()
    try:
        with pytest.raises(fastconv.UnsupportedError, match=r"takes cupy\.ndarray"):
            fastconv.conv2d(x, w, groups=2, backend="cuda")
    finally:
        fastconv.unregister_backend("cuda")
