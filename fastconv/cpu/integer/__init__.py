"""Convolution of integers of 8 bits by the products that serve floating types."""

from fastconv.cpu.integer.candidate import IntegerGemm, IntegerPointwise

__all__ = ["IntegerGemm", "IntegerPointwise"]
