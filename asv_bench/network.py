"""Six 3x3 convolutions on MNIST, forward: fastconv, the textbook's layers, PyTorch."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

from asv_bench.benchmarks import mnist_net
from asv_bench.names import OWN, TORCH
from asv_bench.options import Configuration
from asv_bench.timing import Call, interleaved

# The textbook takes a second and a half for so many; times grow with the number of images.
IMAGES = 1000
ROUNDS = 5
MOST_SECONDS = 25.0


def measured(configuration: Configuration) -> dict[str, float]:
    """Return median seconds of a forward pass over all images, in batches."""
    x = mnist_net.images(IMAGES, configuration.dtype)
    layers = mnist_net.parameters(configuration.dtype)
    calls: dict[str, Call] = {
        OWN: partial(_over_batches, mnist_net.by_fastconv, x, layers),
        **_by_pytorch(x, layers),
        "textbook": partial(_over_batches, mnist_net.by_textbook, x, layers),
    }
    if configuration.dtype != "float64":
        # Its columns are float64 otherwise: kinder to the book.
        kept = partial(_over_batches, mnist_net.by_textbook_kept, x, layers)
        calls[f"textbook, {configuration.dtype} columns"] = kept
    times = interleaved(calls, ROUNDS, MOST_SECONDS)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _over_batches(run: Callable[..., Any], x: Any, layers: Any) -> None:
    for start in range(0, len(x), mnist_net.BATCH):
        run(x[start : start + mnist_net.BATCH], layers)


def _by_pytorch(x: Any, layers: Any) -> dict[str, Call]:
    """Return the same network in nn.functional, in both layouts; none where it is missing."""
    try:
        import torch
    except ModuleNotFoundError:
        return {}
    functional = torch.nn.functional

    def forward(y: Any, tensors: Any) -> Any:
        for number, (weight, bias) in enumerate(tensors):
            y = functional.relu(functional.conv2d(y, weight, bias, padding=1))
            if number % 2:
                y = functional.max_pool2d(y, 2)
        return y

    found: dict[str, Call] = {}
    for name, layout in zip(TORCH, (torch.contiguous_format, torch.channels_last), strict=True):
        to = partial(torch.Tensor.contiguous, memory_format=layout)
        tensors = [(to(torch.from_numpy(w)), torch.from_numpy(b)) for w, b in layers]
        found[name] = partial(_over_batches, forward, to(torch.from_numpy(x)), tensors)
    return found
