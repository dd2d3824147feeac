"""Arrays in every layout that a buffer allows, and this machine's instruction-set levels."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

# Importlib mode leaves this folder's helpers off the path.
sys.path.insert(0, str(Path(__file__).parent))

CANARY = 0xAA


def _lay_out(rng, shape, dtype):
    """Return memory and a view of it: any order of axes, gaps, either direction, any address."""
    dtype = np.dtype(dtype)
    order = rng.permutation(len(shape))
    gaps = rng.integers(1, 3, len(shape)) if rng.random() < 0.5 else np.ones(len(shape), int)
    extents = [int(shape[axis] * gaps[axis]) for axis in order]
    size = int(np.prod(extents)) * dtype.itemsize
    memory = np.full(size + 16, CANARY, np.uint8)
    shift = int(rng.integers(0, 9))
    view = memory[shift : shift + size].view(dtype).reshape(extents)
    view = view.transpose(np.argsort(order))
    view = view[tuple(slice(None, None, int(gap)) for gap in gaps)]
    flips = tuple(slice(None, None, int(step)) for step in rng.choice([-1, 1], len(shape)))
    return memory, view[flips]


def strided(rng, values):
    """Return the values in an odd layout; some axes may become one item repeated (stride 0)."""
    values = np.asarray(values)
    if values.size and rng.random() < 0.25:
        axis = int(rng.integers(values.ndim))
        first = values.take([0], axis)
        return np.broadcast_to(strided(rng, first), values.shape)
    _, view = _lay_out(rng, values.shape, values.dtype)
    view[...] = values
    return view


class Target:
    """An output in an odd layout that knows whether anything beside it was written."""

    def __init__(self, rng, shape, dtype, fill=None):
        self.memory, self.array = _lay_out(rng, shape, dtype)
        self.array[...] = np.zeros((), dtype) if fill is None else fill

    def result(self):
        """Return the values; the bytes around them must be as they were."""
        values = self.array.copy()
        item = bytes([CANARY]) * self.array.dtype.itemsize
        self.array[...] = np.frombuffer(item, self.array.dtype)[0]
        assert (self.memory == CANARY).all(), "bytes beside the output were written"
        return values


@pytest.fixture(scope="session")
def layouts():
    """Give tests `strided` and `Target`, which importlib mode would not let them import."""

    class Layouts:
        pass

    Layouts.strided = staticmethod(strided)
    Layouts.Target = Target
    return Layouts


def _usable() -> list[str]:
    try:
        from fastconv.cpu import _core
    except ModuleNotFoundError:
        return []
    return [name for name, built, supported in _core.isa_levels() if built and supported]


def _at(name) -> Iterator[str]:
    from fastconv.cpu import _core

    before = _core.active_isa()
    _core.set_isa(name)
    yield name
    _core.set_isa(before)


# Levels of two words have kernels of their own for narrow types alone.
@pytest.fixture(scope="module", params=[name for name in _usable() if "_" not in name])
def level(request) -> Iterator[str]:
    """Run the test at every instruction-set level that this machine has."""
    yield from _at(request.param)


@pytest.fixture(scope="module", params=_usable())
def narrow_level(request) -> Iterator[str]:
    """Run the test at every level, those included that differ in narrow types alone."""
    yield from _at(request.param)
