"""Scales and zero points for integers of few bits, chosen from samples of what they will hold."""

from fastconv.quantization.calibrator import METHODS, Calibrator, Quantization

__all__ = ["METHODS", "Calibrator", "Quantization"]
