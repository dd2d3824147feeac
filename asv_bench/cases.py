"""What is compared: the suite's layers, with arrays for each and the work in each pass."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from asv_bench.benchmarks import channels_last, pooling, suite, transposed

Kind = Literal["convolution", "transposed", "max pool", "average pool", "global average"]
Pass = Literal["forward", "input_grad", "weight_grad", "both_grads"]
PASSES: tuple[Pass, ...] = ("forward", "input_grad", "weight_grad", "both_grads")


@dataclass(frozen=True)
class Case:
    """One layer: its shapes, and how its window moves. Pools have no weight."""

    name: str
    kind: Kind
    x: tuple[int, ...]
    weight: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def axes(self) -> int:
        """How many spatial axes there are."""
        return len(self.x) - 2

    @property
    def window(self) -> dict[str, int]:
        """The keywords of a convolution, in fastconv's and PyTorch's names."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    @property
    def passes(self) -> tuple[Pass, ...]:
        """What can be measured of it."""
        return PASSES if self.weight else PASSES[:2]

    @property
    def y(self) -> tuple[int, ...]:
        """The output's shape."""
        reaches = [self.dilation * (k - 1) + 1 for k in self.kernel]
        sizes = zip(self.x[2:], reaches, strict=True)
        if self.kind == "transposed":
            spatial = [(i - 1) * self.stride + reach - 2 * self.padding for i, reach in sizes]
            return (self.x[0], self.weight[1] * self.groups, *spatial)
        spatial = [(i + 2 * self.padding - reach) // self.stride + 1 for i, reach in sizes]
        return (self.x[0], self.weight[0] if self.weight else self.x[1], *spatial)

    def flops(self, which: Pass) -> int:
        """Operations of the direct algorithm, whatever is really computed."""
        if not self.weight:
            return prod(self.y) * prod(self.kernel)
        products = prod(self.x if self.kind == "transposed" else self.y)
        products *= prod(self.weight[1:])
        return 2 * products * (2 if which == "both_grads" else 1)

    def bytes(self, which: Pass, itemsize: int) -> int:
        """Bytes of all arrays that the pass reads or writes, each counted once."""
        x, weight, y = prod(self.x), prod(self.weight) if self.weight else 0, prod(self.y)
        if which == "both_grads":
            return itemsize * (2 * x + 2 * weight + y)
        # The gradient of a pool by maximum also reads where the maxima are, in 64 bits.
        places = 8 * y if self.kind == "max pool" and which == "input_grad" else 0
        return itemsize * (x + weight + y) + places


@dataclass(frozen=True)
class Operands:
    """The arrays of a case, C-contiguous, channels first; weight is None for pools."""

    x: Any
    weight: Any
    grad: Any


def operands(case: Case, dtype: str) -> Operands:
    """Return random arrays, always the same."""
    rng = np.random.default_rng(0)

    def random(shape: tuple[int, ...]) -> Any:
        return rng.standard_normal(shape, np.float32).astype(dtype, copy=False)

    return Operands(random(case.x), random(case.weight) if case.weight else None, random(case.y))


def _convolution(name: str, kind: Kind, layer: suite.Layer) -> Case:
    first, second = layer.channels, layer.x[1] // layer.groups
    if kind == "transposed":
        first, second = layer.x[1], layer.channels // layer.groups
    return Case(name, kind, layer.x, (first, second, *layer.kernel), *layer[2:])


def _pool(name: str, pool: pooling.Pool) -> Case:
    if pool.kind == "global average":
        return Case(name, "global average", pool.x, (), pool.x[2:])
    kind: Kind = "max pool" if pool.kind == "max" else "average pool"
    return Case(name, kind, pool.x, (), (pool.kernel,) * 2, pool.stride, pool.padding)


def all_cases() -> tuple[Case, ...]:
    """Return every layer of the suite."""
    return (
        *(_convolution(name, "convolution", layer) for name, layer in suite.LAYERS.items()),
        *(_convolution(name, "transposed", layer) for name, layer in transposed.LAYERS.items()),
        *(_pool(name, pool) for name, pool in pooling.POOLS.items()),
    )


def channels_last_cases() -> tuple[Case, ...]:
    """Return what kernels of their own serve where channels come last: small groups, and pools."""
    grouped = suite.LAYERS["resnext-grouped"]
    return (
        _convolution("resnext-grouped", "convolution", grouped),
        *(_convolution(name, "convolution", x) for name, x in channels_last.GROUPED.items()),
        *(_pool(name, pool) for name, pool in (pooling.POOLS | channels_last.AVERAGES).items()),
    )
