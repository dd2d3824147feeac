"""Convolution as im2col and a matrix product: bounded panels of columns, NumPy's BLAS."""

from fastconv.cpu.im2col_blas.candidate import Im2colBlas

__all__ = ["Im2colBlas"]
