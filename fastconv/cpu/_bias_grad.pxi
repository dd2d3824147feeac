# The gradient of a bias.


def bias_grad(y, bias, sums, dtype, splits, threads):
    """Sum y over all axes but its channels.

    Parameters
    ----------
    y : buffer, (N, C, *spatial), any strides
    bias : writable buffer, (1, C, 1), any strides
        Of y's dtype, but of float32 where that has 16 bits.
    sums : writable contiguous buffer
        splits * C items, of bias's dtype.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of y.
    splits : int
        In how many parts the lines are summed, which are then added in their order.
    threads : int
    """
    cdef Array source = hold("y", y, False, True), target = hold("bias", bias, True, False)
    cdef Flat space = flat("sums", sums, True)
    cdef int half = 1 + <int>HALVES[dtype] if dtype in HALVES else 0
    cdef int code = FC_float32 if half else dtype_code(dtype, True), t = thread_count(threads)
    cdef int64_t parts = number("splits", splits, 1)
    check_size("y", source, 2 if half else fc_dtypes[code].size)
    check_size("bias", target, fc_dtypes[code].size)
    check_shape("bias", target, (1, source.a.shape[1], 1))
    if 0 in source.shape():
        raise ValueError("y: has no items")
    if space.bytes < times(times(parts, source.a.shape[1]), target.a.size):
        raise ValueError(f"sums: {space.bytes} bytes are too few for {splits} splits")
    with nogil:
        fc_active().bias_grad(&source.a, &target.a, code, half, space.data, parts, t)
