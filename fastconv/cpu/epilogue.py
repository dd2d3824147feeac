"""Bias and activation, in place on finished sums."""

from __future__ import annotations

from typing import Any

from fastconv.cpu.isa import core

CODES = {
    None: 0,
    "relu": 1,
    "relu6": 2,
    "leaky_relu": 3,
    "sigmoid": 4,
    "tanh": 5,
    "silu": 6,
    "gelu": 7,
}
LEAKY_SLOPE = 0.01


def finish(sums: Any, bias: Any, activation: str | None, threads: int) -> None:
    """Add a bias to (images, channels, positions) sums and apply an activation, in place."""
    if bias is None and activation is None:
        return
    if sums.dtype.kind == "c":
        sums += bias[:, None]
        return
    assert core is not None
    core.epilogue(sums, sums.dtype.name, bias, CODES[activation], LEAKY_SLOPE, threads)
