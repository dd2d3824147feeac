# Convolution of groups of few channels that lie side by side, and its weight's gradient.

# The widest kernel of channels alone.
GROUPED_WIDEST = FC_ALONE_WIDEST


def grouped_slides(Geometry geometry not None):
    """Whether `grouped` goes over groups of one channel as a kernel slides along x.

    It widens or rounds x in registers then, and asks for no scratch memory.
    """
    return bool(fc_slides(&geometry.g))


def grouped_pack(weight, packed, dtype, bint turned=False):
    """Put the weight in the order in which `grouped` reads it.

    Parameters
    ----------
    weight : buffer, (C, group, *kernel)
    packed : writable contiguous buffer
        As `grouped` takes it.
    dtype : {"float32", "float64"}
        Of both.
    turned : bool
        Whether the weight is that of an input gradient: its first axis is of source channels, its
        second one of a group's target channels.
    """
    cdef Array source = hold("weight", weight, False, True)
    cdef Flat target = flat("packed", packed, True)
    cdef int code = dtype_code(dtype, True)
    cdef fc_grouped_weight w
    cdef int64_t wanted, channels = source.a.shape[0]
    check_size("weight", source, fc_dtypes[code].size)
    if source.a.shape[1] < 1 or channels % source.a.shape[1]:
        raise ValueError(f"weight: {channels} channels are not groups of {source.a.shape[1]}")
    wanted = packed_bytes(channels, source.a.size, volume_of(&source.a), source.a.shape[1])
    if target.bytes != wanted:
        raise ValueError(f"packed: expected {wanted} bytes, got {target.bytes}")
    w.weight, w.packed, w.turned = source.a, target.data, turned
    with nogil:
        fc_active().grouped_pack(&w, code)


cdef int64_t pieces_of(int64_t channels, int64_t size) except -1:
    """Pieces of so many channels' items."""
    return (times(channels, size) + FC_GROUPED_BYTES - 1) // FC_GROUPED_BYTES


cdef int64_t packed_bytes(int64_t channels, int64_t size, int64_t volume,
                          int64_t group) except -1:
    """Pieces of a weight with items of a size, by taps and channels of a group."""
    return times(times(times(pieces_of(channels, size), volume), group), FC_GROUPED_BYTES)


cdef int64_t volume_of(const fc_array *weight) except -1:
    """Taps of a kernel."""
    return times(weight.shape[2], times(weight.shape[3], weight.shape[4]))


cdef int grouped_operands(fc_grouped *c, Geometry geometry, Array source, Array target,
                          int64_t group, dtype, rounding) except -1:
    """Fill in x, y and how they are read."""
    cdef int64_t channels = source.a.shape[1]
    c.half = 1 + <int>HALVES[dtype] if dtype in HALVES else 0
    c.dtype = FC_float32 if c.half else dtype_code(dtype, True)
    c.rounding = rounding_code(rounding) if rounding else 0
    if rounding and dtype != "float32":
        raise ValueError(f"rounding: expected float32, got {dtype}")
    check_size("x", source, 2 if c.half else fc_dtypes[c.dtype].size)
    check_size("y", target, source.a.size)
    if channels != target.a.shape[1] or source.a.shape[0] != target.a.shape[0] \
            or not spatial_is(source, geometry.axes, geometry.g.inputs) \
            or not spatial_is(target, geometry.axes, geometry.g.out):
        places = tuple([geometry.g.out[3 - geometry.axes + k] for k in range(geometry.axes)])
        check_shape("x", source, (target.a.shape[0], channels, *geometry.spatial_in))
        check_shape("y", target, (source.a.shape[0], channels, *places))
    if group not in (1, 2, 4, 8) or channels < 1 or channels % group:
        raise ValueError(f"group: expected 1, 2, 4 or 8, a divisor of {channels}, got {group}")
    check_adjoining("x", source)
    check_adjoining("y", target)
    c.g, c.x, c.y, c.group = geometry.g, source.a, target.a, group
    return 0


