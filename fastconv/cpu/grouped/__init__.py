"""Convolution of groups of few channels that lie side by side, read where they are."""

from fastconv.cpu.grouped.candidate import Grouped

__all__ = ["Grouped"]
