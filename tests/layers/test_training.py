"""Small networks learn."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv import layers as L


def bars(count, seed):
    """Images of noise with a horizontal (class 0) or a vertical (class 1) bar somewhere."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 0.3, size=(count, 1, 8, 8)).astype(np.float32)
    labels = rng.integers(0, 2, count)
    for image, label, place in zip(images, labels, rng.integers(0, 8, count), strict=True):
        if label:
            image[0, :, place] += 1
        else:
            image[0, place, :] += 1
    return images, labels


@pytest.mark.parametrize("make", [lambda net: L.Adam(net, 0.01), lambda net: L.SGD(net, 0.05, 0.9)])
def test_a_convolutional_net_tells_bars_apart(make):
    net = L.Sequential(
        L.Conv2d(1, 8, 3, padding="same", seed=0),
        L.BatchNorm2d(8),
        L.ReLU(),
        L.MaxPool2d(2),
        L.Dropout(0.1, seed=1),
        L.Flatten(),
        L.Linear(8 * 16, 2, seed=2),
    )
    optimizer, loss = make(net), L.SoftmaxCrossEntropy()
    images, labels = bars(256, seed=0)
    for _ in range(6):
        for start in range(0, len(images), 32):
            loss(net(images[start : start + 32]), labels[start : start + 32])
            net.backward(loss.backward())
            optimizer.step()
    images, labels = bars(200, seed=1)
    net.eval()
    assert (net(images).argmax(1) == labels).mean() > 0.95
    assert loss(net(images), labels) < 0.2


def test_training_repeats_bit_for_bit():
    def run():
        first, last = L.Linear(3, 4, seed=0), L.Linear(4, 1, seed=2)
        net = L.Sequential(first, L.Dropout(seed=1), L.Tanh(), last)
        optimizer = L.Adam(net)
        x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
        for _ in range(3):
            net.backward(net(x))
            optimizer.step()
        return net.state_dict()

    first, second = run(), run()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
