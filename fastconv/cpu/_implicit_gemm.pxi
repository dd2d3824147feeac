# Convolution forward by the packed matrix product.


def gemm_tile(dtype):
    """The (rows, columns) of a product's tile at the level in use: sizes are rounded up to them."""
    cdef int code = dtype_code(dtype, True)
    return fc_active().tile_rows(), fc_active().tile_columns(code)


@cython.final
cdef class Flat:
    """A held contiguous buffer, as bytes."""

    cdef Py_buffer view
    cdef bint held
    cdef char *data
    cdef int64_t bytes

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


cdef Flat flat(str name, object obj, bint writable):
    cdef Flat result = Flat.__new__(Flat)
    PyObject_GetBuffer(obj, &result.view, PyBUF_SIMPLE | (PyBUF_WRITABLE if writable else 0))
    result.held = True
    result.data = <char *>result.view.buf
    result.bytes = result.view.len
    return result


def conv_weight_grad(Geometry geometry not None, Geometry plain not None, x, y, sums, dtype, groups,
                     width, images, depth, scratch, threads):
    """Sum y times the columns of x over positions: a convolution's weight gradient, in splits.

    Parameters
    ----------
    plain : Geometry
        Of a 1 x 1 kernel over y's spatial axes: its columns are y's own positions.
    x : buffer, (N, C, *spatial_in), any strides
    y : buffer, (N, groups * channels, *spatial_out), any strides
    sums : writable contiguous buffer, (splits, groups * channels, rows)
        Split s gets the sums over images s * N / splits to (s + 1) * N / splits.
    dtype : {"float32", "float64"}
    groups : int
    width : int
        Rows of a piece, a multiple of the tile's columns.
    images, depth : int
        Images and positions taken at a time; several images only with all positions.
    scratch : writable contiguous buffer
        For each thread, images * depth * (width + filled) + filled * width items, where filled is
        channels rounded up to the tile's rows.
    threads : int
    """
    cdef Array source = hold("x", x, False, True), grads = hold("y", y, False, True)
    cdef Array target = hold("sums", sums, True, False)
    cdef Flat whole = flat("sums", sums, True), space = flat("scratch", scratch, True)
    cdef fc_conv_grad c
    cdef int code = dtype_code(dtype, True), t = thread_count(threads)
    cdef int64_t tile = fc_active().tile_rows(), size = fc_dtypes[code].size, filled, taken
    check_size("x", source, size)
    check_size("y", grads, size)
    check_size("sums", target, size)
    c.g, c.plain, c.x, c.y, c.dtype = geometry.g, plain.g, source.a, grads.a, code
    c.groups, c.width = number("groups", groups, 1), number("width", width, 1)
    c.images, c.depth = number("images", images, 1), number("depth", depth, 1)
    if source.a.shape[1] % c.groups or grads.a.shape[1] % c.groups:
        raise ValueError(f"groups: {groups} divides not both of x's and y's channels")
    c.channels = grads.a.shape[1] // c.groups
    c.rows = times(source.a.shape[1] // c.groups, geometry.volume)
    c.splits = target.a.shape[0]
    places = tuple([geometry.g.out[3 - geometry.axes + k] for k in range(geometry.axes)])
    check_shape("x", source, (grads.a.shape[0], source.a.shape[1], *geometry.spatial_in))
    check_shape("y", grads, (source.a.shape[0], grads.a.shape[1], *places))
    check_shape("sums", target, (c.splits, grads.a.shape[1], c.rows))
    if plain.spatial_in != places or plain.volume != 1 or plain.positions != geometry.positions:
        raise ValueError("plain: expected a 1 x 1 kernel over y's spatial axes")
    if not 1 <= c.splits <= max(1, source.a.shape[0]):
        raise ValueError(f"sums: expected 1 to {source.a.shape[0]} splits, got {c.splits}")
    if c.width % fc_active().tile_columns(code):
        raise ValueError(f"width: {width} is no multiple of the tile's columns")
    if c.images > 1 and c.depth != geometry.positions:
        raise ValueError(f"depth: expected all {geometry.positions} positions, got {depth}")
    filled = times((c.channels + tile - 1) // tile, tile)
    taken = times(times(c.images, c.depth), c.width + filled) + times(filled, c.width)
    c.scratch_bytes = times(taken, size)
    if space.bytes < times(c.scratch_bytes, t):
        raise ValueError(f"scratch: {space.bytes} bytes are too few for {t} threads")
    c.sums, c.scratch = whole.data, space.data
    with nogil:
        fc_active().conv_weight_grad(&c, t)
