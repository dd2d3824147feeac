"""A trained net in every precision, and what each costs."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastconv
from fastconv.cli.demo.timing import median_times
from fastconv.cli.demo.training import Digits
from fastconv.layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)
from fastconv.precision import PRECISIONS
from fastconv.quantization import fold_batch_norm, quantize_network

Array = NDArray[Any]
EXACT = "float64 arrays"
# By name on float32 arrays; "auto" without a tolerance is float32 again.
NAMED = tuple(name for name in PRECISIONS if name not in ("auto", "float64"))
CALIBRATION = 512


@dataclass(frozen=True)
class Variant:
    """A net, and the precision that its calls are made with, if any."""

    net: Sequential
    precision: str | None = None
    dtype: str = "float32"

    def __call__(self, images: Array) -> Array:
        """The net's outputs, in float64."""
        with fastconv.use(precision=self.precision):
            outputs = self.net(images.astype(self.dtype, copy=False))
        return np.asarray(outputs).astype(np.float64)


@dataclass(frozen=True)
class Measured:
    """What a variant does on images that it has not seen.

    ``error`` is the largest one of an output against float64's, relative to the largest output;
    ``seconds`` those of a batch; ``memory`` the bytes of parameters, of the largest layer's input
    and output and of its workspace; ``moved`` the bytes that all layers read and write.
    """

    name: str
    accuracy: float
    error: float
    seconds: float
    memory: int
    moved: int


def build_network(seed: int, extent: int) -> Sequential:
    """Three convolutions with batch norm, two linear layers, for square images of one channel."""
    rng = np.random.default_rng(seed)
    return Sequential(
        Conv2d(1, 32, 3, padding=1, rng=rng),
        BatchNorm2d(32),
        ReLU(),
        Conv2d(32, 64, 3, padding=1, rng=rng),
        BatchNorm2d(64),
        ReLU(),
        MaxPool2d(2),
        Conv2d(64, 64, 3, padding=1, rng=rng),
        BatchNorm2d(64),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(64 * (extent // 4) ** 2, 64, rng=rng),
        ReLU(),
        Linear(64, 10, rng=rng),
    )


def variants(net: Sequential, digits: Digits) -> dict[str, Variant]:
    """The net in every precision, by what to call it; in float64 first. Batch norm is folded."""
    net = fold_batch_norm(net)
    found = {EXACT: Variant(_widened(net), None, "float64")}
    found |= {name: Variant(net, name) for name in NAMED}
    halves = ("float16", "bfloat16") if find_spec("ml_dtypes") else ("float16",)
    for name in halves:
        narrow = deepcopy(net).compute_in(name)
        assert isinstance(narrow, Sequential)
        found[f"{name} arrays"] = Variant(narrow)
    samples = digits.train_images[:CALIBRATION]
    found["int8 net"] = Variant(quantize_network(net, [samples]))
    return found


def _widened(net: Sequential) -> Sequential:
    wide = deepcopy(net)
    for layer in wide:
        for name in layer.parameter_names + layer.buffer_names:
            array = getattr(layer, name)
            if array is not None and array.dtype.kind == "f":
                setattr(layer, name, array.astype(np.float64))
    return wide


def measure(
    found: dict[str, Variant],
    digits: Digits,
    batch: int,
    repeats: int,
    status: Callable[[str], object] = lambda text: None,
) -> list[Measured]:
    """Ask every variant for the held-back images, and time them in turn on one batch."""
    labels = digits.test_labels
    outputs = {}
    for name, variant in found.items():
        status(name)
        parts = _batches(digits.test_images, batch)
        outputs[name] = np.concatenate([variant(part) for part in parts])
    images = np.resize(digits.test_images, (batch, *digits.test_images.shape[1:]))
    status("timing")
    times, _ = median_times({n: _caller(v, images) for n, v in found.items()}, repeats)
    exact = outputs[EXACT]
    rows = []
    for name, variant in found.items():
        memory, moved = _traffic(variant, images)
        error = float(np.abs(outputs[name] - exact).max() / np.abs(exact).max())
        right = float((outputs[name].argmax(1) == labels).mean())
        rows.append(Measured(name, right, error, times[name], memory, moved))
    return rows


def _batches(images: Array, batch: int) -> Iterator[Array]:
    for start in range(0, len(images), batch):
        yield images[start : start + batch]


def _caller(variant: Variant, images: Array) -> Callable[[], Array]:
    return lambda: variant(images)


def _traffic(variant: Variant, images: Array) -> tuple[int, int]:
    """Bytes that are needed at a time, and bytes that are read and written in all."""
    parameters = [_parameter_bytes(layer) for layer in variant.net]
    widest = moved = 0
    with fastconv.use(precision=variant.precision):
        x: Any = images.astype(variant.dtype, copy=False)
        for layer, own in zip(variant.net, parameters, strict=True):
            with fastconv.trace() as ran:
                y = layer(x)
            scratch = max((record.workspace_bytes for record in ran), default=0)
            widest = max(widest, x.nbytes + y.nbytes + scratch)
            if not isinstance(layer, Flatten):  # a view
                moved += x.nbytes + y.nbytes + own
            x = y
    return sum(parameters) + widest, moved


def _parameter_bytes(layer: Layer) -> int:
    arrays = [a for a in (layer.parameters() | layer.buffers()).values() if a.ndim]
    narrow = layer.compute_dtype
    products = isinstance(layer, Conv2d | Linear)
    return sum(a.size * (narrow.itemsize if narrow and products else a.itemsize) for a in arrays)
