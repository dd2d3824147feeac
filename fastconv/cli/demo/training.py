"""Train a small network on the handwritten digits that come with scikit-learn."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastconv.cli.demo.textbook import training_step
from fastconv.cli.demo.timing import median_times
from fastconv.layers import (
    Adam,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
)

Array = NDArray[Any]
BATCH = 64
RATE = 0.005


@dataclass(frozen=True)
class Digits:
    """Images (N, 1, 8, 8) float32 in 0..1 and labels, to train on and held back."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array

    @property
    def batches(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.train_labels) // BATCH)


@dataclass
class History:
    """What training left: loss of every step, accuracy on the held-back images by epoch."""

    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)


def load_digits(seed: int) -> Digits:
    """The 1,797 digits of scikit-learn, shuffled; a fifth is held back."""
    from sklearn import datasets

    data = datasets.load_digits()
    images = (data.images / 16).astype(np.float32)[:, None]
    labels = data.target.astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(labels))
    held = len(labels) // 5
    test, train = order[:held], order[held:]
    return Digits(images[train], labels[train], images[test], labels[test])


def build_network(seed: int) -> Sequential:
    """Two convolutions, a pool and two fully connected layers: 38,282 parameters."""
    rng = np.random.default_rng(seed)
    return Sequential(
        Conv2d(1, 16, 3, padding=1, rng=rng),
        ReLU(),
        Conv2d(16, 32, 3, padding=1, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(512, 64, rng=rng),
        ReLU(),
        Linear(64, 10, rng=rng),
    )


def train(
    network: Sequential,
    digits: Digits,
    epochs: int,
    seed: int,
    on_step: Callable[[History], None] = lambda history: None,
) -> History:
    """Train with Adam, the rate falling to nothing along a half cosine.

    ``on_step`` is called after every step with the history so far.
    """
    rng = np.random.default_rng(seed)
    history, loss_of = History(), SoftmaxCrossEntropy()
    optimizer = Adam(network, lr=RATE)
    steps = epochs * digits.batches
    for _ in range(epochs):
        network.train()
        order = rng.permutation(len(digits.train_labels))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            progress = len(history.losses) / steps
            optimizer.lr = RATE * (0.5 + 0.5 * math.cos(math.pi * progress))
            images = jitter(digits.train_images[chosen], rng)
            loss = loss_of(network(images), digits.train_labels[chosen])
            network.backward(loss_of.backward())
            optimizer.step()
            history.losses.append(loss)
            on_step(history)
        history.accuracies.append(accuracy(network, digits.test_images, digits.test_labels))
    return history


def jitter(images: Array, rng: np.random.Generator) -> Array:
    """Copies with noise, one in eight shifted by a pixel along each axis.

    1,438 images are few: without it the network learns them by heart and reads about 98% of others.
    """
    count, _, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    top, left = rng.choice(3, (2, count, 1), p=(1 / 16, 7 / 8, 1 / 16))
    rows, columns = top + np.arange(height), left + np.arange(width)
    one_each = np.arange(count)[:, None, None]
    moved = padded[one_each, 0, rows[:, :, None], columns[:, None, :]][:, None]
    noise = rng.standard_normal(moved.shape, dtype=np.float32)
    noisy: Array = moved + np.float32(0.15) * noise
    return noisy


def accuracy(network: Sequential, images: Array, labels: Array) -> float:
    """Share of the images whose largest output is their label's."""
    network.eval()
    return float((network(images).argmax(1) == labels).mean())


@dataclass(frozen=True)
class StepComparison:
    """One training step, forward and backward: median seconds by name, and how far they differ."""

    batch: int
    times: dict[str, float]
    difference: float


def compare_step(digits: Digits, seed: int, repeats: int) -> StepComparison:
    """Time the same step of the same network in plain NumPy and in fastconv.

    ``difference`` is the largest one between gradients, relative to the largest entry of each.
    """
    network, loss_of = build_network(seed).train(), SoftmaxCrossEntropy()
    parameters = network.parameters()
    images = np.resize(digits.train_images, (256, 1, 8, 8))
    labels = np.resize(digits.train_labels, 256)

    def ours() -> dict[str, Array]:
        loss_of(network(images), labels)
        network.backward(loss_of.backward())
        return network.gradients()

    def textbook() -> dict[str, Array]:
        return training_step(parameters, images, labels)[1]

    times, results = median_times({"NumPy im2col": textbook, "fastconv": ours}, repeats)
    expected, got = results["NumPy im2col"], results["fastconv"]
    difference = max(
        float(np.abs(got[name] - expected[name]).max() / np.abs(expected[name]).max())
        for name in expected
    )
    return StepComparison(len(images), times, difference)
