# The pools. Every input x is (N, C, *spatial_in), every output y is (N, C, *spatial_out).

def max_forward(Windows windows not None, x, y, indices, bint channels_inner, dtype, threads,
                scratch=None):
    """Largest item of each window; the first of several, and NaN before all.

    Parameters
    ----------
    x : buffer
    y : writable buffer
    indices : writable buffer of int64 with y's shape, or None
        Gets each maximum's place in its plane, (d * H + h) * W + w.
    channels_inner : bool
        Whether the innermost axis is one of channels, which places don't count: d * H + h.
    dtype : str
        Of x and y.
    threads : int
    scratch : writable contiguous buffer or None
        Of 16-bit floats.

    Returns
    -------
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.

    Notes
    -----
    A window without inputs gives the least value and index 0.
    """
    cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True), places = None
    cdef const fc_array *where = NULL
    cdef int code, t = thread_count(threads)
    cdef int64_t size = item_bytes(dtype, False)
    cdef fc_halves halves
    windows.check_input("x", source, size)
    windows.check_output("y", target, source, size)
    if indices is not None:
        places = hold("indices", indices, True, True)
        windows.check_output("indices", places, source, sizeof(int64_t))
        where = &places.a
    if dtype in HALVES:
        space = hold_scratch(
            &halves, dtype, scratch, t, fc_active().half_pool_scratch(&windows.w, False)
        )
        with nogil:
            fc_active().half_max_forward(
                &windows.w, &source.a, &target.a, where, channels_inner, &halves, t
            )
        return False
    code = dtype_code(dtype, False)
    with nogil:
        fc_active().max_forward(
            &windows.w, &source.a, &target.a, where, channels_inner, code, t
        )


def max_backward(Windows windows not None, grad, indices, dx, bint channels_inner, dtype, threads):
    """Fill dx with the gradients of the windows whose maxima its items were.

    Parameters
    ----------
    grad : buffer
    indices : buffer of int64, grad's shape
        As max_forward gives them.
    dx : writable buffer
    channels_inner : bool
        As in max_forward.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of grad and dx, and of sums, which are float32 of 16 bits.
    threads : int

    Returns
    -------
    bool
        Whether dx is complete. It is anything where an index was not found in its window, or
        windows or strides are of another kind than the kernel knows.
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.
    """
    cdef Array source = hold("grad", grad, False, True), target = hold("dx", dx, True, True)
    cdef Array places = hold("indices", indices, False, True)
    cdef bint narrow = dtype in HALVES
    cdef int code = 0 if narrow else dtype_code(dtype, True), t = thread_count(threads)
    cdef int half = 1 + HALVES[dtype] if narrow else 0, complete
    cdef int64_t size = item_bytes(dtype, True)
    windows.check_input("dx", target, size)
    windows.check_output("grad", source, target, size)
    windows.check_output("indices", places, target, sizeof(int64_t))
    with nogil:
        clear_overflow()
        complete = fc_active().max_backward(
            &windows.w, &source.a, &places.a, &target.a, channels_inner, half, code, t
        )
    return bool(complete), seen_overflow(fc_active_narrow().notes_overflow) if narrow else None


cdef int64_t checked_divisor(object divisor) except? -1:
    if divisor is None:
        return 0
    cdef int64_t given = number("divisor", divisor)
    if given == 0:
        raise ValueError("divisor: must not be 0")
    return given


def avg_forward(Windows windows not None, x, y, divisor, dtype, threads, scratch=None):
    """Sum of each window over `divisor`, or over the product of its sizes where that is None.

    Parameters
    ----------
    x : buffer
    y : writable buffer
    divisor : int or None
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of x and y, and of sums, which are float32 of 16 bits; very long lines are summed in
        float64.
    threads : int
    scratch : writable contiguous buffer or None
        Of 16-bit floats.

    Returns
    -------
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.

    Notes
    -----
    A window without inputs gives 0.
    """
    cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True)
    cdef int code, t = thread_count(threads)
    cdef int64_t by = checked_divisor(divisor), size = item_bytes(dtype, True)
    cdef fc_halves halves
    windows.check_input("x", source, size)
    windows.check_output("y", target, source, size)
    if dtype in HALVES:
        space = hold_scratch(
            &halves, dtype, scratch, t, fc_active().half_pool_scratch(&windows.w, False)
        )
        with nogil:
            clear_overflow()
            fc_active().half_avg_forward(&windows.w, &source.a, &target.a, by, &halves, t)
        return seen_overflow(fc_active_narrow().notes_overflow)
    code = dtype_code(dtype, True)
    with nogil:
        fc_active().avg_forward(&windows.w, &source.a, &target.a, by, code, t)


