"""Six 3x3 convolutions on handwritten digits, forward, beside the textbook's layers.

MNIST's test images are used where FASTCONV_MNIST names a folder that holds them, and random
images of the same shape elsewhere: the time depends on the shape alone.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np

import fastconv

from . import textbook

CHANNELS = (16, 16, 32, 32, 64, 64)
BATCH = 100


def images(count: int, dtype: str) -> Any:
    """Return (count, 1, 28, 28) images between 0 and 1."""
    folder = os.environ.get("FASTCONV_MNIST")
    if folder:
        raw = gzip.decompress((Path(folder) / "t10k-images-idx3-ubyte.gz").read_bytes())
        pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    else:
        pixels = np.random.default_rng(0).integers(0, 256, (count, 1, 28, 28), np.uint8)
    return (pixels[:count] / 255).astype(dtype)


def parameters(dtype: str) -> list[tuple[Any, Any]]:
    """Return the six convolutions' weights and biases."""
    rng = np.random.default_rng(1)
    found = []
    before = 1
    for channels in CHANNELS:
        weight = rng.standard_normal((channels, before, 3, 3)) * (2 / (9 * before)) ** 0.5
        found.append((weight.astype(dtype), np.zeros(channels, dtype)))
        before = channels
    return found


def by_textbook(x: Any, layers: list[tuple[Any, Any]], keep: bool = False) -> Any:
    """Run the network on the textbook's layers, whose columns are float64 unless kept."""
    for number, (weight, bias) in enumerate(layers):
        x = textbook.relu(textbook.convolution(x, weight, bias, pad=1, keep=keep))
        if number % 2:
            x = textbook.max_pool(x, 2, 2, keep)
    return x


def by_textbook_kept(x: Any, layers: list[tuple[Any, Any]]) -> Any:
    """Run the network on the textbook's layers with columns of the images' dtype."""
    return by_textbook(x, layers, keep=True)


def by_fastconv(x: Any, layers: list[tuple[Any, Any]]) -> Any:
    """Run the network on fastconv."""
    for number, (weight, bias) in enumerate(layers):
        x = fastconv.conv2d(x, weight, bias, padding=1, activation="relu")
        if number % 2:
            x = fastconv.max_pool2d(x, 2)
    return x


class MnistNet:
    """10,000 images in batches of 100."""

    params = (("float32", "float64"), ("fastconv", "textbook"))
    param_names = ("dtype", "layers")
    timeout = 300
    number = 1
    repeat = (1, 3, 60.0)

    def setup(self, dtype: str, layers: str) -> None:
        """Make images and parameters."""
        self.x = images(10_000, dtype)
        self.layers = parameters(dtype)
        self.run = by_fastconv if layers == "fastconv" else by_textbook
        self.run(self.x[:BATCH], self.layers)

    def time_forward(self, dtype: str, layers: str) -> None:
        """Time a forward pass over all images."""
        for start in range(0, len(self.x), BATCH):
            self.run(self.x[start : start + BATCH], self.layers)
