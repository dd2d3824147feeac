# The active level's arithmetic alone, for benchmarks to be measured against.


def peak(dtype, steps, threads):
    """Multiply and add in registers, on every thread at once.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    steps : int
        Length of the work: at least 1, at most 2**40.
    threads : int

    Returns
    -------
    float
        How many operations that were, a multiply-add being two; the caller takes the time.
    """
    cdef int code = dtype_code(dtype, True), t = thread_count(threads)
    cdef int64_t n = number("steps", steps, 1)
    cdef double operations
    if n > <int64_t>1 << 40:
        raise ValueError(f"steps: expected at most {<int64_t>1 << 40}, got {n}")
    with nogil:
        operations = fc_active().peak(code, n, t)
    return operations
