"""Round float32 arrays in place to a format with fewer bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.cpu.conversion import convert
from fastconv.cpu.isa import core
from fastconv.precision import FORMATS

# Elements of a block that stays in the cache from step to step.
_BLOCK = 1 << 15
_FLOAT32_FRACTION = FORMATS["float32"].fraction_bits


def round_in_place(values: Any, precision: str, threads: int) -> None:
    """Round a contiguous float32 array to the nearest numbers of a format, ties to even."""
    flat = values.reshape(-1)
    dropped = _FLOAT32_FRACTION - FORMATS[precision].fraction_bits
    if core is not None and precision != "float16":
        core.drop_bits(flat, dropped, threads)
        return
    for start in range(0, len(flat), _BLOCK):
        block = flat[start : start + _BLOCK]
        if precision == "float16":
            half = np.empty(block.shape, np.float16)
            convert(half, block, threads)
            convert(block, half, threads)
        else:
            _drop(block, dropped)


def _drop(block: Any, count: int) -> None:
    """Round away the last bits of a fraction; the carry may reach the exponent, and infinity."""
    nan = np.isnan(block)
    bits = block.view(np.uint32)
    half = bits >> np.uint32(count)
    half &= np.uint32(1)
    half += np.uint32((1 << (count - 1)) - 1)
    bits += half
    bits &= np.uint32(0xFFFFFFFF << count & 0xFFFFFFFF)
    if nan.any():
        block[nan] = np.nan
