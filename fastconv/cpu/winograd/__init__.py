"""Winograd's minimal filtering: convolutions with stride 1 by fewer multiplications.

A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
"""

from fastconv.cpu.winograd.candidate import Winograd

__all__ = ["Winograd"]
