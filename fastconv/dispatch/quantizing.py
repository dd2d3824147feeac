"""Who quantises an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.backend import Backend, Quantizing
from fastconv.dispatch.arrays import servers
from fastconv.dispatch.policy import current
from fastconv.registry import BUILT_IN, REGISTRY


def quantizer_of(array: Any) -> tuple[Quantizing | None, int | None]:
    """Return a backend that quantises such arrays, None if there is none, and its threads."""
    if isinstance(array, np.ndarray):
        entry = REGISTRY.get(BUILT_IN)
        serving: Sequence[Backend | None] = () if entry is None else (entry.backend,)
    else:
        serving = servers(array)
    threads = current().threads
    for backend in serving:
        if isinstance(backend, Quantizing):
            return backend, threads
    return None, threads
