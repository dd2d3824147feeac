"""MNIST's 10,000 test images, for tests that train: 9,000 to learn from, 1,000 to be asked."""

from __future__ import annotations

import gzip
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fastconv import layers as L

FOLDER = Path(
    os.environ.get("FASTCONV_MNIST") or Path(__file__).parents[2] / "shared" / "data" / "mnist"
)
TRAINING = 9000


@cache
def _digits():
    images, labels = (
        gzip.decompress((FOLDER / f"t10k-{name}-ubyte.gz").read_bytes())
        for name in ("images-idx3", "labels-idx1")
    )
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return (pixels / 255).astype(np.float32), np.frombuffer(labels, np.uint8, offset=8).astype(int)


def digits():
    """Return the images to train on, their labels, those to test with, and their labels."""
    if not (FOLDER / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip(f"{FOLDER} has no images of MNIST: set FASTCONV_MNIST to a folder that has")
    images, labels = _digits()
    return images[:TRAINING], labels[:TRAINING], images[TRAINING:], labels[TRAINING:]


def network(seed=0):
    """Return two convolutions with batch norm, two linear layers."""
    rng = np.random.default_rng(seed)
    return L.Sequential(
        L.Conv2d(1, 16, 3, padding=1, rng=rng),
        L.BatchNorm2d(16),
        L.ReLU(),
        L.MaxPool2d(2),
        L.Conv2d(16, 32, 3, padding=1, rng=rng),
        L.BatchNorm2d(32),
        L.ReLU(),
        L.MaxPool2d(2),
        L.Flatten(),
        L.Linear(32 * 49, 64, rng=rng),
        L.ReLU(),
        L.Linear(64, 10, rng=rng),
    )


def train(net, images, labels, epochs, batch=64, lr=0.002):
    """Train with Adam, the rate falling along a half cosine; return the scaler of the loss."""
    scaler, optimizer, loss = L.LossScaler(interval=200), L.Adam(net, lr), L.SoftmaxCrossEntropy()
    rng = np.random.default_rng(1)
    steps = epochs * -(-len(images) // batch)
    net.train()
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        for number, start in enumerate(range(0, len(images), batch)):
            done = (epoch * len(images) + number * batch) / batch / steps
            optimizer.lr = lr * 0.5 * (1 + np.cos(np.pi * min(done, 1)))
            chosen = order[start : start + batch]
            loss(net(images[chosen]), labels[chosen])
            net.backward(loss.backward(scaler.scale))
            scaler.step(optimizer)
    return scaler


def accuracy(net, images, labels):
    """Return the share of images that a net reads right."""
    net.eval()
    return float((np.asarray(net(images)).argmax(1) == labels).mean())
