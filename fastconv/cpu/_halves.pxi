# Scratch memory of pools of 16-bit floats, whose dtype is "float16" or "bfloat16": for each thread
# what half_pool_scratch or half_indexed_scratch tells.

cdef dict HALVES = {"float16": FC_NARROW_float16, "bfloat16": FC_NARROW_bfloat16}


cdef int64_t item_bytes(dtype, bint floating) except -1:
    """Bytes of an item of a dtype that pools take."""
    return 2 if dtype in HALVES else fc_dtypes[dtype_code(dtype, floating)].size


cdef Flat hold_scratch(fc_halves *halves, dtype, scratch, int threads, int64_t each):
    """Settle what a pool of 16-bit floats has besides its arrays; return its memory, held."""
    cdef Flat space = flat("scratch", scratch, True)
    halves.scratch, halves.each, halves.dtype = space.data, each, HALVES[dtype]
    if space.bytes < times(each, threads):
        raise ValueError(f"scratch: expected {each} bytes for each thread, got {space.bytes}")
    return space


def half_pool_scratch(Windows windows not None, bint backward):
    """Bytes of scratch memory that a thread needs for a pool of 16-bit floats.

    Parameters
    ----------
    windows : Windows
    backward : bool
        Of avg_backward, else of the forward pools.
    """
    return fc_active().half_pool_scratch(&windows.w, backward)


def half_indexed_scratch(channels, inputs, outputs):
    """Bytes of scratch memory that a thread needs for scatter_add of 16-bit floats.

    Parameters
    ----------
    channels, inputs, outputs : int
        Of an image, of a plane of dx, and of one of grad.
    """
    return fc_active().half_indexed_scratch(
        number("channels", channels, 0), number("inputs", inputs, 0), number("outputs", outputs, 0)
    )


def half_col2im_scratch(Geometry geometry not None):
    """Bytes of scratch memory that a thread needs for half_col2im."""
    return fc_active().half_col2im_scratch(&geometry.g)


def half_col2im(Geometry geometry not None, cols, x, dtype, scratch, threads):
    """Fill x with the sums of its columns, which are float32 until all are there.

    Parameters
    ----------
    cols : buffer, (N, C * taps, positions)
        All columns of x.
    x : writable buffer, (N, C, *spatial_in)
    dtype : {"float16", "bfloat16"}
        Of both arrays.
    scratch : writable contiguous buffer
        As many bytes as half_col2im_scratch tells, for each thread.
    threads : int

    Returns
    -------
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.
    """
    cdef Array source = hold("cols", cols, False, False), target = hold("x", x, True, True)
    cdef int t = thread_count(threads)
    cdef fc_halves halves
    if dtype not in HALVES:
        raise ValueError(f"dtype: expected one of {', '.join(HALVES)}, got {dtype!r}")
    check_size("x", target, 2)
    geometry.check(target, source, 0, 0, 0)
    channels = times(target.a.shape[1], geometry.volume)
    check_shape("cols", source, (target.a.shape[0], channels, geometry.positions))
    space = hold_scratch(
        &halves, dtype, scratch, t, fc_active().half_col2im_scratch(&geometry.g)
    )
    with nogil:
        clear_overflow()
        fc_active().half_col2im(&geometry.g, &source.a, &target.a, &halves, t)
    return seen_overflow(fc_active_narrow().notes_overflow)
