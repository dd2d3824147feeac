# What products in fewer bits do besides multiplying. All arrays are contiguous.

cdef int64_t float_count(str name, Flat values) except -1:
    if values.bytes % 4:
        raise ValueError(f"{name}: {values.bytes} bytes are no float32")
    return values.bytes // 4


def reach_parts(rows, row):
    """How many parts' magnitudes `reach` gives for `rows` lines of so many items."""
    return fc_active().reach_parts(number("rows", rows, 0), number("row", row, 0))


def reach(x, most, rows, threads, dtype="float32"):
    """The largest magnitude of each of the parts that lines are cut into; NaN where there is one.

    Parameters
    ----------
    x : contiguous buffer
        `rows` lines.
    most : writable contiguous buffer of float32
        For each line, as many items as it has parts.
    rows : int
    threads : int
    dtype : {"float32", "float16", "bfloat16"}
        Of x.
    """
    cdef Flat source = flat("x", x, False), target = flat("most", most, True)
    cdef int64_t n, lines = number("rows", rows, 1)
    cdef int t = thread_count(threads), code = FC_float32
    if dtype != "float32":
        code = FC_DTYPE_COUNT + <int>NARROW[dtype]
    n = float_count("x", source) if code == FC_float32 else source.bytes // 2
    if n % lines:
        raise ValueError(f"x: {n} items are no {rows} lines")
    if target.bytes != times(fc_active().reach_parts(lines, n // lines), 4):
        raise ValueError("most: it has not a float32 for each part")
    with nogil:
        fc_active().reach(source.data, code, lines, n // lines, target.data, t)


cdef dict ROUNDINGS = {
    "tf32": FC_TO_TF32, "bfloat16": FC_TO_BFLOAT16, "float16": FC_TO_FLOAT16,
}


cdef int rounding_code(precision) except -1:
    if precision not in ROUNDINGS:
        raise ValueError(f"precision: expected one of {', '.join(ROUNDINGS)}, got {precision!r}")
    return ROUNDINGS[precision]


def round_floats(source, target, precision, threads):
    """Fill float32 with the nearest numbers that a precision has, ties to even.

    Parameters
    ----------
    source : contiguous buffer of float32
    target : writable contiguous buffer of float32
        As many; it may be the source.
    precision : {"tf32", "bfloat16", "float16"}
    threads : int
    """
    cdef Flat given = flat("source", source, False), taken = flat("target", target, True)
    cdef int64_t n = float_count("source", given)
    cdef int t = thread_count(threads), rounding = rounding_code(precision)
    if taken.bytes != given.bytes:
        raise ValueError(f"target: expected {given.bytes} bytes, got {taken.bytes}")
    with nogil:
        fc_active().round_floats(given.data, taken.data, n, rounding, t)


cdef int64_t number_bytes(fc_quantizer *q, str dtype) except -1:
    """Settle the numbers' dtype; return the bytes of one."""
    if dtype in ("float16", "bfloat16"):
        q.dtype = FC_DTYPE_COUNT + <int>NARROW[dtype]
        return 2
    q.dtype = dtype_code(dtype, True)
    return fc_dtypes[q.dtype].size


cdef int take_lines(fc_quantizer *q, Flat source, Flat target, int64_t written, Flat scales,
                    int64_t wide, Flat zeros, inner) except -1:
    """Settle how items lie: `written` bytes are those of one in target, `wide` of a scale."""
    cdef int64_t n = source.bytes // q.size
    if source.bytes != n * q.size or target.bytes != n * written:
        raise ValueError(f"{source.bytes} and {target.bytes} bytes are not as many items")
    q.channels, q.inner = scales.bytes // wide, number("inner", inner, 1)
    if scales.bytes != q.channels * wide or zeros.bytes != q.channels * 4:
        raise ValueError("scales, zeros: expected as many float and int32 items, one for a channel")
    if q.channels == 0 or n % times(q.channels, q.inner):
        raise ValueError(f"{n} items are no lines of {q.channels} x {q.inner}")
    q.outer = n // (q.channels * q.inner)
    q.from_, q.to, q.scales, q.zeros = source.data, target.data, scales.data, zeros.data
    return 0


def quantize(source, target, scales, zeros, low, high, inner, dtype, threads):
    """Fill bytes with numbers / scale + zero, rounded, ties to even, and saturated.

    Parameters
    ----------
    source : contiguous buffer, (outer, channels, inner)
    target : writable contiguous buffer of as many bytes
    scales : contiguous buffer of float32, of float64 numbers float64, (channels,)
        Above 0.
    zeros : contiguous buffer of int32, (channels,)
        Within [low, high].
    low, high, inner : int
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of the source.
    threads : int

    Returns
    -------
    bool
        Whether there was a quotient of NaN, whose integer is any.
    """
    cdef Flat given = flat("source", source, False), taken = flat("target", target, True)
    cdef Flat steps = flat("scales", scales, False), shifts = flat("zeros", zeros, False)
    cdef fc_quantizer q
    cdef int t = thread_count(threads), nan = 0
    if not -128 <= low < high <= 255:
        raise ValueError(f"expected low < high of 8 bits, got {low}, {high}")
    q.size = number_bytes(&q, dtype)
    q.low, q.high, q.nan = low, high, &nan
    if given.bytes == 0:
        return False
    take_lines(&q, given, taken, 1, steps, max(q.size, 4), shifts, inner)
    with nogil:
        fc_active().quantize(&q, t)
    return nan != 0


def dequantize(source, target, scales, zeros, size, low, inner, dtype, threads):
    """Fill numbers with integers less their zero, times a scale.

    Parameters
    ----------
    source : contiguous buffer, (outer, channels, inner)
    target : writable contiguous buffer of as many items
    scales : contiguous buffer of float32, of int32 float64, (channels,)
    zeros : contiguous buffer of int32, (channels,)
    size : int
        Bytes of an integer: 1, or 4, which have no 16-bit numbers.
    low : int
        Below 0 for int8, else 0.
    inner : int
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of the target.
    threads : int
    """
    cdef Flat given = flat("source", source, False), taken = flat("target", target, True)
    cdef Flat steps = flat("scales", scales, False), shifts = flat("zeros", zeros, False)
    cdef fc_quantizer q
    cdef int t = thread_count(threads)
    if size != 1 and (size != 4 or dtype in NARROW):
        raise ValueError(f"size: expected 1, or 4 of integers for float32 or float64: {size}")
    q.size, q.low, q.high, q.nan = size, low, 0, NULL
    if given.bytes == 0:
        return
    take_lines(&q, given, taken, number_bytes(&q, dtype), steps, 2 * q.size if size == 4 else 4,
               shifts, inner)
    with nogil:
        fc_active().dequantize(&q, t)


def rescale(sums, factors, bias, target, inner, int activation, double parameter, threads):
    """Fill float32 with int32 sums times factors plus a bias, activated.

    Parameters
    ----------
    sums : contiguous buffer of int32, (outer, channels, inner)
    factors, bias : contiguous buffer of float32, (channels,)
    target : writable contiguous buffer of float32
        As many.
    inner : int
    activation, parameter
        As in epilogue.
    threads : int
    """
    cdef Flat given = flat("sums", sums, False), taken = flat("target", target, True)
    cdef Flat each = flat("factors", factors, False), added = flat("bias", bias, False)
    cdef fc_rescaler r
    cdef int t = thread_count(threads)
    cdef int64_t n = float_count("sums", given)
    r.channels, r.inner = float_count("factors", each), number("inner", inner, 1)
    if added.bytes != each.bytes or taken.bytes != given.bytes:
        raise ValueError("bias is to have factors' size, target that of sums")
    if not 0 <= activation < FC_ACTIVATIONS:
        raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
    if n == 0:
        return
    if r.channels == 0 or n % times(r.channels, r.inner):
        raise ValueError(f"sums: {n} are no lines of {r.channels} x {r.inner}")
    r.outer = n // (r.channels * r.inner)
    r.sums, r.factors, r.bias, r.to = given.data, each.data, added.data, taken.data
    r.activation, r.parameter = activation, parameter
    with nogil:
        fc_active().rescale(&r, t)
