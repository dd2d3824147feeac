# Convolution forward by the packed matrix product.


def gemm_tile(dtype):
    """The (rows, columns) of a product's tile at the level in use: sizes are rounded up to them."""
    cdef int code = dtype_code(dtype, True)
    return fc_active().tile_rows(), fc_active().tile_columns(code)


def lanes(dtype):
    """How many items of a dtype a vector holds at the level in use."""
    return fc_active().tile_columns(dtype_code(dtype, True)) // fc_active().tile_vectors()


@cython.final
cdef class Flat:
    """A held contiguous buffer, as bytes."""

    cdef Py_buffer view
    cdef bint held
    cdef char *data
    cdef int64_t bytes

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


cdef Flat flat(str name, object obj, bint writable):
    cdef Flat result = Flat.__new__(Flat)
    PyObject_GetBuffer(obj, &result.view, PyBUF_SIMPLE | (PyBUF_WRITABLE if writable else 0))
    result.held = True
    result.data = <char *>result.view.buf
    result.bytes = result.view.len
    return result
