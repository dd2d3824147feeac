# How a convolution is cut into products: taken from Python, and checked.

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


cdef int check_axis(str name, int64_t first, int64_t step, int64_t count, int64_t extent) except -1:
    """first + k * step must lie inside [0, extent) for all k < count."""
    last = first + (count - 1) * int(step)
    if count > 0 and not (0 <= first < extent and 0 <= last < extent):
        raise ValueError(f"{name}: {first} to {last} is not inside [0, {extent})")
    return 0


cdef int take_product(fc_conv *c, fc_product *p, tuple product, tuple x_shape) except -1:
    """Take a product in, having checked what it reads and writes."""
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
            raise ValueError(f"Convolution: a geometry is not over {x_shape}")
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
    return 0


cdef int check_box(const fc_conv *c) except -1:
    """Products that share a box need equal strides, all source channels, and whole tiles."""
    cdef const fc_product *p
    cdef int64_t i, vectors = (c.channels + c.tile_rows - 1) // c.tile_rows
    cdef int k
    most = int(c.inner)
    extents = [1, 0, 0]
    for i in range(c.count):
        extents[1] = max(extents[1], c.products[i].lines)
        extents[2] = max(extents[2], c.products[i].items)
    for k in range(3):
        low = reach = 0
        for i in range(c.count):
            p = c.products + i
            if p.g.stride[k] != c.products.g.stride[k] or p.depth != c.inner \
                    or (p.blocks % 2 and p.blocks < vectors):
                raise ValueError("products: these cannot share a box")
            low = max(low, int(p.g.before[k]))
            reach = max(reach, p.g.kernel[k] * int(p.g.dilation[k]) + abs(int(p.g.before[k])))
        most *= extents[k] * int(c.products.g.stride[k]) + low + reach + 64
    if 32 * most >= LARGEST:
        raise ValueError("Convolution: sizes do not fit into 62 bits")
    return 0
