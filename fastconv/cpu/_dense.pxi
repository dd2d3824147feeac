# The dense product.

def product_scratch(dtype):
    """Bytes of scratch that each thread of a product needs, at the level in use."""
    return products_of(dtype).product_scratch(product_code(dtype))


def product(a, b, c, bias, dtype, int activation, double parameter, scratch, threads,
            int target_size=0, bint rounds=False):
    """Fill c with a b + bias and apply an activation.

    Parameters
    ----------
    a : buffer, (1, rows, depth), any strides
    b : buffer, (1, depth, columns), any strides
    c : writable buffer, (1, rows, columns)
        Columns lie side by side.
    bias : contiguous buffer, (columns,), or None
    dtype : {"float32", "float64", "float16", "bfloat16", "tf32"}
        Of a and b, or what they are rounded to.
    activation, parameter
        As in epilogue.
    scratch : writable contiguous buffer
        product_scratch bytes for each thread.
    threads : int
        Sums do not depend on it.
    target_size : int
        Bytes of the items of c and bias: 4 of narrow types, or 0 for those of a and b.
    rounds : bool
        Whether a and b are float32, as c and bias are, and are rounded to `dtype`, tf32, float16
        or bfloat16, on the way.
    """
    cdef Array left = hold("a", a, False, False), right = hold("b", b, False, False)
    cdef Array target = hold("c", c, True, False)
    cdef Flat space = flat("scratch", scratch, True), added
    cdef fc_dense p
    cdef fc_narrow_kernels kernels = products_of(dtype)
    cdef int code = product_code(dtype), t = thread_count(threads)
    cdef int64_t size
    if dtype == "int8":
        raise ValueError("dtype: expected a floating one, got int8")
    p.a, p.b, p.c, p.dtype = left.a, right.a, target.a, code
    take_sizes(dtype, target_size, &p.a, &p.b, &p.c, rounds)
    check_size("a", left, p.a.size)
    check_size("b", right, p.b.size)
    check_size("c", target, p.c.size)
    size = p.c.size
    check_shape("a", left, (1, p.c.shape[1], p.a.shape[2]))
    check_shape("b", right, (1, p.a.shape[2], p.c.shape[2]))
    check_shape("c", target, (1, p.c.shape[1], p.c.shape[2]))
    if p.a.shape[2] < 1:
        raise ValueError("a: expected a depth of at least 1")
    if p.c.shape[2] > 1 and p.c.stride[2] != size:
        raise ValueError(f"c: expected columns side by side, got a stride of {p.c.stride[2]} bytes")
    if not 0 <= activation < FC_ACTIVATIONS:
        raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
    p.activation, p.parameter, p.bias = activation, parameter, NULL
    if bias is not None:
        added = flat("bias", bias, False)
        if added.bytes != times(p.c.shape[2], size):
            raise ValueError(f"bias: expected {p.c.shape[2]} contiguous items of {size} bytes")
        p.bias = added.data
    p.scratch, p.scratch_bytes = space.data, kernels.product_scratch(code)
    if space.bytes < times(p.scratch_bytes, t):
        raise ValueError(f"scratch: {space.bytes} bytes are too few for {t} threads")
    if p.c.shape[1] > 0 and p.c.shape[2] > 0:
        with nogil:
            clear_overflow()
            kernels.product(&p, t)
    return seen_overflow(kernels.notes_overflow)
