# Convolution of groups of few channels that lie side by side.

def grouped(Geometry geometry not None, x, packed, y, bias, int64_t group, int activation,
            double parameter, dtype, threads, rounding=""):
    """Convolve groups of as many output channels as input channels.

    Parameters
    ----------
    geometry : Geometry
    x : buffer, (N, C, *spatial_in), the channels side by side
    packed : contiguous buffer
        The weight in pieces of 64 bytes, (pieces, taps, group, channels of a piece), zero past the
        last channel: [v, t, j, l] belongs to output channel v * L + l and to input channel j of its
        group.
    y : writable buffer, (N, C, *spatial_out), the channels side by side
    bias : contiguous buffer, (C,), or None
        Of the type of sums.
    group : {2, 4, 8}
        Channels of a group, of which C is a multiple.
    activation, parameter
        As in epilogue.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of x and y; of 16-bit ones, the packed weight, the bias and sums are float32.
    threads : int
    rounding : {"", "tf32", "bfloat16", "float16"}
        What x, of float32, is rounded to as it is read.

    Returns
    -------
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.
    """
    cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True)
    cdef Flat weight = flat("packed", packed, False), added
    cdef int t = thread_count(threads)
    cdef fc_grouped c
    cdef int64_t size, channels = source.a.shape[1], pieces
    c.half = 1 + <int>HALVES[dtype] if dtype in HALVES else 0
    c.dtype = FC_float32 if c.half else dtype_code(dtype, True)
    c.rounding = rounding_code(rounding) if rounding else 0
    size = fc_dtypes[c.dtype].size
    if rounding and dtype != "float32":
        raise ValueError(f"rounding: expected float32, got {dtype}")
    check_size("x", source, 2 if c.half else size)
    check_size("y", target, source.a.size)
    places = tuple([geometry.g.out[3 - geometry.axes + k] for k in range(geometry.axes)])
    check_shape("x", source, (target.a.shape[0], channels, *geometry.spatial_in))
    check_shape("y", target, (source.a.shape[0], channels, *places))
    if group not in (2, 4, 8) or channels < 1 or channels % group:
        raise ValueError(f"group: expected 2, 4 or 8, a divisor of {channels}, got {group}")
    if source.a.stride[1] != source.a.size or target.a.stride[1] != source.a.size:
        raise ValueError("x, y: expected channels that lie side by side")
    if not 0 <= activation < FC_ACTIVATIONS:
        raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
    pieces = (channels * size + FC_GROUPED_BYTES - 1) // FC_GROUPED_BYTES
    if weight.bytes != times(times(times(pieces, geometry.volume), group), FC_GROUPED_BYTES):
        raise ValueError(f"packed: {weight.bytes} bytes are not {pieces} pieces of the weight")
    c.bias = NULL
    if bias is not None:
        added = flat("bias", bias, False)
        if added.bytes != channels * size:
            raise ValueError(f"bias: expected {channels} contiguous items of {size} bytes")
        c.bias = added.data
    c.g, c.x, c.y, c.packed, c.group = geometry.g, source.a, target.a, weight.data, group
    c.activation, c.parameter = activation, parameter
    with nogil:
        clear_overflow()
        fc_active().grouped(&c, t)
    # What the packed weight was rounded to isn't known here.
    return None if rounding else seen_overflow(fc_active_narrow().notes_overflow)
