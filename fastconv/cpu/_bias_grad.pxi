# The gradient of a bias.


def bias_grad(y, bias, sums, dtype, splits, threads):
    """Sum y over all axes but its channels.

    Parameters
    ----------
    y : buffer, (N, C, *spatial), any strides
    bias : writable buffer, (1, C, 1), any strides
    sums : writable contiguous buffer
        splits * C items.
    dtype : {"float32", "float64"}
    splits : int
        In how many parts the lines are summed, which are then added in their order.
    threads : int
    """
    cdef Array source = hold("y", y, False, True), target = hold("bias", bias, True, False)
    cdef Flat space = flat("sums", sums, True)
    cdef int code = dtype_code(dtype, True), t = thread_count(threads)
    cdef int64_t parts = number("splits", splits, 1)
    check_size("y", source, fc_dtypes[code].size)
    check_size("bias", target, fc_dtypes[code].size)
    check_shape("bias", target, (1, source.a.shape[1], 1))
    if 0 in source.shape():
        raise ValueError("y: has no items")
    if space.bytes < times(times(parts, source.a.shape[1]), source.a.size):
        raise ValueError(f"sums: {space.bytes} bytes are too few for {splits} splits")
    with nogil:
        fc_active().bias_grad(&source.a, &target.a, code, space.data, parts, t)
