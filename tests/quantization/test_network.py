"""Nets on integers of 8 bits: folding, what flows between layers, how near they come."""

from __future__ import annotations

import handwriting
import numpy as np
import pytest

from fastconv import layers as L
from fastconv.quantization import fold_batch_norm, quantize_network

# Which candidates there are depends on the machine; one may be slow, and says so.
pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")
RNG = np.random.default_rng(0)


def _batches(*shape, count=3):
    return [RNG.normal(size=shape).astype("float32") for _ in range(count)]


def _settled(net, batches):
    """Let batch norms see batches, and give them parameters that aren't 1 and 0."""
    for layer in net:
        if hasattr(layer, "running_mean") and layer.weight is not None:
            layer.weight[...] = RNG.uniform(0.5, 2, layer.weight.shape)
            layer.bias[...] = RNG.normal(size=layer.bias.shape)
    for batch in batches:
        net(batch)
    return net.eval()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_folding_changes_no_result(bias, affine):
    batches = _batches(16, 4, 9, 8)
    net = L.Sequential(
        L.Conv2d(4, 6, 3, groups=2, stride=2, padding=1, bias=bias, seed=0),
        L.BatchNorm2d(6, affine=affine),
        L.Sequential(L.ReLU(), L.Dropout(0.5, seed=1), L.Flatten()),
        L.Linear(120, 5, bias=bias, seed=2),
        L.BatchNorm1d(5, affine=affine),
    )
    _settled(net, batches)
    before = net.state_dict()
    folded = fold_batch_norm(net)
    assert [type(layer).__name__ for layer in folded] == ["Conv2d", "ReLU", "Flatten", "Linear"]
    np.testing.assert_allclose(folded(batches[0]), net(batches[0]), rtol=1e-4, atol=1e-5)
    for name, value in before.items():
        np.testing.assert_array_equal(net.state_dict()[name], value)
    assert folded[0].weight is not net[0].weight


def test_a_batch_norm_without_a_product_before_it_stays():
    net = L.Sequential(L.BatchNorm2d(2), L.Conv2d(2, 2, 1, seed=0), L.ReLU(), L.BatchNorm2d(2))
    _settled(net, _batches(8, 2, 5, 5))
    assert [type(layer).__name__ for layer in fold_batch_norm(net)] == [
        "BatchNorm2d", "Conv2d", "ReLU", "BatchNorm2d",
    ]  # fmt: skip
    own = L.BatchNorm2d(2, track_running_stats=False)
    assert len(fold_batch_norm(L.Sequential(L.Conv2d(2, 2, 1, seed=0), own))) == 2


def test_what_is_no_sequential_is_refused():
    with pytest.raises(TypeError, match=r"fold_batch_norm: net: got .*expected a Sequential"):
        fold_batch_norm(L.ReLU())
    with pytest.raises(ValueError, match="quantize_network: batches: got none"):
        quantize_network(L.Sequential(L.Linear(2, 2, seed=0)), [])
    with pytest.raises(ValueError, match=r"Calibrator: method: got 'best'"):
        quantize_network(L.Sequential(L.Linear(2, 2, seed=0)), [np.ones((1, 2))], method="best")
    with pytest.raises(ValueError, match="NaN or inf"):
        quantize_network(L.Sequential(L.Linear(2, 2, seed=0)), [np.full((1, 2), np.nan)])


