# A linear layer of bytes.

cdef extern from "<math.h>" nogil:
    bint isfinite(float)


@cython.final
cdef class ByteProduct:
    """y = (x - x_zero) (weight - w_zeros)^T, of bytes of any signs, made ready at the level in use.

    Parameters
    ----------
    rows, columns, depth : int
        y is (rows, columns), x (rows, depth), the weight (columns, depth).
    target_size : int
        Bytes of y's items: 4, int32 sums or, with `scales`, float32; or 1, requantised.
    flips : tuple of int
        What is xored to bytes of x and the weight, so that x is unsigned, and the weight signed.
    turned : bool
        Whether x's rows will lie side by side, rather than a row's items.
    scales : bool
    activation, parameter
        As in epilogue, with `scales`.

    Attributes
    ----------
    packed_bytes, items_bytes, scratch_bytes : int
        What the packed weight takes, x's items, and a thread's scratch memory.
    """

    cdef fc_byte_dense p
    cdef fc_narrow_kernels kernels
    cdef readonly int64_t packed_bytes, items_bytes, scratch_bytes

    def __cinit__(self, rows, columns, depth, *, int target_size, flips=(0, 0), turned=False,
                  scales=False, int activation=0, double parameter=0):
        cdef fc_byte_dense *p = &self.p
        cdef int64_t m = number("rows", rows, 1), n = number("columns", columns, 1)
        cdef int64_t k = number("depth", depth, 1)
        self.kernels = products_of("int8")
        if target_size not in (1, 4) or (scales and target_size == 1):
            raise ValueError(f"target_size: expected 1, or 4, and that with scales: {target_size}")
        if max(times(times(m, k + 64), 4), times(times(n + 64, k + 64), 4),
               times(times(m, n), 4)) >= LARGEST:
            raise ValueError("ByteProduct: sizes do not fit into 62 bits")
        if not 0 <= activation < FC_ACTIVATIONS:
            raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
        p.x.shape[:] = [1, m, k, 1, 1]
        p.weight.shape[:] = [1, n, k, 1, 1]
        p.y.shape[:] = [1, m, n, 1, 1]
        p.x.size, p.weight.size, p.y.size = 1, 1, target_size
        p.x.stride[1] = 1 if turned else k
        p.x.stride[2] = m if turned else 1
        p.narrow.x_flip, p.narrow.weight_flip = in_all_bytes(flips[0]), in_all_bytes(flips[1])
        p.scales, p.activation, p.parameter = bool(scales), activation, parameter
        self.settle(p)

    cdef int settle(self, fc_byte_dense *p) except -1:
        self.kernels.byte_layout(p)
        self.packed_bytes = whole_lines(p.packed_bytes)
        self.items_bytes = whole_lines(p.items_bytes)
        self.scratch_bytes = whole_lines(p.scratch_bytes)
        p.scratch_bytes = self.scratch_bytes
        return 0

    def pack(self, weight, packed, threads):
        """Copy a weight, (1, columns, depth), into the order in which tiles read it."""
        cdef Array source = hold("weight", weight, False, False)
        cdef Flat target = flat("packed", packed, True)
        cdef fc_byte_dense p = self.p
        cdef int t = thread_count(threads)
        self.fits("weight", source, &self.p.weight)
        if target.bytes < self.packed_bytes:
            raise ValueError(f"packed: {target.bytes} bytes are too few for this weight")
        p.weight, p.packed = source.a, target.data
        with nogil:
            self.kernels.byte_pack(&p, t)

    def pack_scaled(self, weight, packed, scales, threads):
        """Do as `pack` with a weight of float32, of which each column gets a scale.

        Parameters
        ----------
        weight : buffer of float32, (1, columns, depth)
            The items of a column lie side by side.
        packed : writable contiguous buffer
        scales : writable contiguous buffer of float32, (columns,)
            Its largest magnitude over 127; NaN or infinite where that is.
        threads : int
        """
        cdef Array source = hold("weight", weight, False, False)
        cdef Flat target = flat("packed", packed, True), steps = flat("scales", scales, True)
        cdef fc_byte_dense p = self.p
        cdef int t = thread_count(threads)
        check_size("weight", source, 4)
        check_shape("weight", source, (1, p.weight.shape[1], p.weight.shape[2]))
        if p.weight.shape[2] > 1 and source.a.stride[2] != 4:
            raise ValueError("weight: expected a column's items side by side")
        if target.bytes < self.packed_bytes or steps.bytes != 4 * p.weight.shape[1]:
            raise ValueError("packed, scales: not of this weight's sizes")
        p.weight, p.packed, p.scales_to = source.a, target.data, steps.data
        with nogil:
            self.kernels.byte_pack(&p, t)

    def run(self, x, packed, y, bias, workspace, threads, integers):
        """Fill y, without scales.

        Parameters
        ----------
        x : buffer, (1, rows, depth)
        packed : contiguous buffer
            What `pack` filled.
        y : writable buffer, (1, rows, columns)
            Columns lie side by side.
        bias : contiguous buffer of int32, (columns,), or None
        workspace : writable contiguous buffer
            items_bytes and, for each thread, scratch_bytes, and 63 bytes more.
        threads : int
        integers
            As in Convolution.run.
        """
        cdef Array source = hold("x", x, False, False), target = hold("y", y, True, False)
        cdef Flat ready = flat("packed", packed, False), space = flat("workspace", workspace, True)
        cdef Flat added = None
        cdef tuple held
        cdef fc_byte_dense p = self.p
        cdef int t = thread_count(threads)
        cdef int64_t n = p.y.shape[2], skipped = -<int64_t>space.data & (LINE_BYTES - 1)
        if p.scales:
            raise ValueError("run: this product has scales")
        self.fits("x", source, &self.p.x)
        self.fits("y", target, &self.p.y)
        if n > 1 and target.a.stride[2] != p.y.size:
            raise ValueError("y: expected columns side by side")
        p.x, p.y, p.packed = source.a, target.a, ready.data
        held = take_integers(&p.narrow, integers, n, p.y.size)
        self.kernels.byte_layout(&p)
        p.scratch_bytes = self.scratch_bytes
        p.items = space.data + skipped
        p.scratch = p.items + whole_lines(p.items_bytes)
        if ready.bytes < self.packed_bytes:
            raise ValueError(f"packed: {ready.bytes} bytes are too few")
        if space.bytes - skipped < whole_lines(p.items_bytes) + times(self.scratch_bytes, t):
            raise ValueError(f"workspace: {space.bytes} bytes are too few for {t} threads")
        if bias is not None:
            added = flat("bias", bias, False)
            p.bias, p.bias_step = added.data, 4
            if added.bytes != 4 * n:
                raise ValueError(f"bias: expected {n} contiguous items of 4 bytes")
        with nogil:
            self.kernels.byte_run(&p, t)

    def run_scaled(self, x, packed, scales, y, bias, workspace, threads):
        """Fill y with the product of float32 x, quantised, times scales; False if x isn't finite.

        Parameters
        ----------
        x : contiguous buffer of float32, (rows, depth)
        packed : contiguous buffer
            What `pack` filled.
        scales : contiguous buffer of float32, (columns,)
            What the weight's steps stand for.
        y : writable buffer of float32, (1, rows, columns)
            Columns lie side by side.
        bias : contiguous buffer of float32, (columns,), or None
        workspace : writable contiguous buffer
            scaled_bytes, and for each thread scratch_bytes.
        threads : int
        """
        cdef Flat source = flat("x", x, False), steps = flat("scales", scales, False)
        cdef Flat ready = flat("packed", packed, False), space = flat("workspace", workspace, True)
        cdef Flat added = None
        cdef Array target = hold("y", y, True, False)
        cdef fc_byte_dense p = self.p
        cdef int t = thread_count(threads)
        cdef int64_t m = p.x.shape[1], n = p.y.shape[2], k = p.x.shape[2]
        cdef int64_t skipped = -<int64_t>space.data & (LINE_BYTES - 1)
        cdef char *at = space.data + skipped
        cdef bint fine
        self.fits("y", target, &self.p.y)
        if n > 1 and target.a.stride[2] != 4:
            raise ValueError("y: expected columns side by side")
        if not p.scales or source.bytes != 4 * m * k or steps.bytes != 4 * n:
            raise ValueError("run_scaled: expected a product with scales, x and scales of its size")
        if ready.bytes < self.packed_bytes:
            raise ValueError(f"packed: {ready.bytes} bytes are too few")
        if space.bytes < self.scaled_bytes() + times(self.scratch_bytes, t):
            raise ValueError(f"workspace: {space.bytes} bytes are too few for {t} threads")
        p.y, p.packed = target.a, ready.data
        p.x.stride[1], p.x.stride[2] = k, 1
        p.items, p.x.data = at, at + self.items_bytes
        p.narrow.multiplier, p.narrow.multiplier_step = p.x.data + whole_lines(m * k), 4
        p.scratch = at + self.scaled_bytes() - LINE_BYTES
        if bias is not None:
            added = flat("bias", bias, False)
            p.bias, p.bias_step = added.data, 4
            if added.bytes != 4 * n:
                raise ValueError(f"bias: expected {n} contiguous items of 4 bytes")
        with nogil:
            fine = quantize_rows(&p, source.data, steps.data, t)
            if fine:
                self.kernels.byte_run(&p, t)
        return fine

    cpdef int64_t scaled_bytes(self):
        """Bytes of workspace that run_scaled needs beside the threads' own."""
        cdef int64_t m = self.p.x.shape[1], n = self.p.y.shape[2], k = self.p.x.shape[2]
        return LINE_BYTES + self.items_bytes + whole_lines(m * k) \
            + whole_lines(4 * max(n, fc_active().reach_parts(1, m * k)))

    cdef int fits(self, str name, Array array, const fc_array *expected) except -1:
        check_size(name, array, expected.size)
        check_shape(name, array, (expected.shape[0], expected.shape[1], expected.shape[2]))
        return 0


