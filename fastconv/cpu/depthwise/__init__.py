"""Convolution of each channel by itself, forward and gradients, by our own kernels.

A general product would fill one row of its tile. Here a band of one channel's padded lines is
copied into scratch memory, and a tile of results takes its sources from there, each loaded once for
several taps.
"""

from fastconv.cpu.depthwise.candidate import Depthwise

__all__ = ["Depthwise"]
