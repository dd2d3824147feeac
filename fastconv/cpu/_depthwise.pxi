# Depthwise convolution and its gradients.

cdef tuple DEPTHWISE = ("conv_forward", "conv_input_grad", "conv_weight_grad")


cdef int depthwise_operation(object operation) except -1:
    if operation not in DEPTHWISE:
        expected = ", ".join(DEPTHWISE)
        raise ValueError(f"operation: expected one of {expected}, got {operation!r}")
    return DEPTHWISE.index(operation)


cdef int depthwise_code(object dtype, int operation) except -1:
    if dtype == "int8" and operation != FC_FORWARD:
        raise ValueError("dtype: int8 has no gradients")
    return FC_DTYPE_COUNT + <int>NARROW[dtype] if dtype in NARROW else dtype_code(dtype, True)


cdef int64_t depthwise_size(int code) noexcept:
    """The bytes of an item of x and of the weight."""
    if code < FC_DTYPE_COUNT:
        return fc_dtypes[code].size
    return 1 if code == FC_DTYPE_COUNT + FC_NARROW_int8 else 2


cdef int depthwise_plan(fc_depthwise *c, Geometry geometry, object operation, object multiplier,
                        object dtype, bint pixels, object band_bytes) except -1:
    """Fill in what does not depend on the arrays."""
    cdef int axis
    c.operation = depthwise_operation(operation)
    c.g, c.dtype, c.pixels = geometry.g, depthwise_code(dtype, c.operation), pixels
    c.multiplier = number("multiplier", multiplier, 1)
    c.band_bytes = number("band_bytes", band_bytes, 1)
    if pixels and c.multiplier != 1:
        raise ValueError(f"multiplier: expected 1 with pixels, got {multiplier}")
    for axis in range(3):
        if c.g.inputs[axis] < 1 or c.g.out[axis] < 1:
            raise ValueError("geometry: expected extents of at least 1")
        if c.operation == FC_INPUT_GRAD and c.g.stride[axis] > FC_MOST_PHASES:
            raise ValueError(f"geometry: expected strides up to {FC_MOST_PHASES}")
        # What a single result reads has to be countable in bytes, with room for all taps.
        if times(times(c.g.kernel[axis], c.g.dilation[axis]), 1 << 20) >= LARGEST:
            raise ValueError("geometry: the kernel reaches too far")
    if times(times(geometry.volume, c.multiplier), 1 << 20) >= LARGEST:
        raise ValueError("multiplier: too many taps")
    fc_active().depthwise_plan(c)
    return 0


def depthwise_bytes(Geometry geometry not None, operation, multiplier, dtype, bint pixels,
                    band_bytes):
    """The bytes of `depthwise`'s table, and of each thread's scratch memory.

    Parameters
    ----------
    operation : {"conv_forward", "conv_input_grad", "conv_weight_grad"}
    multiplier : int
        Output channels of an input channel.
    dtype : {"float32", "float64", "float16", "bfloat16", "int8"}
        int8 of bytes of any sign, forward.
    pixels : bool
        Whether vectors run along channels.
    band_bytes : int
        About how much of a source is copied at a time; at least some lines are.
    """
    cdef fc_depthwise c
    depthwise_plan(&c, geometry, operation, multiplier, dtype, pixels, band_bytes)
    return c.table_bytes, c.scratch_bytes


