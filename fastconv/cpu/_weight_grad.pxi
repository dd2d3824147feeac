# The weight gradient of a convolution.

cdef size_t ALIGNMENT = 64


def vector_items(dtype):
    """How many items a vector of the level in use has."""
    cdef int code = dtype_code(dtype, True)
    return fc_active().tile_columns(code) // fc_active().tile_vectors()


cdef int64_t span(Geometry geometry, int axis, int64_t outputs):
    """At least as many inputs as that many outputs of an axis read."""
    reach = times(geometry.g.kernel[axis] - 1, geometry.g.dilation[axis])
    return times(outputs - 1, geometry.g.stride[axis]) + reach + 1


cdef int set_pieces(fc_weight_grad *c, Geometry geometry, dtype, groups, pieces) except -1:
    """Fill in how the work is cut, once x and y are known; refuse what no memory could hold."""
    cdef int64_t boxes, items, rows, positions
    cdef int64_t[4] extents
    cdef int axis
    channels, inner, images, box, splits, across_groups, mates = pieces
    c.g, c.groups = geometry.g, number("groups", groups, 1)
    if c.x.shape[1] % c.groups or c.y.shape[1] % c.groups:
        raise ValueError(f"groups: {groups} divides not both of x's and y's channels")
    c.channels, c.inner = number("channels", channels, 1), number("inner", inner, 1)
    c.images, c.splits = number("images", images, 1), number("splits", splits, 1)
    within("channels", 0, c.channels, c.y.shape[1] // c.groups)
    within("inner", 0, c.inner, c.x.shape[1] // c.groups)
    extents = [c.x.shape[0], geometry.g.out[0], geometry.g.out[1], geometry.g.out[2]]
    c.mates = -1 if mates is None else mates
    if c.mates < -1 or c.mates > 3 or (c.mates >= 0 and extents[c.mates] < 2):
        raise ValueError(f"mates: expected an axis of two halves or more, or None, got {mates}")
    if c.mates >= 0 and item_channels(dtype) != 2:
        raise ValueError(f"mates: expected None where an item of {dtype} holds one, got {mates}")
    if c.mates >= 0:
        extents[c.mates] //= 2
    within("images", 0, c.images, extents[0])
    c.across_groups = bool(across_groups)
    if c.across_groups and (c.channels < c.y.shape[1] // c.groups or c.inner > 1):
        raise ValueError("channels, inner: across groups, expected all and 1")
    boxes = (extents[0] - 1) // c.images + 1
    items, positions = times(64 if c.across_groups else c.inner, c.images), c.images
    for axis in range(3):
        c.box[axis] = number("box", box[axis], 1)
        within("box", 0, c.box[axis], extents[axis + 1])
        boxes = times(boxes, (extents[axis + 1] - 1) // c.box[axis] + 1)
        items = times(items, span(geometry, axis, c.box[axis]))
        positions = times(positions, c.box[axis])
    within("splits", 0, c.splits, boxes)
    rows = times(c.inner, geometry.volume)
    if max(items, positions, times(rows + 8, times(c.channels, 64))) > LARGEST >> 16:
        raise ValueError(f"pieces: {pieces} need more memory than there is")
    if times(times(times(c.x.shape[1], geometry.volume), c.y.shape[1]), c.splits) > LARGEST >> 20:
        raise ValueError(f"splits: {splits} need more memory than there is")
    return 0


def weight_grad_bytes(Geometry geometry not None, sizes, dtype, groups, pieces):
    """How many bytes of scratch memory a weight gradient needs: once, and for every thread.

    Parameters
    ----------
    sizes : tuple of int
        Images, and channels of x and y.
    dtype, groups, pieces
        As in conv_weight_grad.

    Returns
    -------
    tuple of (int, int)
    """
    cdef fc_weight_grad c
    cdef fc_grad_bytes needed
    cdef int axis
    c.dtype = product_code(dtype)
    if dtype == "int8":
        raise ValueError("dtype: expected a floating one, got int8")
    take_sizes(dtype, 0, &c.x, &c.weight, &c.y, dtype == "tf32")
    c.x.shape[0] = number("images", sizes[0], 1)
    c.x.shape[1], c.y.shape[1] = number("x", sizes[1], 1), number("y", sizes[2], 1)
    for axis in range(5):
        c.x.stride[axis] = 0
    set_pieces(&c, geometry, dtype, groups, pieces)
    needed = products_of(dtype).weight_grad_bytes(&c)
    return needed.sums + <int64_t>ALIGNMENT, needed.scratch


def conv_weight_grad(Geometry geometry not None, x, y, weight, dtype, groups, pieces, scratch,
                     threads, int target_size=0, bint rounds=False):
    """Sum y times what it was computed from in x: a convolution's weight gradient.

    Parameters
    ----------
    x : buffer, (N, C, *spatial_in), any strides
    y : buffer, (N, K, *spatial_out), any strides
    weight : writable buffer, (K, C / groups, *kernel), any strides
    dtype : {"float32", "float64", "float16", "bfloat16", "tf32"}
        Of x and y, or what they are rounded to.
    groups : int
    pieces : tuple of (int, int, int, (int, int, int), int, bool, int or None)
        Output and input channels of a group that a unit of work sums; images, and outputs along
        each axis, that it takes at a time; in how many splits it takes them, whose sums are added
        in their order; whether vectors run across groups, with all output channels and 1; where
        an item holds two positions, the axis whose halves are taken together, 0 for images or 1 to
        3, whose extents above are those of a half.
    scratch : writable contiguous buffer
        As many bytes as weight_grad_bytes tells, for so many threads.
    threads : int
    target_size : int
        Bytes of the weight's items: 4 of narrow types, or 0 for those of x and y.
    rounds : bool
        Whether all arrays are float32, and x and y are rounded to `dtype` on their way.
    """
    cdef Array source = hold("x", x, False, True), grads = hold("y", y, False, True)
    cdef Array target = hold("weight", weight, True, True)
    cdef Flat space = flat("scratch", scratch, True)
    cdef fc_weight_grad c
    cdef fc_grad_bytes needed
    cdef fc_narrow_kernels kernels = products_of(dtype)
    cdef int t = thread_count(threads), axis
    c.dtype, c.x, c.y, c.weight = product_code(dtype), source.a, grads.a, target.a
    if dtype == "int8":
        raise ValueError("dtype: expected a floating one, got int8")
    take_sizes(dtype, target_size, &c.x, &c.y, &c.weight, rounds)
    check_size("x", source, c.x.size)
    check_size("y", grads, c.y.size)
    check_size("weight", target, c.weight.size)
    spatial = range(3 - geometry.axes, 3)
    places = tuple([geometry.g.out[axis] for axis in spatial])
    kernel = tuple([geometry.g.kernel[axis] for axis in spatial])
    check_shape("x", source, (grads.a.shape[0], source.a.shape[1], *geometry.spatial_in))
    check_shape("y", grads, (source.a.shape[0], grads.a.shape[1], *places))
    if source.a.shape[0] < 1 or geometry.positions < 1:
        raise ValueError("y: has no items")
    set_pieces(&c, geometry, dtype, groups, pieces)
    check_shape("weight", target, (c.y.shape[1], c.x.shape[1] // c.groups, *kernel))
    needed = products_of(dtype).weight_grad_bytes(&c)
    if space.bytes < times(needed.scratch, t) + needed.sums + <int64_t>ALIGNMENT:
        raise ValueError(f"scratch: {space.bytes} bytes are too few for {t} threads")
    # Vectors that straddle two cache lines take twice as long.
    c.sums = space.data + (ALIGNMENT - <size_t>space.data % ALIGNMENT) % ALIGNMENT
    c.scratch = c.sums + needed.sums
    with nogil:
        clear_overflow()
        kernels.weight_grad(&c, t)
    return seen_overflow(kernels.notes_overflow)
