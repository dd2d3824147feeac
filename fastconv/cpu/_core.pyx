# cython: language_level=3, embedsignature=True, cdivision=True
"""The compiled core of the CPU backend: raw buffers in, C kernels without the GIL.

Arrays x and y are (N, C, *spatial) with one to three spatial axes, any strides, any alignment and
native byte order. The dtype is given by name where a kernel computes; kernels that only copy need
no name and take every item size. Output arrays are written in place and may not share memory with
inputs; one whose own items overlap is served by one thread. Whatever would read or write outside an
array is a ValueError before anything is touched, except for indices, which are data.
"""

import sys

cimport cython
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_FillInfo, PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t, uint32_t

include "_csrc_arrays.pxi"
include "_csrc_jobs.pxi"
include "_csrc_kernels.pxi"
include "_csrc.pxi"
include "_buffers.pxi"
include "_flat.pxi"
include "_isa.pxi"
include "_memory.pxi"
include "_peak.pxi"
include "_columns.pxi"
include "_windows.pxi"
include "_halves.pxi"
include "_pools.pxi"
include "_indexed.pxi"
include "_implicit_gemm.pxi"
include "_winograd_grad.pxi"
include "_narrow.pxi"
include "_quantize.pxi"
include "_product_cuts.pxi"
include "_product.pxi"
include "_winograd.pxi"
include "_weight_grad.pxi"
include "_depthwise.pxi"
include "_grouped.pxi"
include "_dense.pxi"
include "_pointwise.pxi"
include "_bytes.pxi"
include "_bias_grad.pxi"
