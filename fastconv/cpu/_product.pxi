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


cdef int axes_of(str name, object given, int64_t *to, int64_t fill) except -1:
    """Numbers of one to three axes into three places."""
    cdef int count = len(given), k
    for k in range(3):
        to[k] = number(name, given[k - 3 + count]) if k >= 3 - count else fill
    return 0


cdef int shape_of(str name, object shape, int64_t *to) except -1:
    """A shape of two axes and one to three spatial ones into five places."""
    to[0], to[1] = number(name, shape[0], 1), number(name, shape[1], 1)
    return axes_of(name, shape[2:], to + 2, 1)


cdef bint same_shape(const int64_t *a, const int64_t *b) noexcept:
    return a[0] == b[0] and a[1] == b[1] and a[2] == b[2] and a[3] == b[3] and a[4] == b[4]


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
                  bint rounds=False):
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
            self.check_box()
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
        """Take a product in, having checked what it reads and writes."""
        cdef fc_conv *c = &self.c
        cdef Geometry geometry
        cdef int k
        geometry, first, step, place, every = product[:5]
        images, lines, items, depth, blocks, gathered, apart = product[5:]
        p.g, p.gathered, p.apart = geometry.g, bool(gathered), bool(apart)
        p.images, p.lines = number("images", images, 1), number("lines", lines, 1)
        p.items, p.depth = number("items", items, 1), number("depth", depth, 1)
        p.blocks = number("blocks", blocks, 1)
        axes_of("first", first, p.first, 0)
        axes_of("step", step, p.step, 1)
        axes_of("place", place, p.place, 0)
        axes_of("every", every, p.every, 1)
        for k in range(3):
            check_axis("first", p.first[k], p.step[k], p.g.kernel[k], c.weight.shape[2 + k])
            check_axis("place", p.place[k], p.every[k], p.g.out[k], c.y.shape[2 + k])
            if p.g.inputs[k] != c.x.shape[2 + k]:
                raise ValueError(f"Convolution: a geometry is not over {self.shapes[0]}")
        if p.items > p.g.out[2] or p.lines > p.g.out[1] or p.depth > c.inner \
                or (p.items < p.g.out[2] and p.lines > 1) or (p.apart and p.depth < c.inner) \
                or (p.lines < p.g.out[1] and p.images > 1):
            raise ValueError(
                f"Convolution: no unit of {images} images, {lines} lines, {items} items, "
                f"{depth} channels"
            )
        # An upper bound of what conv_layout is about to compute.
        volume = geometry.volume * int(depth)
        reach = [p.g.kernel[k] * p.g.dilation[k] for k in range(3)]
        positions = int(images) * (int(lines) + reach[1]) * (int(items) + reach[2] + 64)
        most = volume * positions + int(blocks) * c.tile_rows * positions
        if c.pixels:
            spans = [int(n) * p.g.stride[k] + reach[k] for k, n in ((1, lines), (2, items))]
            most += int(images) * p.g.kernel[0] * spans[0] * spans[1] * c.inner
            if depth != c.inner if gathered else c.pixels == FC_TRANSPOSED:
                raise ValueError("Convolution: copied lines take all source channels at once")
        if 32 * most >= LARGEST or 32 * volume * c.channels * c.groups * c.inner >= LARGEST:
            raise ValueError("Convolution: sizes do not fit into 62 bits")
        self.scratch_bytes = max(self.scratch_bytes, self.kernels.conv_layout(c, p))
        p.packed_at = self.packed_bytes
        self.packed_bytes += (p.packed + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
        self.units += p.units
        return 0

    cdef int check_box(self) except -1:
        """Products that share a box need equal strides, all source channels, and whole tiles."""
        cdef const fc_product *p
        cdef int64_t i, vectors = (self.c.channels + self.c.tile_rows - 1) // self.c.tile_rows
        cdef int k
        most = int(self.c.inner)
        extents = [1, 0, 0]
        for i in range(self.c.count):
            extents[1] = max(extents[1], self.products[i].lines)
            extents[2] = max(extents[2], self.products[i].items)
        for k in range(3):
            low = reach = 0
            for i in range(self.c.count):
                p = self.products + i
                if p.g.stride[k] != self.products.g.stride[k] or p.depth != self.c.inner \
                        or (p.blocks % 2 and p.blocks < vectors):
                    raise ValueError("products: these cannot share a box")
                low = max(low, int(p.g.before[k]))
                reach = max(reach, p.g.kernel[k] * int(p.g.dilation[k]) + abs(int(p.g.before[k])))
            most *= extents[k] * int(self.products.g.stride[k]) + low + reach + 64
        if 32 * most >= LARGEST:
            raise ValueError("Convolution: sizes do not fit into 62 bits")
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
            the multipliers, as many, its zero point, its least and largest item. The bias is int32.
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


cdef int check_axis(str name, int64_t first, int64_t step, int64_t count, int64_t extent) except -1:
    """first + k * step must lie inside [0, extent) for all k < count."""
    last = first + (count - 1) * int(step)
    if count > 0 and not (0 <= first < extent and 0 <= last < extent):
        raise ValueError(f"{name}: {first} to {last} is not inside [0, {extent})")
    return 0
