# What follows indices: max pooling's gradient, unpooling and its gradient.

cdef int check_listed(str name, Array listed, Array indices, Array plane) except -1:
    check_shape("indices", indices, listed.shape())
    check_size("indices", indices, sizeof(int64_t))
    check_size(name, listed, plane.a.size)
    if listed.axes != plane.axes or listed.a.shape[0] != plane.a.shape[0] \
            or listed.a.shape[1] != plane.a.shape[1]:
        raise ValueError(f"{name}: shape {listed.shape()} does not fit planes of {plane.shape()}")
    return 0


cdef int check_fault(int64_t place, Array indices, Array plane) except -1:
    cdef const fc_array *a = &indices.a
    cdef int64_t offset = 0, rest = place, elements = 1, n, c
    cdef int k
    if place < 0:
        return 0
    for k in range(4, -1, -1):
        offset += rest % a.shape[k] * a.stride[k]
        rest //= a.shape[k]
    for k in range(2, 5):
        elements *= plane.a.shape[k]
        place //= a.shape[k]
    n, c = place // a.shape[1], place % a.shape[1]
    # By bytes, as the buffer may be unaligned.
    value = int.from_bytes(a.data[offset:offset + sizeof(int64_t)], sys.byteorder, signed=True)
    raise ValueError(f"indices: {value} in plane ({n}, {c}) is not inside [0, {elements})")


cdef int64_t volume(Array array):
    """Items of a plane."""
    return array.a.shape[2] * array.a.shape[3] * array.a.shape[4]


def scatter_add(grad, indices, dx, dtype, bint clear, threads, scratch=None):
    """Add each gradient to the place in its plane of dx that its index names.

    Parameters
    ----------
    grad : buffer, (N, C, *spatial_out)
    indices : buffer of int64, grad's shape
    dx : writable buffer, (N, C, *spatial_in)
    dtype : str
        Of grad and dx. Integers wrap.
    clear : bool
        Whether dx begins as zeros, else as it is; 16-bit floats always clear.
    threads : int
        Sums do not depend on it.
    scratch : writable contiguous buffer or None
        Of 16-bit floats.

    Returns
    -------
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.

    Raises
    ------
    ValueError
        Also where an index lies outside its plane; dx is partly written by then.
    """
    cdef Array source = hold("grad", grad, False, True)
    cdef Array places = hold("indices", indices, False, True)
    cdef Array target = hold("dx", dx, True, True)
    cdef int code, t = thread_count(threads)
    cdef int64_t fault
    cdef fc_halves halves
    check_size("dx", target, item_bytes(dtype, False))
    check_listed("grad", source, places, target)
    if dtype in HALVES:
        space = hold_scratch(
            &halves, dtype, scratch, t, half_indexed_scratch(
                target.a.shape[1], volume(target), volume(source)
            )
        )
        if not clear:
            raise ValueError(f"clear: sums of {dtype} begin as zeros, got {clear}")
        with nogil:
            clear_overflow()
            fault = fc_active().half_scatter_add(
                &source.a, &places.a, &target.a, &halves, t
            )
        check_fault(fault, places, target)
        return seen_overflow(fc_active_narrow().notes_overflow)
    code = sum_code(dtype)
    with nogil:
        fault = fc_active().scatter_add(&source.a, &places.a, &target.a, code, clear, t)
    check_fault(fault, places, target)


def unpool(x, indices, y, threads):
    """Copy each item of x to the place in its plane of y that its index names; the last one wins.

    Parameters
    ----------
    x : buffer, (N, C, *spatial)
    indices : buffer of int64, x's shape
    y : writable buffer, (N, C, *larger) of x's item size
        Not cleared.
    threads : int

    Raises
    ------
    ValueError
        Also where an index lies outside its plane; y is partly written by then.
    """
    cdef Array source = hold("x", x, False, True), places = hold("indices", indices, False, True)
    cdef Array target = hold("y", y, True, True)
    cdef int t = thread_count(threads)
    cdef int64_t fault
    check_listed("x", source, places, target)
    with nogil:
        fault = fc_active().unpool(&source.a, &places.a, &target.a, t)
    check_fault(fault, places, target)


def gather(y, indices, x, threads):
    """Copy to each item of x the item of y at the place that its index names; unpool's gradient.

    Parameters
    ----------
    y : buffer, (N, C, *larger)
    indices : buffer of int64, x's shape
    x : writable buffer, (N, C, *spatial) of y's item size
    threads : int

    Raises
    ------
    ValueError
        Also where an index lies outside its plane; x is partly written by then.
    """
    cdef Array source = hold("y", y, False, True), places = hold("indices", indices, False, True)
    cdef Array target = hold("x", x, True, True)
    cdef int t = thread_count(threads)
    cdef int64_t fault
    check_listed("x", target, places, source)
    with nogil:
        fault = fc_active().gather(&source.a, &places.a, &target.a, t)
    check_fault(fault, places, source)
