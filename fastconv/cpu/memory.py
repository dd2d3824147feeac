"""Large arrays on memory that the process has used before; FASTCONV_CACHE_BYTES bounds it."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from fastconv.backend import KEEPERS
from fastconv.cpu.isa import core
from fastconv.errors import bad_argument
from fastconv.machine import describe

_MOST_BYTES = 256 * 2**20
_SHARE = 16
# Below, C libraries keep what is freed on a heap of theirs, as long as they don't trim it.
_LEAST_BYTES = 256 * 2**10

least_bytes = sys.maxsize  # the smallest array that `empty` serves


def empty(shape: tuple[int, ...], dtype: str, size: int) -> Any:
    """Return a new C-contiguous array of `size` bytes, at least `least_bytes`.

    When it and its last view are gone, its memory is left to the next one.
    """
    assert core is not None
    try:
        block = core.Block(size)
    except (MemoryError, ValueError):
        return np.empty(shape, dtype)  # its message says what there is no room for
    return np.ndarray(shape, dtype, block)


def keep(size: int) -> None:
    """Keep at most so many bytes of what is freed; with 0, arrays are NumPy's own."""
    global least_bytes
    if core is not None:
        core.bound_idle_memory(size)
        least_bytes = _LEAST_BYTES if size else sys.maxsize


def bound() -> int:
    """Return how many bytes FASTCONV_CACHE_BYTES says to keep: by default, a share of all."""
    text = os.environ.get("FASTCONV_CACHE_BYTES", "")
    if not text:
        machine = describe()
        amounts = (machine.memory_total, machine.memory_limit)
        return min([_MOST_BYTES, *(amount // _SHARE for amount in amounts if amount)])
    if not text.strip().isdecimal():
        raise ValueError(
            bad_argument(
                "fastconv", "FASTCONV_CACHE_BYTES", got=repr(text), expected="an int, 0 or more"
            )
        )
    return int(text)


keep(bound())
if core is not None:
    KEEPERS.append(core.release_idle_memory)
