"""Batch normalisation against PyTorch's formulas, written out."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv import layers as L


def test_training_normalises_by_the_batch_and_tracks_unbiased_statistics():
    layer = L.BatchNorm2d(3, eps=1e-3, momentum=0.3, dtype="float64")
    rng = np.random.default_rng(0)
    layer.weight[...], layer.bias[...] = rng.normal(size=(2, 3))
    running_mean, running_var = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = rng.normal(2, 3, size=(4, 3, 5, 2))
        y = layer(x)
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        spread = (slice(None), None, None)
        normal = (x - mean[spread]) / np.sqrt(var[spread] + 1e-3)
        np.testing.assert_allclose(y, normal * layer.weight[spread] + layer.bias[spread])
        running_mean = 0.7 * running_mean + 0.3 * mean
        running_var = 0.7 * running_var + 0.3 * var * 40 / 39
    np.testing.assert_allclose(layer.running_mean, running_mean)
    np.testing.assert_allclose(layer.running_var, running_var)
    assert layer.num_batches_tracked == 3


def test_evaluation_uses_the_running_statistics_and_leaves_them():
    layer = L.BatchNorm1d(2, dtype="float64").eval()
    layer.running_mean[...] = [1, -1]
    layer.running_var[...] = [4, 9]
    before = layer.state_dict()
    x = np.array([[3.0, 2.0]])
    np.testing.assert_allclose(layer(x), [[2 / np.sqrt(4 + 1e-5), 3 / np.sqrt(9 + 1e-5)]])
    for name, value in before.items():
        np.testing.assert_array_equal(value, layer.state_dict()[name])


def test_momentum_none_averages_all_batches():
    layer = L.BatchNorm1d(1, momentum=None, dtype="float64")
    batches = np.random.default_rng(0).normal(size=(5, 7, 1))
    for x in batches:
        layer(x)
    np.testing.assert_allclose(layer.running_mean, batches.mean((0, 1)))
    np.testing.assert_allclose(layer.running_var, batches.var(1, ddof=1).mean(0))


def test_running_statistics_keep_their_identity():
    layer = L.BatchNorm1d(2)
    before = layer.buffers()
    layer(np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32))
    for name, array in layer.buffers().items():
        assert array is before[name]


def test_untracked_statistics_come_from_the_batch_in_evaluation_too():
    layer = L.BatchNorm1d(2, track_running_stats=False, dtype="float64").eval()
    assert layer.buffers() == {}
    y = layer(np.random.default_rng(0).normal(5, 3, size=(50, 2)))
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)


def test_channels_last_gives_the_same_numbers():
    first, last = L.BatchNorm2d(3), L.BatchNorm2d(3, layout="NHWC")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(
        last(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2), first(x), rtol=1e-5, atol=1e-6
    )


def test_16_bit_input_is_summed_in_32_bits():
    # 2048 + 1 is 2048 in float16: a sum kept there would stall.
    layer = L.BatchNorm1d(1, affine=False, track_running_stats=False)
    x = np.random.default_rng(0).normal(40, 1, size=(100_000, 1)).astype(np.float16)
    y = layer(x)
    assert y.dtype == np.float16
    assert abs(y.astype(np.float64).mean()) < 1e-3


def test_a_mean_far_from_zero_keeps_the_variance():
    layer = L.BatchNorm1d(1, dtype="float64")
    x = np.random.default_rng(0).normal(1e8, 1, size=(1000, 1))
    assert layer(x).std() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (L.BatchNorm2d(3), (2, 4, 5, 5), "3 channels on axis 1"),
        (L.BatchNorm2d(3), (2, 3, 5), "4 axes"),
        (L.BatchNorm1d(3, layout="NLC"), (2, 3, 5), "3 channels on axis last"),
        (L.BatchNorm1d(3), (1, 3), "one value per channel"),
        (L.BatchNorm1d(3), (0, 3), "one value per channel"),
    ],
)
def test_wrong_inputs_are_refused(layer, shape, message):
    before = layer.state_dict()
    with pytest.raises(ValueError, match=message):
        layer(np.zeros(shape, np.float32))
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="BatchNorm2d: layout: got 'NCW'"):
        L.BatchNorm2d(3, layout="NCW")
    with pytest.raises(ValueError, match="BatchNorm1d: num_features: got 0"):
        L.BatchNorm1d(0)
    with pytest.raises(TypeError, match="a real dtype"):
        L.BatchNorm1d(2, dtype=complex)
    with pytest.raises(TypeError, match="BatchNorm1d: x: got dtype complex128"):
        L.BatchNorm1d(2)(np.zeros((2, 2), complex))
