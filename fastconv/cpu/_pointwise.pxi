# Pointwise convolution forward, and its input gradient.

@cython.final
cdef class Pointwise:
    """A pointwise convolution's forward pass or input gradient, made ready at the level in use.

    Parameters
    ----------
    x_shape, weight_shape, y_shape : tuple of int
        Of the source, the weight (output channels, input channels of a group, 1...) and the
        target, as `run` will get them. With `transposed`, the source has the output channels.
    pieces : tuple of (int, int, int, int)
        Images whose positions are counted as one line; panels of a line, at most 16, and blocks of
        channels in a unit of work, and source channels that it sums at a time.
    dtype : {"float32", "float64", "float16", "bfloat16", "int8", "tf32"}
        Of the arrays, or what `rounds` rounds to. Of all but the first two, the channels summed at
        a time are items of item_channels each.
    groups : int
    transposed : bool
    tile_rows : int
        Target channels that are computed at a time.
    activation, parameter
        As in epilogue.
    target_size, flips, rounds, scales
        As in Convolution.

    Attributes
    ----------
    packed_bytes, scratch_bytes : int
        What the packed weight takes, and a thread's scratch memory.
    units : int
        Pieces of work.

    Raises
    ------
    ValueError
        Shapes that are no pointwise convolution's, or sizes beyond 62 bits.
    """

    cdef fc_pointwise p
    cdef fc_narrow_kernels kernels
    cdef int64_t sums_at
    cdef bint integers
    cdef readonly int64_t packed_bytes, scratch_bytes, units
    cdef tuple shapes

    def __cinit__(self, x_shape, weight_shape, y_shape, pieces, *, dtype, groups, transposed,
                  tile_rows, int activation=0, double parameter=0, int target_size=0,
                  flips=(0, 0), bint rounds=False, bint scales=False):
        cdef fc_pointwise *p = &self.p
        self.kernels = products_of(dtype)
        self.integers = dtype == "int8"
        self.shapes = tuple(x_shape), tuple(weight_shape), tuple(y_shape)
        p.dtype, p.transposed = product_code(dtype), bool(transposed)
        take_sizes(dtype, target_size, &p.x, &p.weight, &p.y, rounds)
        p.narrow.x_flip = in_all_bytes(flips[0])
        p.narrow.weight_flip = in_all_bytes(flips[1])
        if not 0 <= activation < FC_ACTIVATIONS:
            raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
        p.activation, p.parameter = activation, parameter
        take_scales(&p.narrow, &p.activation, dtype, target_size, scales)
        shape_of("x_shape", x_shape, p.x.shape)
        shape_of("weight_shape", weight_shape, p.weight.shape)
        shape_of("y_shape", y_shape, p.y.shape)
        self.take_channels(number("groups", groups, 1), item_channels(dtype))
        p.tile_rows = <int>min(number("tile_rows", tile_rows, 1), 1 << 20)
        p.tile_vectors = <int>fc_active().conv_tile(p.tile_rows)
        if p.tile_vectors == 0:
            raise ValueError(f"tile_rows: there is no tile of {tile_rows} rows")
        self.take_pieces(pieces)
        self.kernels.pointwise_layout(p)
        self.packed_bytes = (p.packed_bytes + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
        self.scratch_bytes, self.units = p.scratch_bytes, p.units
        self.sums_at = self.packed_bytes
        if self.integers:
            self.packed_bytes += (4 * p.groups * p.channels + LINE_BYTES - 1) // LINE_BYTES \
                * LINE_BYTES

    cdef int take_channels(self, int64_t groups, int64_t each) except -1:
        """Settle a group's channels; the three shapes must agree, and have one tap."""
        cdef fc_pointwise *p = &self.p
        cdef const int64_t *weight = p.weight.shape
        cdef const int64_t *x = p.x.shape
        cdef const int64_t *y = p.y.shape
        p.groups = groups
        p.narrow.sources = weight[0] // groups if p.transposed else weight[1]
        p.inner = (p.narrow.sources + each - 1) // each
        p.channels = weight[1] if p.transposed else weight[0] // groups
        if weight[0] % groups or x[1] != times(groups, p.narrow.sources) \
                or y[1] != times(groups, p.channels) or x[0] != y[0]:
            raise ValueError(f"Pointwise: shapes do not agree in {groups} groups: {self.shapes}")
        if weight[2] != 1 or weight[3] != 1 or weight[4] != 1 \
                or x[2] != y[2] or x[3] != y[3] or x[4] != y[4]:
            raise ValueError(f"Pointwise: not pointwise: {self.shapes}")
        return 0

    cdef int take_pieces(self, tuple pieces) except -1:
        cdef fc_pointwise *p = &self.p
        cdef const int64_t *x = p.x.shape
        images, panels, blocks, depth = pieces
        p.images, p.panels = number("images", images, 1), number("panels", panels, 1)
        p.blocks, p.depth = number("blocks", blocks, 1), number("depth", depth, 1)
        within("panels", 0, p.panels, FC_MOST_PANELS)
        within("images", 0, p.images, x[0])
        within("depth", 0, p.depth, p.inner)
        if x[2] < 1 or x[3] < 1 or x[4] < 1 or p.channels < 1:
            raise ValueError(f"Pointwise: no items in {self.shapes}")
        positions = times(times(times(x[2], x[3]), x[4]), p.images)
        rows = p.depth + times(p.blocks, p.tile_rows)
        weight = times(times(times(p.groups, p.channels + p.tile_rows), p.inner), 64)
        if max(times(positions, 64), times(rows, 1 << 20), weight) >= LARGEST:
            raise ValueError("Pointwise: sizes do not fit into 62 bits")
        return 0

    def pack(self, weight, packed, threads):
        """Copy a weight into the order in which tiles read it, `packed_bytes` in all."""
        cdef Array source = hold("weight", weight, False, True)
        cdef Flat target = flat("packed", packed, True)
        cdef fc_pointwise p = self.p
        cdef int t = thread_count(threads)
        self.fits("weight", source, &self.p.weight, 1)
        if target.bytes < self.packed_bytes:
            raise ValueError(f"packed: {target.bytes} bytes are too few for this weight")
        p.weight, p.packed = source.a, target.data
        p.narrow.sums = p.packed + self.sums_at if self.integers else NULL
        with nogil:
            self.kernels.pointwise_pack(&p, t)

    def run(self, x, weight, y, bias, workspace, threads, packed=False, integers=None):
        """Fill the target.

        Parameters
        ----------
        x : buffer
            Positions lie side by side.
        weight : buffer
            Any strides, or, if it is `packed`, what `pack` filled.
        y : writable buffer
            Positions lie side by side.
        bias : buffer, (target channels,), or None
        workspace : writable contiguous buffer
            For the packed weight, unless it is given, and threads times scratch_bytes; up to 63
            bytes more where it does not begin at a cache line.
        threads : int
        packed : bool
        integers
            As in Convolution.run.
        """
        cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True)
        cdef Array plain = None
        cdef tuple held
        cdef Flat ready = None, space = flat("workspace", workspace, True)
        cdef fc_pointwise p = self.p
        cdef Py_buffer view
        cdef int t = thread_count(threads)
        cdef bint given = packed
        cdef int64_t skipped = -<int64_t>space.data & (LINE_BYTES - 1)
        cdef int64_t taken = skipped + (0 if given else self.packed_bytes)
        self.fits("x", source, &self.p.x, 0)
        self.fits("y", target, &self.p.y, 2)
        check_line("x", &source.a)
        check_line("y", &target.a)
        p.x, p.y = source.a, target.a
        p.packed, p.scratch = space.data + skipped, space.data + taken
        if given:
            ready = flat("weight", weight, False)
            if ready.bytes < self.packed_bytes:
                raise ValueError(f"weight: {ready.bytes} bytes are too few, packed")
            p.packed = ready.data
        else:
            plain = hold("weight", weight, False, True)
            self.fits("weight", plain, &self.p.weight, 1)
            p.weight = plain.a
        if space.bytes < taken + times(self.scratch_bytes, t):
            raise ValueError(f"workspace: {space.bytes} bytes are too few for {t} threads")
        if self.integers:
            p.narrow.sums = p.packed + self.sums_at
            held = take_integers(&p.narrow, integers, p.y.shape[1], p.y.size)
        if bias is None:
            return self.go(&p, t, given)
        PyObject_GetBuffer(bias, &view, PyBUF_STRIDES)
        try:
            size = 4 if self.integers else p.y.size
            if view.ndim != 1 or view.shape[0] != p.y.shape[1] or view.itemsize != size:
                raise ValueError(f"bias: expected {p.y.shape[1]} items of {size} bytes")
            p.bias, p.bias_step = <const char *>view.buf, view.strides[0]
            if p.narrow.scaled:
                add_scaled(&p.narrow, &p.bias, p.bias_step)
            return self.go(&p, t, given)
        finally:
            PyBuffer_Release(&view)

    cdef object go(self, const fc_pointwise *p, int threads, bint packed):
        with nogil:
            clear_overflow()
            if not packed:
                self.kernels.pointwise_pack(p, threads)
            self.kernels.pointwise_run(p, threads)
        return seen_overflow(self.kernels.notes_overflow)

    cdef int fits(self, str name, Array array, const fc_array *expected, int which) except -1:
        check_size(name, array, expected.size)
        if not same_shape(array.a.shape, expected.shape):
            check_shape(name, array, self.shapes[which])
            raise ValueError(f"{name}: expected {len(self.shapes[which])} axes")
        return 0


cdef int check_line(str name, const fc_array *a) except -1:
    """The spatial axes' items must lie side by side."""
    cdef int64_t expected = a.size
    cdef int k
    for k in range(4, 1, -1):
        if a.shape[k] > 1 and a.stride[k] != expected:
            raise ValueError(f"{name}: expected positions side by side")
        expected *= a.shape[k]
    return 0
