"""Bad constructor arguments, and the module tree."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv import layers as L


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.Conv2d(0, 1, 1), ValueError, "Conv2d: in_channels: got 0, expected 1 or more"),
        (lambda: L.Conv2d(1, 1.5, 1), TypeError, "Conv2d: out_channels: got 1.5, expected an int"),
        (lambda: L.Conv2d(3, 4, 1, groups=2), ValueError, "Conv2d: groups: got 2"),
        (lambda: L.Conv2d(1, 1, (1, 2, 3)), ValueError, "Conv2d: kernel_size"),
        (lambda: L.Conv2d(1, 1, 0), ValueError, "Conv2d: kernel_size: got 0"),
        (lambda: L.Conv2d(1, 1, 1, stride=0), ValueError, "Conv2d: stride: got 0"),
        (lambda: L.Conv2d(1, 1, 1, layout="CHWN"), ValueError, "Conv2d: layout: got 'CHWN'"),
        (lambda: L.Conv2d(1, 1, 1, dtype="int32"), TypeError, "Conv2d: dtype: got int32"),
        (lambda: L.Conv2d(1, 1, 1, dtype="float33"), TypeError, "Conv2d: dtype"),
        (lambda: L.Conv2d(1, 1, 1, rng=3), TypeError, "Conv2d: rng: got 3"),
        (
            lambda: L.Conv2d(1, 1, 1, seed=1, rng=np.random.default_rng()),
            ValueError,
            "Conv2d: seed: got 1 beside rng",
        ),
        (lambda: L.Linear(1, -1), ValueError, "Linear: out_features: got -1"),
        (lambda: L.Sequential(L.ReLU), TypeError, "Sequential: layer 0"),
    ],
)
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_layer_used_twice_is_refused():
    layer = L.ReLU()
    with pytest.raises(ValueError, match="one layer twice"):
        L.Sequential(layer, L.Sequential(layer))


def test_sequential_names_counts_and_indexes():
    inner = L.Sequential(L.ReLU(), L.BatchNorm1d(3))
    net = L.Sequential(L.Linear(2, 3, bias=False), inner)
    assert list(net.parameters()) == ["0.weight", "1.1.weight", "1.1.bias"]
    assert list(net.gradients()) == list(net.parameters())
    assert list(net.buffers()) == [
        "1.1.running_mean",
        "1.1.running_var",
        "1.1.num_batches_tracked",
    ]
    assert len(net) == 2
    assert net[1] is inner
    assert list(net) == [net[0], inner]
    net.eval()
    assert not inner[1].training
    assert net.train() is net
    assert inner[1].training


def test_gradients_are_none_before_the_first_backward():
    assert L.Linear(2, 3).gradients() == {"weight": None, "bias": None}


def test_a_rebound_parameter_is_used():
    layer = L.Linear(2, 1, bias=False)
    layer.weight = np.array([[2.0, 3.0]])
    assert layer(np.array([[1.0, 1.0]])).tolist() == [[5.0]]
    assert layer.parameters()["weight"] is layer.weight
