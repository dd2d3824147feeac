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
