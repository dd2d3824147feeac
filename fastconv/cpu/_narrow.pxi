# Types of fewer bits than a sum's.

cdef dict NARROW = {
    "float16": FC_NARROW_float16, "bfloat16": FC_NARROW_bfloat16, "int8": FC_NARROW_int8,
}
# Whose products are those of items that are made: tf32 is what float32 arrays are rounded to.
cdef dict MADE = {**NARROW, "tf32": FC_NARROW_tf32}


def item_channels(dtype):
    """How many source channels an item of scratch memory holds at the level in use."""
    return fc_active_narrow().channels(MADE[dtype]) if dtype in MADE else 1


def convert(source, target, dtype, threads):
    """Fill a contiguous array of float32 with items of float16 or bfloat16, or the reverse.

    Returns False if no result is known to have overflowed, else None.

    Parameters
    ----------
    source : contiguous buffer
    target : writable contiguous buffer
        As many items; those of one have 4 bytes, of the other one 2.
    dtype : {"float16", "bfloat16"}
        Of those with 2.
    threads : int
    """
    cdef Flat given = flat("source", source, False), taken = flat("target", target, True)
    cdef int widens = taken.bytes == 2 * given.bytes, t = thread_count(threads)
    cdef int64_t n = min(given.bytes, taken.bytes) // 2
    cdef int code = NARROW[dtype]
    if code == FC_NARROW_int8 or not (widens or given.bytes == 2 * taken.bytes):
        raise ValueError(f"convert: {given.bytes} to {taken.bytes} bytes of {dtype}")
    with nogil:
        clear_overflow()
        fc_active_narrow().convert(code, given.data, taken.data, n, widens, t)
    return seen_overflow(fc_active_narrow().notes_overflow)


cdef fc_narrow_kernels products_of(dtype) except *:
    """The functions that multiply arrays of a dtype at the level in use."""
    cdef fc_narrow_kernels found
    cdef const fc_kernels *kernels = fc_active()
    if dtype in MADE:
        return fc_active_narrow()[0]
    found.channels, found.convert = NULL, NULL
    found.notes_overflow = fc_active_narrow().notes_overflow
    found.conv_layout, found.conv_box = kernels.conv_layout, kernels.conv_box
    found.conv_offsets, found.conv_pack = kernels.conv_offsets, kernels.conv_pack
    found.conv_run, found.pointwise_layout = kernels.conv_run, kernels.pointwise_layout
    found.pointwise_pack, found.pointwise_run = kernels.pointwise_pack, kernels.pointwise_run
    found.product, found.product_scratch = kernels.product, kernels.product_scratch
    found.weight_grad, found.weight_grad_bytes = kernels.weight_grad, kernels.weight_grad_bytes
    return found


cdef object seen_overflow(int notes_overflow):
    """What kernels return that end on float16: False where the flag, which they note overflow in,
    is still clear, None where there's no telling."""
    return False if notes_overflow and not overflow_noted() else None


cdef int product_code(dtype) except -1:
    """A floating or narrow dtype's code in the functions that products_of gives."""
    return MADE[dtype] if dtype in MADE else dtype_code(dtype, True)


cdef int take_sizes(dtype, int target_size, fc_array *x, fc_array *weight,
                    fc_array *y, bint rounds=False) except -1:
    """Settle what the arrays' items take: of narrow types, the target's may have 4 bytes. Where
    `rounds` is set all are float32, and operands are rounded to a type on the way."""
    cdef int own = 1 if dtype == "int8" else 2
    if dtype == "tf32" and not rounds:
        raise ValueError("rounds: expected True of tf32, which no array has")
    if rounds and (dtype not in MADE or dtype == "int8"):
        raise ValueError(f"rounds: expected float16 or bfloat16 or tf32 to round to, got {dtype}")
    if rounds:
        x.size = weight.size = y.size = 4
        return 0
    if dtype not in NARROW:
        own = fc_dtypes[dtype_code(dtype, True)].size
    x.size = weight.size = own
    y.size = target_size or own
    if y.size != own and (dtype not in NARROW or y.size != 4):
        raise ValueError(f"target_size: expected {own}, or 4 of narrow types, got {target_size}")
    return 0


cdef int take_scales(fc_narrow *narrow, int *activation, dtype, int target_size,
                     bint scales) except -1:
    """Settle whether sums of bytes become float32 as they are stored; they are rectified then."""
    if scales and (dtype != "int8" or target_size != 4):
        raise ValueError(f"scales: expected False of {dtype} and targets of {target_size} bytes")
    narrow.scaled, narrow.added = scales, NULL
    narrow.relu = scales and activation[0] == FC_RELU
    if narrow.relu:
        activation[0] = FC_NONE
    return 0


cdef int add_scaled(fc_narrow *narrow, const char **bias, int64_t step) except -1:
    """What is added to scaled sums isn't added to those of bytes."""
    if step != 4:
        raise ValueError(f"bias: expected contiguous items of float32, got a step of {step} bytes")
    narrow.added, bias[0] = bias[0], NULL
    return 0


cdef uint32_t in_all_bytes(uint32_t byte) noexcept:
    return 0x01010101 * (byte & 0xff)


cdef tuple take_integers(fc_narrow *narrow, tuple integers, int64_t channels, int64_t y_size):
    """Settle what a run of int8 has besides its arrays; return what is held meanwhile."""
    cdef Flat multiplier = None, zeros = None
    x_zero, w_zeros, given, y_zero, low, high = integers
    narrow.x_zero, narrow.y_zero, narrow.low, narrow.high = x_zero, y_zero, low, high
    if not 0 <= narrow.x_zero <= 255:
        raise ValueError(f"x_zero: expected 0 to 255, got {x_zero}")
    if not -128 <= low <= y_zero <= high <= 255:
        raise ValueError(f"expected low <= y_zero <= high of 8 bits, got {low}, {y_zero}, {high}")
    if (given is None) != (y_size == 4 and not narrow.scaled):
        raise ValueError(
            "multiplier: expected one for a target of 8 bits or of scaled sums, and only for these"
        )
    narrow.multiplier = narrow.w_zeros = NULL
    if given is not None:
        multiplier = flat("multiplier", given, False)
        narrow.multiplier_step = channel_step("multiplier", multiplier, channels)
        narrow.multiplier = multiplier.data
    if w_zeros is not None:
        zeros = flat("w_zeros", w_zeros, False)
        narrow.w_zero_step = channel_step("w_zeros", zeros, channels)
        narrow.w_zeros = zeros.data
    return multiplier, zeros


cdef int64_t channel_step(str name, Flat values, int64_t channels) except -1:
    """4 where there is one item of 4 bytes for each channel, 0 where there is one for all."""
    if values.bytes != 4 and values.bytes != times(channels, 4):
        raise ValueError(f"{name}: expected 1 or {channels} items of 4 bytes")
    return 4 if values.bytes > 4 else 0