def _nets():
    last = {"layout": "NHWC"}
    return {
        "images": (
            L.Sequential(
                L.Conv2d(3, 8, 3, padding=1, seed=0), L.BatchNorm2d(8), L.ReLU(),
                L.MaxPool2d(2), L.Conv2d(8, 8, 3, groups=2, seed=1), L.ReLU6(),
                L.Flatten(), L.Linear(32, 6, seed=2),
            ),
            (20, 3, 8, 8),
            ["Quantize", "QuantizedProduct", "MaxPool2d", "QuantizedProduct", "Flatten",
             "QuantizedProduct"],
        ),
        "others between": (
            L.Sequential(
                L.Conv2d(3, 8, 3, seed=0), L.Tanh(), L.AvgPool2d(2), L.Conv2d(8, 4, 2, seed=1),
                L.ReLU(), L.Sigmoid(),
            ),
            (20, 3, 8, 8),
            ["Quantize", "QuantizedProduct", "Tanh", "AvgPool2d", "Quantize", "QuantizedProduct",
             "ReLU", "Sigmoid"],
        ),
        "channels last": (
            L.Sequential(
                L.Conv2d(3, 8, 3, seed=0, **last), L.ReLU(),
                L.Conv2d(8, 4, 3, padding="same", bias=False, seed=1, **last),
            ),
            (20, 8, 8, 3),
            ["Quantize", "QuantizedProduct", "QuantizedProduct"],
        ),
        "signals": (
            L.Sequential(L.Conv1d(3, 8, 5, seed=0), L.Conv1d(8, 5, 3, dilation=2, seed=1)),
            (20, 3, 30),
            ["Quantize", "QuantizedProduct", "QuantizedProduct"],
        ),
        "volumes": (
            L.Sequential(
                L.Conv3d(2, 4, 2, seed=0), L.ReLU(), L.Flatten(), L.Linear(108, 3, seed=1)
            ),
            (20, 2, 4, 4, 4),
            ["Quantize", "QuantizedProduct", "Flatten", "QuantizedProduct"],
        ),
        "rows of rows": (
            L.Sequential(L.Linear(12, 9, seed=0), L.ReLU(), L.Linear(9, 4, seed=1)),
            (7, 5, 12),
            ["Quantize", "QuantizedProduct", "QuantizedProduct"],
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", _nets())
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("method", ["minmax", "mse", "percentile"])
def test_integers_come_near_the_numbers_they_stand_for(name, dtype, method):
    net, shape, expected = _nets()[name]
    batches = _batches(*shape)
    _settled(net, batches)
    small = quantize_network(net, batches, dtype=dtype, method=method, percentile=99.9)
    assert [type(layer).__name__ for layer in small] == expected
    exact, got = net(batches[1]), small(batches[1])
    assert got.dtype == np.float32
    assert got.shape == exact.shape
    assert np.sqrt(((got - exact) ** 2).mean()) < 0.05 * exact.std()
    assert not small.training


def test_a_quantised_net_is_saved_and_loaded(tmp_path):
    batches = _batches(20, 3, 8, 8)

    def small(seed):
        net = L.Sequential(
            L.Conv2d(3, 4, 3, seed=seed), L.ReLU(), L.Flatten(), L.Linear(144, 3, seed=seed)
        )
        return quantize_network(net, batches)

    first, second = small(0), small(1)
    expected = first(batches[0])
    assert (second(batches[0]) != expected).any()
    first.save(tmp_path / "net.npz")
    second.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(second(batches[0]), expected)
    assert first.parameters() == {}
    assert sum(array.nbytes for array in first.buffers().values()) < 700


def test_a_net_learns_digits_and_keeps_them_in_8_bits():
    images, labels, test_images, test_labels = handwriting.digits()
    net = handwriting.network()
    handwriting.train(net, images[:2000], labels[:2000], epochs=1, batch=32, lr=0.004)
    net.eval()
    small = quantize_network(net, [images[:300]])
    exact = handwriting.accuracy(net, test_images[:400], test_labels[:400])
    assert exact > 0.85
    assert handwriting.accuracy(small, test_images[:400], test_labels[:400]) >= exact - 0.02


@pytest.mark.slow
@pytest.mark.parametrize("method", ["minmax", "mse", "percentile"])
def test_8_bits_read_digits_as_well_as_32_do(method):
    images, labels, test_images, test_labels = handwriting.digits()
    net = handwriting.network()
    handwriting.train(net, images, labels, epochs=3)
    exact = handwriting.accuracy(net, test_images, test_labels)
    small = quantize_network(net, [images[:500]], method=method)
    assert exact > 0.97
    assert handwriting.accuracy(small, test_images, test_labels) >= exact - 0.005
