"""What forward keeps, and when backward is refused."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import fastconv
from fastconv import layers as L

MAKERS = {
    "Conv2d": (lambda: L.Conv2d(2, 3, 3, padding=1, seed=0), (1, 2, 4, 4)),
    "ConvTranspose2d": (lambda: L.ConvTranspose2d(2, 3, 2, seed=0), (1, 2, 4, 4)),
    "Linear": (lambda: L.Linear(4, 3, seed=0), (2, 4)),
    "MaxPool2d": (lambda: L.MaxPool2d(2), (1, 2, 4, 4)),
    "AvgPool2d": (lambda: L.AvgPool2d(2), (1, 2, 4, 4)),
    "BatchNorm2d": (lambda: L.BatchNorm2d(2), (2, 2, 4, 4)),
    "ReLU": (L.ReLU, (3, 4)),
    "Sigmoid": (L.Sigmoid, (3, 4)),
    "Dropout": (L.Dropout, (3, 4)),
    "Flatten": (L.Flatten, (3, 4, 2)),
    "Sequential": (lambda: L.Sequential(L.Linear(4, 4, seed=0), L.ReLU()), (3, 4)),
}


@pytest.fixture(params=MAKERS)
def case(request):
    make, shape = MAKERS[request.param]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return make(), x


def test_backward_before_forward_is_refused(case):
    layer, x = case
    with pytest.raises(RuntimeError, match=r"backward: nothing to differentiate.*has not run"):
        layer.backward(x)


def test_backward_twice_is_refused(case):
    layer, x = case
    y = layer(x)
    layer.backward(y)
    with pytest.raises(RuntimeError, match="backward has run since the last forward"):
        layer.backward(y)


def test_backward_after_evaluation_is_refused(case):
    layer, x = case
    layer(x)
    y = layer.eval()(x)
    with pytest.raises(RuntimeError, match="evaluation mode"):
        layer.backward(y)
    layer.train()(x)
    assert layer.backward(y).shape == x.shape


def test_a_gradient_of_the_wrong_shape_is_refused_and_may_be_corrected(case):
    layer, x = case
    y = layer(x)
    with pytest.raises(ValueError, match="grad"):
        layer.backward(np.ones((*y.shape, 1), np.float32))
    assert layer.backward(np.ones_like(y)).shape == x.shape


class Watched(np.ndarray):
    """An array that weak references can point to."""


def test_backward_releases_what_forward_kept(case):
    layer, x = case
    watched = x.copy().view(Watched)
    gone = weakref.ref(watched)
    y = np.array(layer(watched))
    layer.backward(y)
    del watched
    gc.collect()
    assert gone() is None


def test_evaluation_keeps_nothing(case):
    layer, x = case
    layer.eval()
    watched = x.copy().view(Watched)
    gone = weakref.ref(watched)
    np.array(layer(watched))
    del watched
    gc.collect()
    assert gone() is None


def test_results_are_fresh_arrays_of_the_inputs_dtype(case):
    layer, x = case
    kept = x.copy()
    y = layer(x)
    assert y.dtype == np.float32
    by_x = layer.backward(np.ones_like(y))
    assert by_x.dtype == np.float32
    assert by_x.flags.writeable
    np.testing.assert_array_equal(x, kept)


def test_one_image_in_evaluation_copies_no_weights():
    layer = L.Conv2d(512, 512, 3, padding=1, bias=False, seed=0).eval()
    x = np.ones((1, 512, 4, 4), np.float32)
    layer(x)
    tracemalloc.start()
    layer(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert layer.weight.nbytes == 9 * 2**20
    assert peak < layer.weight.nbytes / 4


def test_backward_runs_under_the_policy_of_forward():
    layer = L.Conv2d(1, 1, 2, seed=0)
    x = np.ones((1, 1, 4, 4), np.float32)
    with fastconv.use(algorithm="reference", threads=1):
        y = layer(x)
    with fastconv.trace() as records:
        layer.backward(y)
    assert {record.algorithm for record in records if "conv" in record.operation} == {"reference"}
    assert {record.threads for record in records} == {1}


def test_the_constructors_policy_serves_both_passes():
    layer = L.MaxPool2d(2, algorithm="reference")
    with fastconv.trace() as records:
        layer.backward(layer(np.ones((1, 1, 4, 4), np.float32)))
    assert [record.algorithm for record in records] == ["reference", "reference"]


def test_bad_policies_are_refused_by_the_constructor():
    with pytest.raises(TypeError, match=r"Conv2d\(\) got an unexpected keyword argument 'thread'"):
        L.Conv2d(1, 1, 1, thread=2)
    with pytest.raises(ValueError, match="Linear: threads: got 0"):
        L.Linear(1, 1, threads=0)
    with pytest.raises(ValueError, match="MaxPool2d: precision: got 'float7'"):
        L.MaxPool2d(2, precision="float7")
