"""Integers of few bits: scales chosen from samples, and trained nets that compute in them."""

from fastconv.quantization.calibrator import METHODS, Calibrator, Quantization
from fastconv.quantization.folding import fold_batch_norm
from fastconv.quantization.layers import Quantize, QuantizedProduct
from fastconv.quantization.network import quantize_network

__all__ = [
    "METHODS",
    "Calibrator",
    "Quantization",
    "Quantize",
    "QuantizedProduct",
    "fold_batch_norm",
    "quantize_network",
]
