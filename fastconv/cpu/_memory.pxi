# Memory for results and workspaces: csrc/memory.c.


@cython.final
cdef class Block:
    """Writable memory with arbitrary bits, which is kept for another block when this one dies.

    An array made on it (``numpy.ndarray(shape, dtype, block)``) and every view keep it alive.

    Parameters
    ----------
    size : int
        Bytes, at least 1.

    Raises
    ------
    MemoryError
        If there is no room for it.
    """

    cdef char *data
    cdef int64_t size

    def __cinit__(self, size):
        self.size = number("size", size, 1)
        self.data = fc_memory_take(self.size)
        if self.data == NULL:
            raise MemoryError(f"no room for {size} bytes")

    def __dealloc__(self):
        if self.data != NULL:
            fc_memory_give(self.data, self.size)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.size, 0, flags)


def bound_idle_memory(size):
    """Keep at most so many bytes of freed blocks from now on, in the whole process."""
    fc_memory_bound(number("size", size, 0))


def release_idle_memory():
    """Give the system what freed blocks are kept now."""
    fc_memory_release()


def idle_memory():
    """How many bytes of freed blocks are kept now."""
    return fc_memory_idle()