def avg_backward(Windows windows not None, grad, dx, divisor, dtype, threads, scratch=None):
    """Fill dx with the sums of the windows' shares of their gradients.

    Parameters
    ----------
    grad : buffer
    dx : writable buffer
    divisor, dtype, threads, scratch
        As in avg_forward.

    Returns
    -------
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.
    """
    cdef Array source = hold("grad", grad, False, True), target = hold("dx", dx, True, True)
    cdef int code, t = thread_count(threads)
    cdef int64_t by = checked_divisor(divisor), size = item_bytes(dtype, True)
    cdef fc_halves halves
    windows.check_input("dx", target, size)
    windows.check_output("grad", source, target, size)
    if dtype in HALVES:
        space = hold_scratch(
            &halves, dtype, scratch, t, fc_active().half_pool_scratch(&windows.w, True)
        )
        with nogil:
            clear_overflow()
            fc_active().half_avg_backward(&windows.w, &source.a, &target.a, by, &halves, t)
        return seen_overflow(fc_active_narrow().notes_overflow)
    code = dtype_code(dtype, True)
    with nogil:
        fc_active().avg_backward(&windows.w, &source.a, &target.a, by, code, t)


cdef fc_norm norm_of(double p, object kernel_volume, bint absolute) except *:
    if not (p == p and p != 0 and p - p == 0):
        raise ValueError(f"p: expected a finite number other than 0, got {p}")
    return fc_norm(p, <double>number("kernel_volume", kernel_volume, 0), absolute)


def lp_forward(Windows windows not None, x, y, double p, kernel_volume, bint absolute, dtype,
               threads, scratch=None):
    """The p-norm of each window: (scale * sum of x^p)^(1/p).

    Parameters
    ----------
    x : buffer
    y : writable buffer
    p : float
        Finite, not 0.
    kernel_volume : int
        scale is kernel_volume over the product of the window's sizes (PyTorch, where windows are
        cut); 0 does not scale.
    absolute : bool
        Sum |x|^p (ONNX) instead of x^p (PyTorch: an odd p keeps signs, and a negative sum has no
        root unless p is 1).
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of x and y; sums are float64.
    threads : int
    scratch : writable contiguous buffer or None
        Of 16-bit floats.

    Returns
    -------
    bool or None
        False where no float16 result was rounded to infinity, None where there's no telling.
    """
    cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True)
    cdef int code, t = thread_count(threads)
    cdef int64_t size = item_bytes(dtype, True)
    cdef fc_norm norm = norm_of(p, kernel_volume, absolute)
    cdef fc_halves halves
    windows.check_input("x", source, size)
    windows.check_output("y", target, source, size)
    if dtype in HALVES:
        space = hold_scratch(
            &halves, dtype, scratch, t, fc_active().half_pool_scratch(&windows.w, False)
        )
        with nogil:
            clear_overflow()
            fc_active().half_lp_forward(&windows.w, &source.a, &target.a, &norm, &halves, t)
        return seen_overflow(fc_active_narrow().notes_overflow)
    code = dtype_code(dtype, True)
    with nogil:
        fc_active().lp_forward(&windows.w, &source.a, &target.a, &norm, code, t)


def lp_backward(Windows windows not None, grad, x, y, dx, double p, kernel_volume, bint absolute,
                dtype, threads):
    """Add to dx, which is not cleared, grad * dy/dx; nothing where y is 0.

    Parameters
    ----------
    grad, y : buffer
    x : buffer
    dx : writable buffer
    p, kernel_volume, absolute, dtype, threads
        As in lp_forward, which gave y.
    """
    cdef Array above = hold("grad", grad, False, True), source = hold("x", x, False, True)
    cdef Array norms = hold("y", y, False, True), target = hold("dx", dx, True, True)
    cdef int code = dtype_code(dtype, True), t = thread_count(threads)
    cdef fc_norm norm = norm_of(p, kernel_volume, absolute)
    windows.check_input("x", source, fc_dtypes[code].size)
    check_shape("dx", target, source.shape())
    check_size("dx", target, source.a.size)
    windows.check_output("grad", above, source, source.a.size)
    windows.check_output("y", norms, source, source.a.size)
    with nogil:
        fc_active().lp_backward(
            &windows.w, &above.a, &source.a, &norms.a, &target.a, &norm, code, t
        )