def depthwise(Geometry geometry not None, operation, x, weight, y, bias, dtype, bint pixels,
              int activation, double parameter, band_bytes, table, scratch, threads,
              tuple integers=None, rounding="", tuple steps=None):
    """Convolve each channel by itself, or compute a gradient of that.

    Parameters
    ----------
    operation : {"conv_forward", "conv_input_grad", "conv_weight_grad"}
        Which of the arrays is written: y, x or the weight.
    x : buffer, (N, C, *spatial_in), any strides
    weight : buffer, (C * multiplier, 1, *kernel), any strides
        For the weight gradient contiguous sums, (splits, C * multiplier, taps): split s gets those
        over images s * N / splits to (s + 1) * N / splits. Of 16-bit types they are float32.
    y : buffer, (N, C * multiplier, *spatial_out), any strides
    bias : contiguous buffer, (channels of the result,), or None
    dtype : {"float32", "float64", "float16", "bfloat16", "int8"}
    pixels : bool
        Vectors run along channels: those lie side by side in x and y, and the multiplier is 1.
    activation, parameter
        As in epilogue.
    band_bytes
        As in depthwise_bytes, which tells the size of the following.
    table, scratch : writable contiguous buffers
        Scratch is for all threads.
    threads : int
    integers : (flips, w_zeros, numbers) of int8
        Bits to flip in bytes of x and of the weight, so that these are unsigned and those signed;
        None, or int32 numbers to take off the weight, one for each of its channels or for all;
        what `Convolution.run` takes as `integers`. The bias is int32, and so is y, or of 8 bits.
    rounding : {"", "tf32", "bfloat16", "float16"}
        What the operands, of float32, are rounded to as they are read.
    steps : (float, buffer of float32, buffer of float32 or None)
        A scale, of which whole numbers are made of x, of float32, as int8 would hold them; what the
        sums of each of y's channels are multiplied by, and what is added, in the place of a bias.
        The weight holds whole numbers, and float32 holds sums exactly.

    Returns
    -------
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.
    """
    cdef int op = depthwise_operation(operation), code = depthwise_code(dtype, op)
    cdef bint gathers = op == FC_WEIGHT_GRAD
    cdef Array source = hold("x", x, op == FC_INPUT_GRAD, True)
    cdef Array grads = hold("y", y, op == FC_FORWARD, True)
    cdef Array taps = hold("weight", weight, gathers, not gathers)
    cdef Flat numbers = flat("table", table, True), space = flat("scratch", scratch, True)
    cdef Flat added = None, sums, zeros, scaling
    cdef tuple held
    cdef fc_depthwise c
    cdef int t = thread_count(threads)
    cdef bint narrow = code >= FC_DTYPE_COUNT, exact = code == FC_DTYPE_COUNT + FC_NARROW_int8
    cdef int64_t size = depthwise_size(code), channels = source.a.shape[1]
    check_size("x", source, size)
    if not exact or grads.a.size != 4:
        check_size("y", grads, size)
    check_size("weight", taps, 4 if narrow and gathers else size)
    if exact != (integers is not None):
        raise ValueError("integers: expected with int8, and with nothing else")
    if channels < 1 or grads.a.shape[1] < 1 or grads.a.shape[1] % channels:
        raise ValueError(f"y: {grads.a.shape[1]} channels are no multiple of x's {channels}")
    places = tuple([geometry.g.out[3 - geometry.axes + k] for k in range(geometry.axes)])
    kernel = tuple([geometry.g.kernel[3 - geometry.axes + k] for k in range(geometry.axes)])
    check_shape("x", source, (grads.a.shape[0], channels, *geometry.spatial_in))
    check_shape("y", grads, (source.a.shape[0], grads.a.shape[1], *places))
    c.x, c.y, c.weight, c.bias, c.sums, c.splits = source.a, grads.a, taps.a, NULL, NULL, 1
    if gathers:
        sums = flat("weight", weight, True)
        c.sums, c.splits = sums.data, taps.a.shape[0]
        check_shape("weight", taps, (c.splits, grads.a.shape[1], geometry.volume))
        if not 1 <= c.splits <= max(1, source.a.shape[0]):
            raise ValueError(f"weight: expected 1 to {source.a.shape[0]} splits, got {c.splits}")
    else:
        check_shape("weight", taps, (grads.a.shape[1], 1, *kernel))
    if pixels and (source.a.stride[1] != size or grads.a.stride[1] != grads.a.size):
        raise ValueError("pixels: expected channels that lie side by side")
    if not 0 <= activation < FC_ACTIVATIONS:
        raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
    depthwise_plan(&c, geometry, operation, grads.a.shape[1] // channels, dtype, pixels, band_bytes)
    c.activation, c.parameter = activation, parameter
    c.rounding = FC_UNROUNDED
    if rounding:
        if code != FC_float32:
            raise ValueError(f"rounding: expected float32, got {dtype}")
        c.dtype, c.rounding = FC_LOWERED, rounding_code(rounding)
    c.w_zeros, c.w_zero_step, c.factors, c.added, c.scale = NULL, 0, NULL, NULL, 1
    if steps is not None:
        if code != FC_float32 or rounding or op != FC_FORWARD or bias is not None \
                or times(geometry.volume, 255 * 255) > 1 << 24:
            raise ValueError("steps: expected a few taps of float32, forward, and nothing else")
        c.dtype, c.rounding, c.scale = FC_LOWERED, FC_TO_STEPS, steps[0]
        scaling = flat("steps", steps[1], False)
        c.factors = scaling.data
        if steps[2] is not None:
            added = flat("steps", steps[2], False)
            c.added = added.data
        if scaling.bytes != 4 * grads.a.shape[1] or (added is not None
                                                     and added.bytes != scaling.bytes):
            raise ValueError(f"steps: expected {grads.a.shape[1]} factors and addends of float32")
    if exact:
        flips, given, numerals = integers
        if times(geometry.volume, 255 * 255) > 1 << 24 or activation:
            raise ValueError("int8: too many taps for exact sums, or an activation")
        c.narrow.x_flip, c.narrow.weight_flip = in_all_bytes(flips[0]), in_all_bytes(flips[1])
        held = take_integers(&c.narrow, numerals, grads.a.shape[1], grads.a.size)
        if given is not None:
            zeros = flat("w_zeros", given, False)
            if zeros.bytes != 4 and zeros.bytes != times(grads.a.shape[1], 4):
                raise ValueError(f"w_zeros: expected 1 or {grads.a.shape[1]} items of int32")
            c.w_zeros, c.w_zero_step = zeros.data, 4 if zeros.bytes > 4 else 0
    if bias is not None:
        added = flat("bias", bias, False)
        wanted = channels if op == FC_INPUT_GRAD else grads.a.shape[1]
        if added.bytes != wanted * (4 if exact else size):
            raise ValueError(f"bias: expected {wanted} contiguous items")
        c.bias = added.data
    if numbers.bytes < c.table_bytes:
        raise ValueError(f"table: {numbers.bytes} bytes are too few for {c.table_bytes}")
    if space.bytes < times(c.scratch_bytes, t):
        raise ValueError(f"scratch: {space.bytes} bytes are too few for {t} threads")
    c.table, c.scratch = numbers.data, space.data
    with nogil:
        clear_overflow()
        if c.rounding == FC_TO_BFLOAT16 and fc_active_narrow().depthwise_rounded != NULL:
            fc_active_narrow().depthwise_rounded(&c, t)
        elif not (exact and fc_active_narrow().depthwise_quads(&c, t)):
            fc_active().depthwise(&c, t)
    notes = fc_active_narrow().notes_overflow
    return seen_overflow(notes and "float16" in (dtype, rounding))
