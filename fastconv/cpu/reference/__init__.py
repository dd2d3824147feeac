"""The readable reference: NumPy alone, loops as in a textbook, every problem, no compiler."""

from fastconv.cpu.reference.candidate import Reference

__all__ = ["Reference"]