def grouped(Geometry geometry not None, x, packed, y, bias, int64_t group, int activation,
            double parameter, dtype, threads, rounding="", bint streams=False, bint ahead=False,
            scratch=None):
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
    group : {1, 2, 4, 8}
        Channels of a group, of which C is a multiple.
    activation, parameter
        As in epilogue.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of x and y; of 16-bit ones, the packed weight, the bias and sums are float32.
    threads : int
    rounding : {"", "tf32", "bfloat16", "float16"}
        What x, of float32, is rounded to as it is read.
    streams, ahead : bool
        Whether y goes past the caches, and, for groups of one channel, x is asked for early.
    scratch : contiguous writable buffer, or None
        An equal part for each thread, for groups of one channel whose items are 16-bit or rounded:
        rows of x as float32, their pixels in pieces, as many rows as fit.

    Returns
    -------
    bool or None
        False where no float16 result, nor what was rounded to float16 as it was read, became
        infinite; None where there's no telling.
    """
    cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True)
    cdef Flat weight = flat("packed", packed, False), added, space
    cdef int t = thread_count(threads)
    cdef fc_grouped c
    cdef int64_t size, pieces, channels = source.a.shape[1]
    grouped_operands(&c, geometry, source, target, group, dtype, rounding)
    if group == 1 and geometry.g.kernel[2] > FC_ALONE_WIDEST:
        raise ValueError(f"kernel: expected a width of {FC_ALONE_WIDEST} at most, in groups of one")
    if not 0 <= activation < FC_ACTIVATIONS:
        raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
    size = fc_dtypes[c.dtype].size
    pieces = pieces_of(channels, size)
    if weight.bytes != packed_bytes(channels, size, geometry.volume, group):
        raise ValueError(f"packed: {weight.bytes} bytes are not {pieces} pieces of the weight")
    c.bias = NULL
    if bias is not None:
        added = flat("bias", bias, False)
        if added.bytes != channels * size:
            raise ValueError(f"bias: expected {channels} contiguous items of {size} bytes")
        c.bias = added.data
    c.packed, c.activation, c.parameter = weight.data, activation, parameter
    c.streams, c.ahead = streams, ahead
    c.scratch, c.scratch_bytes = NULL, 0
    if scratch is not None:
        space = flat("scratch", scratch, True)
        c.scratch = space.data
        c.scratch_bytes = space.bytes // t // FC_GROUPED_BYTES * FC_GROUPED_BYTES
    with nogil:
        clear_overflow()
        fc_active().grouped(&c, t)
    notes = fc_active_narrow().notes_overflow
    return seen_overflow(notes and "float16" in (dtype, rounding))


def grouped_grad(Geometry geometry not None, x, y, weight, sums, int64_t splits, dtype, threads,
                 rounding=""):
    """Fill the weight's gradient of groups of as many output channels as input channels.

    Parameters
    ----------
    geometry : Geometry
    x, y : buffer, (N, C, *spatial_in) and (N, C, *spatial_out), the channels side by side
        y is the output's gradient. A level's vector is a multiple of a group.
    weight : writable buffer, (C, group, *kernel)
        Of the type of sums.
    sums : writable contiguous buffer
        For each of `splits` shares of the outputs' rows, as many bytes as `grouped` has packed.
    dtype, threads, rounding
        As `grouped`'s; both x and y are rounded.

    Returns
    -------
    bool or None
        As `grouped` does, of what is rounded as it is read.
    """
    cdef Array source = hold("x", x, False, True), target = hold("y", y, False, True)
    cdef Array filled = hold("weight", weight, True, True)
    cdef Flat scratch = flat("sums", sums, True)
    cdef int t = thread_count(threads)
    cdef fc_grouped_grad job
    grouped_operands(&job.conv, geometry, source, target, filled.a.shape[1], dtype, rounding)
    check_size("weight", filled, fc_dtypes[job.conv.dtype].size)
    if filled.a.shape[0] != source.a.shape[1] \
            or not spatial_is(filled, geometry.axes, geometry.g.kernel):
        kernel = tuple([geometry.g.kernel[3 - geometry.axes + k] for k in range(geometry.axes)])
        check_shape("weight", filled, (source.a.shape[1], filled.a.shape[1], *kernel))
    if fc_active().vector_bytes // filled.a.size < filled.a.shape[1]:
        raise ValueError(f"weight: groups of {filled.a.shape[1]} do not fit a vector")
    job.bytes = packed_bytes(filled.a.shape[0], filled.a.size, geometry.volume, filled.a.shape[1])
    if splits < 1 or scratch.bytes != times(splits, job.bytes):
        raise ValueError(f"sums: expected {splits} times {job.bytes} bytes, got {scratch.bytes}")
    job.weight, job.sums, job.splits = filled.a, scratch.data, splits
    with nogil:
        clear_overflow()
        fc_active().grouped_grad(&job, t)
    return seen_overflow(fc_active_narrow().notes_overflow and rounding == "float16")
