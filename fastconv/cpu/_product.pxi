# Convolution forward, and its input gradient, as matrix products.

cdef int64_t LINE_BYTES = 64  # of the cache


def vector_bytes():
    """How many bytes a vector has at the level in use."""
    return fc_active().vector_bytes


def tile_vectors(rows):
    """How many vectors wide a tile of so many rows can be at the level in use; 0: no such tile."""
    return fc_active().conv_tile(number("rows", rows))


def tile_pixels():
    """How many pixels a turned tile has at most at the level in use."""
    return fc_active().tile_pixels


@cython.final
cdef class Convolution:
    """A convolution's forward pass, or its input gradient, made ready at the level in use.

    Parameters
    ----------
    x_shape, weight_shape, y_shape : tuple of int
        Of the source, the weight (output channels, input channels of a group, *kernel) and the
        target, as `run` will get them. With `transposed`, the source has the output channels.
    products : sequence of tuple
        The phases that the target falls into: (geometry, first, step, place, every, images, lines,
        items, depth, blocks, gathered, apart), see fc_product in fc.h.
    dtype : {"float32", "float64", "float16", "bfloat16", "int8", "tf32"}
        Of the arrays, or what `rounds` rounds to. Of all but the first two, a product's depth
        counts items of item_channels each.
    groups : int
    transposed : bool
    tile_rows : int
        Target channels that are computed at a time; with `turned`, a vector's items.
    turned : {0, 1, 2}
        Whether channels are along the lanes; 2 where, of narrow dtypes, source channels lie side by
        side.
    streams, gaps : bool
        Results past the caches; some items are in no product.
    activation, parameter
        As in epilogue.
    pixels : {0, 1, 2}
        Whether tiles are pixels by tile_rows, whole vectors, of channels: 1 where channels lie side
        by side in source and target, 2 where lines are transposed on their way.
    target_size : int
        Bytes of the target's items, if not the weight's: 4 for float32, or for int32 of int8.
    rounds : bool
        Whether all arrays are float32, and source and weight are rounded to `dtype`, tf32, float16
        or bfloat16, on their way.
    scales : bool
        Whether sums of int8 arrays are scaled to a target of float32.
    flips : tuple of (int, int)
        Of int8 arrays, what is xored to the bytes of x, so that it is unsigned, and of the weight,
        so that it is signed.

    Attributes
    ----------
    packed_bytes, scratch_bytes : int
        What the packed weight takes, and a thread's scratch memory.
    units : int
        Pieces of work.

    Raises
    ------
    ValueError
        A product that reads or writes outside of these shapes, or sizes beyond 62 bits.
    """

    cdef fc_conv c
    cdef fc_product *products
    cdef int64_t *offsets
    cdef fc_narrow_kernels kernels
    cdef readonly int64_t packed_bytes, scratch_bytes, units
    cdef int64_t sums_at
    cdef bint integers
    cdef tuple shapes

    def __cinit__(self, x_shape, weight_shape, y_shape, products, *, dtype, groups, transposed,
                  tile_rows, turned=False, streams=False, gaps=False, int activation=0,
                  double parameter=0, int pixels=0, int target_size=0, flips=(0, 0),
                  bint rounds=False, bint scales=False):
        cdef int64_t taps = 0
        cdef int k
        self.kernels = products_of(dtype)
        self.integers = dtype == "int8"
        self.shapes = tuple(x_shape), tuple(weight_shape), tuple(y_shape)
        self.c.dtype, self.c.transposed = product_code(dtype), bool(transposed)
        take_sizes(dtype, target_size, &self.c.x, &self.c.weight, &self.c.y, rounds)
        self.c.narrow.x_flip = in_all_bytes(flips[0])
        self.c.narrow.weight_flip = in_all_bytes(flips[1])
        if not 0 <= activation < FC_ACTIVATIONS:
            raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
        self.c.activation, self.c.parameter = activation, parameter
        take_scales(&self.c.narrow, &self.c.activation, dtype, target_size, scales)
        shape_of("x_shape", x_shape, self.c.x.shape)
        shape_of("weight_shape", weight_shape, self.c.weight.shape)
        shape_of("y_shape", y_shape, self.c.y.shape)
        self.take_channels(number("groups", groups, 1), item_channels(dtype))
        self.c.tile_rows = <int>min(number("tile_rows", tile_rows, 1), 1 << 20)
        self.c.turned, self.c.streams, self.c.gaps = int(turned), bool(streams), bool(gaps)
        if not 0 <= self.c.turned <= (FC_TURNED_WHOLE if dtype in MADE else FC_TURNED):
            raise ValueError(f"turned: expected 0, 1, or 2 of narrow dtypes, got {turned}")
        if not 0 <= pixels <= FC_TRANSPOSED:
            raise ValueError(f"pixels: expected 0 to {FC_TRANSPOSED}, got {pixels}")
        self.c.pixels = pixels
        size_of_item = 4 if dtype in MADE else self.c.weight.size
        lanes = fc_active().vector_bytes // size_of_item
        if pixels and (turned or dtype in MADE):
            raise ValueError("pixels: expected 0 where tiles are turned, and of narrow dtypes")
        if pixels and turned:
            raise ValueError("turned: expected False over pixels")
        if turned:
            self.c.tile_vectors = 1
            if self.c.tile_rows != lanes:
                raise ValueError(f"tile_rows: a vector has not {tile_rows} items of {dtype}")
        elif pixels:
            self.c.tile_vectors = <int>(self.c.tile_rows // lanes)
            if self.c.tile_rows % lanes or self.c.tile_vectors > fc_active().tile_vectors():
                raise ValueError(f"tile_rows: {tile_rows} are not some vectors of {lanes} channels")
        else:
            self.c.tile_vectors = <int>fc_active().conv_tile(self.c.tile_rows)
        if self.c.tile_vectors == 0:
            raise ValueError(f"tile_rows: there is no tile of {tile_rows} rows")
        self.c.count = len(products)
        self.products = <fc_product *>PyMem_Malloc(max(1, self.c.count) * sizeof(fc_product))
        if self.products == NULL:
            raise MemoryError()
        self.c.products = self.products
        if self.c.turned and self.c.count == 0:
            raise ValueError("products: expected some")
        for k, product in enumerate(products):
            self.add(self.products + k, product)
            taps += times(self.products[k].depth, (<Geometry>product[0]).volume)
        self.offsets = <int64_t *>PyMem_Malloc(max(1, min(taps, LARGEST)) * sizeof(int64_t))
        if self.offsets == NULL:
            raise MemoryError()
        if self.c.turned:
            check_box(&self.c)
            self.scratch_bytes = self.kernels.conv_box(&self.c)
            self.units = self.c.box.units
        self.lay_offsets()
        self.sums_at = self.packed_bytes
        if self.integers:
            if self.c.count != 1:
                raise ValueError("products: expected a single one of integers")
            self.packed_bytes += (4 * self.c.groups * self.c.channels + LINE_BYTES - 1) \
                // LINE_BYTES * LINE_BYTES

    def __dealloc__(self):
        PyMem_Free(self.products)
        PyMem_Free(self.offsets)

    cdef int take_channels(self, int64_t groups, int64_t each) except -1:
        """Settle a group's channels; the three shapes must agree on them."""
        cdef fc_conv *c = &self.c
        cdef const int64_t *weight = c.weight.shape
        c.groups = groups
        c.narrow.sources = weight[0] // groups if c.transposed else weight[1]
        c.inner = (c.narrow.sources + each - 1) // each
        c.channels = weight[1] if c.transposed else weight[0] // groups
        if weight[0] % groups or c.x.shape[1] != times(groups, c.narrow.sources) \
                or c.y.shape[1] != times(groups, c.channels) or c.x.shape[0] != c.y.shape[0]:
            raise ValueError(f"Convolution: shapes do not agree in {groups} groups: {self.shapes}")
        return 0

    cdef int add(self, fc_product *p, tuple product) except -1:
        """Take a product in, and room for it."""
        take_product(&self.c, p, product, self.shapes[0])
        self.scratch_bytes = max(self.scratch_bytes, self.kernels.conv_layout(&self.c, p))
        p.packed_at = self.packed_bytes
        self.packed_bytes += (p.packed + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
        self.units += p.units
        return 0

    cdef void lay_offsets(self) noexcept:
        cdef int64_t *to = self.offsets
        cdef fc_product *p
        cdef int64_t k
        self.scratch_bytes = (self.scratch_bytes + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
        self.c.scratch_bytes = self.scratch_bytes
        for k in range(self.c.count):
            p = self.products + k
            p.offsets = to
            self.kernels.conv_offsets(&self.c, p)
            to += p.depth * p.g.kernel[0] * p.g.kernel[1] * p.g.kernel[2]

    def pack(self, weight, packed, threads):
        """Copy a weight into the order in which the products read it, `packed_bytes` in all."""
        cdef Array source = hold("weight", weight, False, True)
        cdef Flat target = flat("packed", packed, True)
        cdef fc_conv c = self.c
        cdef int t = thread_count(threads)
        self.fits("weight", source, &self.c.weight, 1)
        if target.bytes < self.packed_bytes:
            raise ValueError(f"packed: {target.bytes} bytes are too few for this weight")
        c.weight, c.packed = source.a, target.data
        c.narrow.sums = c.packed + self.sums_at if self.integers else NULL
        with nogil:
            self.kernels.conv_pack(&c, t)

    def run(self, x, weight, y, bias, workspace, threads, packed=False, integers=None):
        """Fill the target; return False if no result is known to have overflowed, else None.

        Parameters
        ----------
        x : buffer, any strides
        weight : buffer
            Any strides, or, if it is `packed`, what `pack` filled.
        y : writable buffer, any strides
        bias : buffer, (target channels,), or None
        workspace : writable contiguous buffer
            For the packed weight, unless it is given, and threads times scratch_bytes; up to 63
            bytes more where it does not begin at a cache line.
        threads : int
        packed : bool
        integers : tuple of (int, buffer or None, buffer or None, int, int, int)
            Of int8 arrays: x's zero point, as it is once flipped; the weight's, as they are then,
            int32, (1,) or (target channels,), None where all are 0; and, for a target of 8 bits,
            the multipliers, as many, its zero point, its least and largest item. The bias is int32;
            with `scales` there are multipliers as well, and it is contiguous, of float32.
        """
        cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True)
        cdef Array plain = None
        cdef tuple held
        cdef Flat ready = None, space = flat("workspace", workspace, True)
        cdef fc_conv c = self.c
        cdef Py_buffer view
        cdef int t = thread_count(threads)
        cdef bint given = packed
        cdef int64_t skipped = -<int64_t>space.data & (LINE_BYTES - 1)
        cdef int64_t taken = skipped + (0 if given else self.packed_bytes)
        self.fits("x", source, &self.c.x, 0)
        self.fits("y", target, &self.c.y, 2)
        c.x, c.y = source.a, target.a
        if c.pixels == FC_PIXELS or c.turned == FC_TURNED_WHOLE:
            check_adjoining("x", source)
        if c.pixels == FC_PIXELS:
            check_adjoining("y", target)
        c.packed, c.scratch = space.data + skipped, space.data + taken
        if given:
            ready = flat("weight", weight, False)
            if ready.bytes < self.packed_bytes:
                raise ValueError(f"weight: {ready.bytes} bytes are too few, packed")
            c.packed = ready.data
        else:
            plain = hold("weight", weight, False, True)
            self.fits("weight", plain, &self.c.weight, 1)
            c.weight = plain.a
        if space.bytes < taken + times(self.scratch_bytes, t):
            raise ValueError(f"workspace: {space.bytes} bytes are too few for {t} threads")
        if self.integers:
            c.narrow.sums = c.packed + self.sums_at
            held = take_integers(&c.narrow, integers, c.y.shape[1], c.y.size)
        if bias is None:
            return self.go(&c, t, given)
        PyObject_GetBuffer(bias, &view, PyBUF_STRIDES)
        try:
            size = 4 if self.integers else c.y.size
            if view.ndim != 1 or view.shape[0] != c.y.shape[1] or view.itemsize != size:
                raise ValueError(f"bias: expected {c.y.shape[1]} items of {size} bytes")
            c.bias, c.bias_step = <const char *>view.buf, view.strides[0]
            if c.narrow.scaled:
                add_scaled(&c.narrow, &c.bias, c.bias_step)
            return self.go(&c, t, given)
        finally:
            PyBuffer_Release(&view)

    cdef object go(self, const fc_conv *c, int threads, bint packed):
        with nogil:
            clear_overflow()
            if not packed:
                self.kernels.conv_pack(c, threads)
            self.kernels.conv_run(c, threads)
        return seen_overflow(self.kernels.notes_overflow)

    cdef int fits(self, str name, Array array, const fc_array *expected, int which) except -1:
        check_size(name, array, expected.size)
        if not same_shape(array.a.shape, expected.shape):
            check_shape(name, array, self.shapes[which])
            raise ValueError(f"{name}: expected {len(self.shapes[which])} axes")
        return 0
