# Contiguous buffers.

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
