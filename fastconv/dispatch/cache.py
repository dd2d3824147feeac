"""The plan cache: what tells one call from another, and what is kept."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping, Sequence
from heapq import nsmallest
from itertools import count
from marshal import dumps
from typing import Any

import numpy as np

from fastconv.dispatch.arrays import device_of
from fastconv.dispatch.policy import IN_FORCE, from_environment
from fastconv.dispatch.prepared import PreparedWeight
from fastconv.dispatch.ready import Ready
from fastconv.dispatch.request import Function
from fastconv.registry import REGISTRY

CACHE_SIZE = 4096


class PlanCache:
    """A bounded cache of calls made ready; the least recently used go first."""

    def __init__(self, size: int) -> None:
        self._size = size
        # What is kept, and when it was last used.
        self._entries: dict[Hashable, list[Any]] = {}
        self._lock = threading.Lock()
        self._now = count().__next__

    def get(self, key: Hashable) -> Ready | None:
        """Return what is kept for a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry[1] = self._now()  # no lock: nothing moves
        ready: Ready = entry[0]
        return ready

    def put(self, key: Hashable, ready: Ready) -> None:
        """Keep a call made ready."""
        with self._lock:
            self._entries[key] = [ready, self._now()]
            excess = len(self._entries) - self._size
            if excess > 0:
                # Looking for the oldest takes a while: an eighth at once.
                self._drop(max(excess, self._size // 8))

    def _drop(self, number: int) -> None:
        for key in nsmallest(number, self._entries, key=lambda key: self._entries[key][1]):
            del self._entries[key]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


PLANS = PlanCache(CACHE_SIZE)


def quick_key(
    function: Function,
    operands: Sequence[Any],
    parameters: tuple[Any, ...],
    out: Any,
    options: Mapping[str, object],
) -> Hashable:
    """Return the key of a call, or None of one whose arguments must be looked at more closely.

    This is most of what a cached call costs beside its kernel: 1 us.
    """
    key: list[Any] = [function, IN_FORCE.get() or from_environment()]
    for operand in operands:
        kind = type(operand)
        if kind is np.ndarray:
            key += operand.shape, operand.strides, operand.dtype
        elif operand is None:
            key.append(None)
        elif kind is PreparedWeight:
            key.append(operand.signature)
        else:
            return None
    if out is not None:
        if type(out) is not np.ndarray:
            return None
        key += out.shape, out.strides, out.dtype, out.flags.writeable
    try:
        # marshal tells 1 from 1.0 and True, as equality does not; version 2 has no references,
        # so that equal values give equal bytes. Of NumPy's numbers and arrays it keeps the bytes
        # alone, neither dtype nor shape, but no plain value has the same: `full_key` has to keep
        # such calls under other keys, and none is found under this one.
        values: Any = (*parameters, options)
        key.append(dumps(values, 2))
    except ValueError:
        return None
    key.append(REGISTRY.generation)
    return tuple(key)


def full_key(
    function: Function,
    arrays: Sequence[Any],
    parameters: tuple[Any, ...],
    out: Any,
    options: Mapping[str, object],
) -> tuple[Hashable, ...]:
    """Return the key of any call whose operands are arrays: the quick one, if it has one."""
    return (
        function,
        IN_FORCE.get() or from_environment(),
        *(part for array in arrays for part in _signature(array)),
        *(() if out is None else (*_signature(out), _is_writable(out))),
        _fingerprint((*parameters, options)),
        REGISTRY.generation,
    )


def _signature(array: Any) -> tuple[Any, ...]:
    if array is None:
        return (None,)
    if type(array) is PreparedWeight:
        return (array.signature,)
    if type(array) is np.ndarray:
        return array.shape, array.strides, array.dtype
    if not hasattr(array, "shape"):
        return (type(array),)
    strides = getattr(array, "strides", None)
    return type(array), tuple(array.shape), strides, array.dtype, device_of(array)


def _is_writable(array: Any) -> bool:
    return bool(getattr(getattr(array, "flags", None), "writeable", True))


_PLAIN = frozenset({int, bool, float, str, type(None)})


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(map(_is_plain, value.values()))
    return kind in _PLAIN or (kind in (tuple, list) and all(map(_is_plain, value)))


def _fingerprint(values: Any) -> Hashable:
    return dumps(values, 2) if all(map(_is_plain, values)) else repr([*map(_described, values)])


def _described(value: Any) -> object:
    if type(value) is dict:
        return {name: _described(each) for name, each in value.items()}
    return type(value), getattr(value, "dtype", None), value
