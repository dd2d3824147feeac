# What products in fewer bits do besides multiplying. All arrays are contiguous.

cdef int64_t float_count(str name, Flat values) except -1:
    if values.bytes % 4:
        raise ValueError(f"{name}: {values.bytes} bytes are no float32")
    return values.bytes // 4


def reach_parts(rows, row):
    """How many parts' magnitudes `reach` gives for `rows` lines of so many items."""
    return fc_active().reach_parts(number("rows", rows, 0), number("row", row, 0))


def reach(x, most, rows, threads):
    """The largest magnitude of each of the parts that lines are cut into; NaN where there is one.

    Parameters
    ----------
    x : contiguous buffer of float32
        `rows` lines.
    most : writable contiguous buffer of float32
        For each line, as many items as it has parts.
    rows : int
    threads : int
    """
    cdef Flat source = flat("x", x, False), target = flat("most", most, True)
    cdef int64_t n = float_count("x", source), lines = number("rows", rows, 1)
    cdef int t = thread_count(threads)
    if n % lines:
        raise ValueError(f"x: {n} items are no {rows} lines")
    if target.bytes != times(fc_active().reach_parts(lines, n // lines), 4):
        raise ValueError(f"most: {target.bytes} bytes are not a float32 for each part")
    with nogil:
        fc_active().reach(source.data, lines, n // lines, target.data, t)


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


def quantize(source, target, scales, zero, low, high, threads):
    """Fill bytes with float32 / scale + zero, rounded, ties to even, and saturated.

    Parameters
    ----------
    source : contiguous buffer of float32, without NaN
    target : writable contiguous buffer of as many bytes
    scales : contiguous buffer of float32, above 0
        One, or one for each of so many equal lines.
    zero, low, high : int
        low <= zero <= high, of 8 bits.
    threads : int
    """
    cdef Flat given = flat("source", source, False), taken = flat("target", target, True)
    cdef Flat steps = flat("scales", scales, False)
    cdef fc_quantizer q
    cdef int64_t n = float_count("source", given)
    cdef int t = thread_count(threads)
    if taken.bytes != n:
        raise ValueError(f"target: expected {n} bytes, got {taken.bytes}")
    if not -128 <= low <= zero <= high <= 255:
        raise ValueError(f"expected low <= zero <= high of 8 bits, got {low}, {zero}, {high}")
    q.rows = float_count("scales", steps)
    if q.rows == 0 or n % q.rows:
        raise ValueError(f"scales: {n} items are no {q.rows} lines")
    q.from_, q.to, q.scales, q.row = given.data, taken.data, steps.data, n // q.rows
    q.zero, q.low, q.high = zero, low, high
    with nogil:
        fc_active().quantize(&q, t)


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
