# Convolution forward by the packed matrix product.


def gemm_tile(dtype):
    """The (rows, columns) of a product's tile at the level in use: sizes are rounded up to them."""
    cdef int code = dtype_code(dtype, True)
    return fc_active().tile_rows(), fc_active().tile_columns(code)


def pack_weight(weight, packed, dtype, threads):
    """Copy a weight into the order in which the product reads it.

    Parameters
    ----------
    weight : buffer, (groups, channels, rows), any strides
    packed : writable contiguous buffer
        groups * channels, rounded up to tiles, * rows items.
    dtype : {"float32", "float64"}
    threads : int
    """
    cdef Array source = hold("weight", weight, False, False)
    cdef Flat target = flat("packed", packed, True)
    cdef int code = dtype_code(dtype, True), t = thread_count(threads)
    check_size("weight", source, fc_dtypes[code].size)
    if target.bytes < fc_active().pack_weight(&source.a, code, NULL, 1):
        raise ValueError(f"packed: {target.bytes} bytes are too few for this weight")
    with nogil:
        fc_active().pack_weight(&source.a, code, target.data, t)


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


def band_items(Geometry geometry not None, channels_in, channels, band, dtype):
    """How many items of scratch a thread needs where it convolves `band` lines of output at a time.

    Parameters
    ----------
    channels_in, channels : int
        Input and output channels of a group.
    band : int
        Lines of the output.
    dtype : {"float32", "float64"}
    """
    cdef int code = dtype_code(dtype, True)
    lanes = fc_active().tile_columns(code) // fc_active().tile_vectors()
    tile = fc_active().tile_rows()
    line = geometry.g.out[2] + (geometry.g.kernel[2] - 1) * geometry.g.dilation[2]
    lines = band + (geometry.g.kernel[1] - 1) * geometry.g.dilation[1]
    width = ((band - 1) * line + geometry.g.out[2] + lanes - 1) // lanes * lanes
    return channels_in * lines * line + lanes + (channels + tile - 1) // tile * tile * width


def conv_forward(Geometry geometry not None, x, packed, y, bias, dtype, groups, channels,
                 int activation, double parameter, images, width, depth, band, offsets, scratch,
                 threads):
    """Convolve, add a bias, apply an activation: y is written once, columns never made whole.

    Parameters
    ----------
    x : buffer, (N, C, *spatial_in), any strides
    packed : contiguous buffer
        From pack_weight, at the level in use.
    y : writable buffer, (N, groups * channels, *spatial_out), any strides
    bias : contiguous buffer, (groups * channels,), or None
    dtype : {"float32", "float64"}
    groups, channels : int
        Output channels are counted per group.
    activation, parameter
        As in epilogue.
    images : int
        How many images a panel holds; above 1 only if all of their positions fit the width.
    width, depth : int
        Positions, a multiple of the tile's columns, and rows of a panel.
    band : int
        0, or how many lines of a two-dimensional output with stride 1 a unit has; then columns
        are not made at all, and images, width play no part.
    offsets : writable contiguous buffer of int64, or None
        One for each row, where band is above 0.
    scratch : writable contiguous buffer
        For each thread, (depth + channels rounded up to tiles) * width items; with a band, what
        band_items tells.
    threads : int
    """
    cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True)
    cdef Flat numbers
    cdef Flat left = flat("packed", packed, False), space = flat("scratch", scratch, True)
    cdef Flat added
    cdef fc_conv c
    cdef int code = dtype_code(dtype, True), t = thread_count(threads)
    cdef int64_t tile = fc_active().tile_rows(), size = fc_dtypes[code].size, filled
    check_size("x", source, size)
    check_size("y", target, size)
    c.g, c.x, c.y = geometry.g, source.a, target.a
    c.dtype, c.activation, c.parameter = code, activation, parameter
    c.groups, c.channels = number("groups", groups, 1), number("channels", channels, 1)
    c.images = number("images", images, 1)
    c.width, c.depth = number("width", width, 1), number("depth", depth, 1)
    check_shape("x", source, (target.a.shape[0], source.a.shape[1], *geometry.spatial_in))
    places = tuple([geometry.g.out[3 - geometry.axes + k] for k in range(geometry.axes)])
    check_shape("y", target, (source.a.shape[0], times(c.groups, c.channels), *places))
    if source.a.shape[1] % c.groups:
        raise ValueError(f"x: {source.a.shape[1]} channels do not divide into {groups} groups")
    if not 0 <= activation < FC_ACTIVATIONS:
        raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
    if c.width % fc_active().tile_columns(code):
        raise ValueError(f"width: {width} is no multiple of the tile's columns")
    if c.images > 1 and times(c.images, geometry.positions) > c.width:
        raise ValueError(f"images: the positions of {images} images exceed width {width}")
    c.rows = times(source.a.shape[1] // c.groups, geometry.volume)
    filled = times((c.channels + tile - 1) // tile, tile)
    if left.bytes < times(times(times(c.groups, filled), c.rows), size):
        raise ValueError(f"packed: {left.bytes} bytes are too few for this weight")
    c.scratch_bytes = times(times(c.depth + filled, c.width), size)
    c.band, c.offsets = number("band", band, 0), NULL
    if c.band > 0:
        if any([geometry.g.stride[k] != 1 for k in range(3)]) or geometry.axes != 2:
            raise ValueError("band: expected 0, as this is not two-dimensional with stride 1")
        items = band_items(geometry, source.a.shape[1] // c.groups, c.channels, band, dtype)
        c.scratch_bytes = times(number("band", items, 0), size)
        numbers = flat("offsets", offsets, True)
        if numbers.bytes < times(c.rows, 8):
            raise ValueError(f"offsets: {numbers.bytes} bytes are too few for {c.rows} rows")
        c.offsets = <int64_t *>numbers.data
        c.images = 1
    if space.bytes < times(c.scratch_bytes, t):
        raise ValueError(f"scratch: {space.bytes} bytes are too few for {t} threads")
    c.bias = NULL
    if bias is not None:
        added = flat("bias", bias, False)
        if added.bytes != c.groups * c.channels * size:
            raise ValueError(f"bias: expected {groups * channels} contiguous items of {size} bytes")
        c.bias = added.data
    c.packed, c.scratch = left.data, space.data
    with nogil:
        fc_active().conv_forward(&c, t)