cdef int64_t whole_lines(int64_t size) noexcept nogil:
    return (size + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES


cdef bint quantize_rows(fc_byte_dense *p, const char *x, const char *scales,
                        int threads) noexcept nogil:
    """x over one scale, as unsigned bytes around 128, to p's x; and the factors of its columns'
    sums. Returns whether x is finite."""
    cdef int64_t n = p.x.shape[1] * p.x.shape[2], i
    cdef float *factors = <float *>p.narrow.multiplier
    cdef float most = 0, scale
    cdef int32_t zero = 128
    cdef int nan = 0
    cdef fc_quantizer q
    fc_active().reach(x, FC_float32, 1, n, <char *>factors, threads)
    for i in range(fc_active().reach_parts(1, n)):
        if not isfinite(factors[i]):
            return False
        most = max(most, factors[i])
    scale = max(most / 127, <float>1.401298464324817e-45)
    for i in range(p.y.shape[2]):
        factors[i] = (<const float *>scales)[i] * scale
    q.from_, q.to, q.scales, q.zeros = x, p.x.data, <char *>&scale, <char *>&zero
    q.outer, q.channels, q.inner, q.size, q.dtype = 1, 1, n, 4, FC_float32
    q.low, q.high, q.nan = 1, 255, &nan
    fc_active().quantize(&q, threads)
    p.narrow.x_zero = 128
    return True
