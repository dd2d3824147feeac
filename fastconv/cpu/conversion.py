"""Copies from 16-bit arrays to float32 and back: NumPy takes items one by one for some types."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from fastconv.cpu.isa import core
from fastconv.cpu.narrow import HALVES


def convert(target: Any, source: Any, threads: int) -> bool | None:
    """Fill an array with the items of another, rounded where it has fewer bits.

    Returns False if none is known to have overflowed, else None.
    """
    half = _half_of(source.dtype, target.dtype)
    if half is None or not lie_alike(target, source):
        with np.errstate(all="ignore"):
            # bfloat16 is of no kind that NumPy knows.
            np.copyto(target, source, casting="unsafe")
        return None
    assert core is not None
    order = _order(target)
    overflowed: bool | None = core.convert(
        source.transpose(order), target.transpose(order), half, threads
    )
    return overflowed


@cache
def _half_of(source: Any, target: Any) -> str | None:
    """Return the 16-bit type of two dtypes that compiled code converts between; else None."""
    names = source.name, target.name
    half = names[0] if names[1] == "float32" else names[1]
    known = core is not None and "float32" in names and half in HALVES and source.isnative
    return half if known else None


def round_to_half(target: Any, source: Any, dtype: str, threads: int) -> bool | None:
    """Fill a uint16 array, in one piece, with the bits of float32 items rounded to 16 of them.

    Returns False if none is known to have overflowed, else None.
    """
    assert core is not None
    order = _order(target)
    given = source.transpose(order)
    if not given.flags.c_contiguous:
        given = np.ascontiguousarray(given)
    overflowed: bool | None = core.convert(given, target.transpose(order), dtype, threads)
    return overflowed


def as_line(array: Any) -> Any:
    """Return an array's items as one line in their order in memory; None unless in one piece."""
    order = _order(array)
    turned = array.transpose(order)
    return turned.reshape(-1) if turned.flags.c_contiguous else None


def lie_alike(a: Any, b: Any) -> bool:
    """Whether two arrays of the same shape have their items in one piece, in the same order."""
    if a.shape != b.shape or a.size == 0:
        return False
    order = _order(a)
    return bool(a.transpose(order).flags.c_contiguous and b.transpose(order).flags.c_contiguous)


def _order(array: Any) -> Any:
    """Return an array's axes from the one that moves furthest in memory on."""
    if array.flags.c_contiguous:
        return range(array.ndim)
    return np.argsort([-stride for stride in array.strides], kind="stable")
