# Arguments: buffers, dtypes, numbers, ranges.

cdef dict DTYPES = {fc_dtypes[i].name.decode(): i for i in range(FC_DTYPE_COUNT)}
cdef int64_t LARGEST = <int64_t>1 << 62  # sums of two such numbers do not overflow
cdef int64_t MOST_THREADS = 1 << 16


cdef int64_t number(str name, object value, int64_t least=-LARGEST) except? -1:
    """An integer argument; what does not fit into half of an int64 is a ValueError as well."""
    cdef int64_t result
    try:
        result = value
    except OverflowError:
        raise ValueError(f"{name}: {value} is too large") from None
    if result < least or result > LARGEST:
        raise ValueError(f"{name}: expected an integer from {least} to {LARGEST}, got {result}")
    return result


cdef int thread_count(object threads) except -1:
    return <int>min(number("threads", threads, 1), MOST_THREADS)


cdef int64_t times(int64_t a, int64_t b) noexcept:
    """a * b for a, b >= 0, or LARGEST where that is less."""
    return LARGEST if b != 0 and a > LARGEST // b else a * b


cdef int within(str name, int64_t start, int64_t count, int64_t limit) except -1:
    if start < 0 or start > limit or count > limit - start:
        raise ValueError(f"{name}: range [{start}, {start + count}) is not inside [0, {limit})")
    return 0


@cython.final
cdef class Array:
    """A held buffer, its axes padded to (n, c, d, h, w) if it has spatial ones."""

    cdef Py_buffer view
    cdef bint held
    cdef int axes
    cdef fc_array a

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef tuple shape(self):
        return tuple([self.view.shape[k] for k in range(self.axes)])


cdef Array hold(str name, object obj, bint writable, bint spatial):
    """Take obj's buffer: (n, c, *spatial), or exactly three axes."""
    cdef Array array = Array.__new__(Array)
    cdef int k, place
    # Without a format nothing tells that items are references, which must not be copied as bytes.
    if getattr(getattr(obj, "dtype", None), "hasobject", False):
        raise TypeError(f"{name}: arrays of Python objects are not supported")
    PyObject_GetBuffer(obj, &array.view, PyBUF_STRIDES | (PyBUF_WRITABLE if writable else 0))
    array.held = True
    array.axes = array.view.ndim
    if array.axes < 3 or array.axes > (5 if spatial else 3):
        wanted = "3 to 5" if spatial else "3"
        raise ValueError(f"{name}: expected {wanted} axes, got {array.axes}")
    if array.view.itemsize < 1:
        raise ValueError(f"{name}: items have no size")
    array.a.data = <char *>array.view.buf
    array.a.size = array.view.itemsize
    for k in range(5):
        array.a.shape[k] = 1
        array.a.stride[k] = 0
    for k in range(array.axes):
        place = k if k < 2 or not spatial else k + 5 - array.axes
        array.a.shape[place] = array.view.shape[k]
        array.a.stride[place] = array.view.strides[k]
    return array


cdef int dtype_code(object dtype, bint floating) except -1:
    code = DTYPES.get(dtype)
    if code is None or (floating and not fc_dtypes[<int>code].is_float):
        known = [name for name, i in DTYPES.items() if not floating or fc_dtypes[<int>i].is_float]
        raise ValueError(f"dtype: expected one of {', '.join(known)}, got {dtype!r}")
    return code


cdef int sum_code(object dtype) except -1:
    """Integers wrap, so that a signed type's sums are its unsigned twin's."""
    cdef int code = dtype_code(dtype, False)
    if fc_dtypes[code].is_signed and not fc_dtypes[code].is_float:
        code += FC_uint8 - FC_int8
    return code


cdef int check_size(str name, Array array, int64_t size) except -1:
    if array.a.size != size:
        raise ValueError(f"{name}: expected items of {size} bytes, got {array.a.size}")
    return 0


cdef int check_adjoining(str name, Array array) except -1:
    if array.a.shape[1] > 1 and array.a.stride[1] != array.a.size:
        raise ValueError(f"{name}: its channels do not lie side by side")
    return 0


cdef bint spatial_is(Array array, int axes, const int64_t *extent) noexcept:
    """check_shape's answer without its tuples, which cost as much as a small call's work."""
    cdef const int64_t *shape = array.a.shape + 2
    return array.axes == axes + 2 and shape[0] == extent[0] and shape[1] == extent[1] \
        and shape[2] == extent[2]


cdef int check_shape(str name, Array array, tuple expected) except -1:
    if array.shape() != expected:
        raise ValueError(f"{name}: expected shape {expected}, got {array.shape()}")
    return 0
