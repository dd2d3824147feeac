"""Pointwise convolution and its input gradient: a plain product for each group.

Positions of all images are one line, cut into panels as wide as a tile; a thread packs a panel once
and multiplies it by all of the weight. No sum depends on the number of threads.
"""

from fastconv.cpu.pointwise.candidate import Pointwise

__all__ = ["Pointwise"]
