"""Convolution by our own matrix product: panels of columns made where they are used.

Each thread takes a piece of the result, copies the columns that it needs panel by panel into its
own scratch memory, and multiplies them there. No sum depends on the number of threads.
"""

from fastconv.cpu.implicit_gemm.candidate import ImplicitGemm

__all__ = ["ImplicitGemm"]
