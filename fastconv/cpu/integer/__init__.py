"""Convolution of integers of 8 bits by the products that serve floating types."""

from fastconv.cpu.integer.candidate import IntegerGemm, IntegerPointwise
from fastconv.cpu.integer.dense import IntegerDense
from fastconv.cpu.integer.depthwise import IntegerDepthwise

__all__ = ["IntegerDense", "IntegerDepthwise", "IntegerGemm", "IntegerPointwise"]
