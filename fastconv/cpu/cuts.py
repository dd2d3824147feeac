"""Extents cut into equal parts."""

from __future__ import annotations


def ceil_div(a: int, b: int) -> int:
    """Return a / b, rounded up."""
    return -(-a // b)


def even(extent: int, most: int) -> int:
    """Return the length of equal parts of an extent, none longer than `most`."""
    return ceil_div(extent, ceil_div(extent, max(1, min(extent, most))))


def even_width(extent: int, widest: int, step: int) -> int:
    """Return the width of equal panels over an extent, whole steps, `widest` if that is one.

    A narrow last panel would do less work for as many loads.
    """
    steps = ceil_div(extent, step)
    return even(steps, widest // step) * step
