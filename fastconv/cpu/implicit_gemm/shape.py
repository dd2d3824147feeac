"""Widths of panels, in whole tiles."""

from __future__ import annotations


def even_width(extent: int, widest: int, step: int) -> int:
    """Return the width of equal panels over an extent, whole steps, `widest` if that is one.

    A narrow last panel would do less work for as many loads.
    """
    steps = -(-extent // step)
    panels = -(-steps // max(1, min(widest // step, steps)))
    return -(-steps // panels) * step
