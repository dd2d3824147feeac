# im2col, col2im, scatter and the epilogue.

@cython.final
cdef class Geometry:
    """Where a kernel's elements lie: output o reads inputs o * stride - before + k * dilation.

    Parameters
    ----------
    spatial_in, kernel, stride, padding_before, dilation, spatial_out : tuple of int
        One entry for each of one to three axes. Positions outside the input count as zero; padding
        may be negative.

    Raises
    ------
    ValueError
        Lengths differ, a kernel, stride or dilation below 1, an extent below 0, or sizes whose
        addresses do not fit into 62 bits.
    """

    cdef fc_geometry g
    cdef int axes
    cdef int64_t volume, positions
    cdef tuple spatial_in

    def __init__(self, spatial_in, kernel, stride, padding_before, dilation, spatial_out):
        given = (spatial_in, kernel, stride, padding_before, dilation, spatial_out)
        cdef int axis, k
        if self.spatial_in is not None:
            raise ValueError("Geometry: immutable")
        self.axes = len(spatial_in)
        if not 1 <= self.axes <= 3 or any([len(g) != self.axes for g in given]):
            raise ValueError(f"Geometry: expected 1 to 3 entries in each tuple, got {given}")
        self.volume = self.positions = 1
        for axis in range(3):
            k = axis - 3 + self.axes
            size, width, step, before, reach, out = \
                [g[k] for g in given] if k >= 0 else (1, 1, 1, 0, 1, 1)
            self.g.inputs[axis] = number("spatial_in", size, 0)
            self.g.kernel[axis] = number("kernel", width, 1)
            self.g.stride[axis] = number("stride", step, 1)
            self.g.before[axis] = number("padding_before", before)
            self.g.dilation[axis] = number("dilation", reach, 1)
            self.g.out[axis] = number("spatial_out", out, 0)
            if size + out * step + abs(before) + width * reach >= LARGEST:
                raise ValueError(f"Geometry: sizes do not fit into 62 bits: {given}")
            self.volume = times(self.volume, self.g.kernel[axis])
            self.positions = times(self.positions, self.g.out[axis])
        if self.volume >= LARGEST or self.positions >= LARGEST:
            raise ValueError(f"Geometry: sizes do not fit into 62 bits: {given}")
        self.spatial_in = tuple([self.g.inputs[3 - self.axes + k] for k in range(self.axes)])

    cdef int check(self, Array x, Array columns, int64_t n0, int64_t r0, int64_t p0) except -1:
        if self.spatial_in is None or not spatial_is(x, self.axes, self.g.inputs):
            check_shape("x", x, (x.a.shape[0], x.a.shape[1], *self.spatial_in))
        within("images", n0, columns.a.shape[0], x.a.shape[0])
        within("rows", r0, columns.a.shape[1], times(x.a.shape[1], self.volume))
        within("positions", p0, columns.a.shape[2], self.positions)
        return check_size("columns", columns, x.a.size)


def im2col(Geometry geometry not None, x, dst, n0, r0, p0, threads):
    """Copy a panel: dst[i, r, q] is the input under kernel element r0 + r at position p0 + q.

    Parameters
    ----------
    x : buffer, (N, C, *spatial_in)
    dst : writable buffer, (images, rows, positions) of x's item size, any strides
        Row ((c * KD + kd) * KH + kh) * KW + kw, position (od * OH + oh) * OW + ow.
    n0, r0, p0 : int
        Image, row and position of dst[0, 0, 0].
    threads : int
        At most so many threads.
    """
    cdef Array source = hold("x", x, False, True), target = hold("dst", dst, True, False)
    cdef int64_t n = number("n0", n0, 0), r = number("r0", r0, 0), p = number("p0", p0, 0)
    cdef int t = thread_count(threads)
    geometry.check(source, target, n, r, p)
    with nogil:
        fc_active().im2col(&geometry.g, &source.a, &target.a, n, r, p, t)


def col2im(Geometry geometry not None, cols, x, dtype, n0, r0, p0, threads):
    """Add a panel of columns to the inputs that they came from; im2col's adjoint.

    Parameters
    ----------
    cols : buffer, (images, rows, positions)
    x : writable buffer, (N, C, *spatial_in)
        Not cleared. Integers wrap.
    dtype : str
        Of both arrays.
    n0, r0, p0, threads : int
        As in im2col. Sums do not depend on threads.
    """
    cdef Array source = hold("cols", cols, False, False), target = hold("x", x, True, True)
    cdef int64_t n = number("n0", n0, 0), r = number("r0", r0, 0), p = number("p0", p0, 0)
    cdef int t = thread_count(threads), code = sum_code(dtype)
    check_size("x", target, fc_dtypes[code].size)
    geometry.check(target, source, n, r, p)
    with nogil:
        fc_active().col2im(&geometry.g, &source.a, &target.a, code, n, r, p, t)


def scatter(acc, y, n0, c0, p0, threads):
    """Copy finished positions home: y[n0 + i, c0 + c] at position p0 + q is acc[i, c, q].

    Parameters
    ----------
    acc : buffer, (images, channels, positions)
    y : writable buffer, (N, C, *spatial) of acc's item size, any strides
    n0, c0, p0, threads : int
    """
    cdef Array source = hold("acc", acc, False, False), target = hold("y", y, True, True)
    cdef int64_t n = number("n0", n0, 0), c = number("c0", c0, 0), p = number("p0", p0, 0)
    cdef int t = thread_count(threads)
    cdef int64_t *shape = target.a.shape
    check_size("acc", source, target.a.size)
    within("images", n, source.a.shape[0], shape[0])
    within("channels", c, source.a.shape[1], shape[1])
    within("positions", p, source.a.shape[2], times(times(shape[2], shape[3]), shape[4]))
    with nogil:
        fc_active().scatter(&source.a, &target.a, n, c, p, t)


def epilogue(acc, dtype, bias, int activation, double parameter, threads):
    """Add a bias and apply an activation, in place.

    Parameters
    ----------
    acc : writable buffer, (images, channels, positions)
    dtype : {"float32", "float64"}
    bias : contiguous buffer, (channels,), or None
    activation : int
        0 none, 1 relu, 2 relu6, 3 leaky_relu, 4 sigmoid, 5 tanh, 6 silu, 7 gelu (by erf).
    parameter : float
        leaky_relu's slope.
    threads : int
    """
    cdef Array target = hold("acc", acc, True, False)
    cdef int code = dtype_code(dtype, True), t = thread_count(threads)
    cdef Py_buffer view
    cdef const char *data = NULL
    check_size("acc", target, fc_dtypes[code].size)
    if not 0 <= activation < FC_ACTIVATIONS:
        raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
    if bias is None:
        with nogil:
            fc_active().epilogue(&target.a, code, NULL, activation, parameter, t)
        return
    PyObject_GetBuffer(bias, &view, PyBUF_STRIDES)
    try:
        if view.ndim != 1 or view.shape[0] != target.a.shape[1] or view.itemsize != target.a.size \
                or (view.shape[0] > 1 and view.strides[0] != view.itemsize):
            raise ValueError(
                f"bias: expected {target.a.shape[1]} contiguous items of {target.a.size} bytes"
            )
        data = <const char *>view.buf
        with nogil:
            fc_active().epilogue(&target.a, code, data, activation, parameter, t)
    finally:
        PyBuffer_Release(&view)
