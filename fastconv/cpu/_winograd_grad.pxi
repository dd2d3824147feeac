# Winograd's weight gradient in float32: csrc/winograd_grad.inc.


@cython.final
cdef class WinogradGrad:
    """The weight gradient of a convolution, summed in float32; immutable.

    Parameters
    ----------
    geometry : Geometry
        Of the convolution. Strided axes, but for the first of three, have dilation 1.
    batch, groups, inner, channels : int
        Images, groups, and the input and output channels of a group.
    alpha : tuple of int
        How lines and items of a line are cut: (6, 6) or (1, 6).
    width : int
        Tiles of a chunk, a multiple of a vector's lanes.
    range_, group : int
        Output channels, a multiple of a tile's rows, and rows, a multiple of the lanes, of a unit.
    splits : int
        Parts of the tiles whose sums are taken apart; no more than there are chunks.
    pixels : bool
        Whether channels lie side by side in x and y. A block of taps then has whole vectors of
        rows.
    dtype : {"float32", "float16", "bfloat16"}
        Of x, y and the weight.
    target_size : int
        Bytes of the weight's items: 4 of 16-bit types, or 0 for those of x.
    rounding : {"", "tf32", "bfloat16", "float16"}
        What x and y are rounded to as they are read; without pixels.

    Attributes
    ----------
    tiles : int
        Tiles of all images.
    input_bytes, grad_bytes, sum_bytes, thread_bytes : int
        Memory for a panel of transformed inputs and of gradients, for sums, and for each thread.
    """

    cdef fc_winograd_grad c
    cdef tuple x_shape, y_shape, weight_shape
    cdef readonly int64_t tiles, input_bytes, grad_bytes, sum_bytes, thread_bytes
    cdef const fc_kernels *kernels
    cdef int notes_overflow

    def __init__(self, Geometry geometry not None, batch, groups, inner, channels, tuple alpha,
                 width, range_, group, splits, bint pixels=False, dtype="float32",
                 int target_size=0, rounding=""):
        cdef int k
        cdef int64_t[4] sizes
        cdef fc_winograd shape
        if self.x_shape is not None:
            raise ValueError("WinogradGrad: immutable")
        if alpha not in ((6, 6), (1, 6)):
            raise ValueError(f"alpha: expected (6, 6) or (1, 6), got {alpha}")
        if any([geometry.g.stride[k] > 1 and geometry.g.dilation[k] > 1 for k in range(1, 3)]):
            raise ValueError("geometry: expected dilation 1 where there is a stride")
        if geometry.positions < 1:
            raise ValueError("geometry: the output is empty")
        self.kernels = fc_active()
        self.notes_overflow = fc_active_narrow().notes_overflow
        take_sizes(dtype, target_size, &self.c.x, &self.c.y, &self.c.weight)
        if self.c.x.size not in (2, 4) or dtype == "int8":
            raise ValueError(f"dtype: expected float32, float16 or bfloat16, got {dtype!r}")
        self.c.half = NARROW.get(dtype, 0)
        self.c.alpha = [alpha[0], alpha[1]]
        self.c.groups, self.c.inner = number("groups", groups, 1), number("inner", inner, 1)
        self.c.channels = number("channels", channels, 1)
        self.c.width, self.c.group = number("width", width, 1), number("group", group, 1)
        self.c.range, self.c.splits = number("range_", range_, 1), number("splits", splits, 1)
        self.c.pixels = pixels
        self.c.rounding = rounding_code(rounding) if rounding else FC_UNROUNDED
        if rounding and pixels:
            raise ValueError(f"rounding: got {rounding!r} where channels lie side by side")
        lanes = self.kernels.tile_columns(FC_float32) // self.kernels.tile_vectors()
        if self.c.width % lanes or self.c.group % lanes or self.c.range % self.kernels.tile_rows():
            raise ValueError("width, range_, group: expected multiples of lanes and tile rows")
        for k in range(3):
            self.c.kernel[k] = geometry.g.kernel[k]
            self.c.before[k] = geometry.g.before[k]
            self.c.dilation[k] = geometry.g.dilation[k]
            self.c.stride[k] = geometry.g.stride[k]
            self.c.y.shape[2 + k] = geometry.g.out[k]
        self.c.y.shape[0] = number("batch", batch, 1)
        axes = range(3 - geometry.axes, 3)
        self.x_shape = (batch, times(groups, inner), *geometry.spatial_in)
        self.y_shape = (batch, times(groups, channels), *[geometry.g.out[k] for k in axes])
        self.weight_shape = (groups * channels, inner, *[geometry.g.kernel[k] for k in axes])
        shape.y, shape.dilation, shape.alpha = self.c.y, self.c.dilation, self.c.alpha
        shape.up = [1, 1, 1]
        self.tiles = self.kernels.winograd_tiles(&shape)
        if splits > -(-self.tiles // width):
            raise ValueError("splits: expected no more than there are chunks")
        self.kernels.winograd_grad_sizes(&self.c, sizes)
        self.input_bytes, self.grad_bytes = sizes[0], sizes[1]
        self.sum_bytes, self.thread_bytes = sizes[2], sizes[3]

    def run(self, x, y, weight, inputs, grads, sums, scratch, threads):
        """Fill the weight with the gradient.

        Parameters
        ----------
        x : buffer, (batch, groups * inner, *spatial_in), any strides
        y : buffer, (batch, groups * channels, *spatial_out), any strides
            The gradient of the output.
        weight : writable buffer, (groups * channels, inner, *kernel), any strides
        inputs, grads, sums, scratch : writable contiguous buffers
            input_bytes, grad_bytes, sum_bytes, and thread_bytes for each thread. With input_bytes
            and grad_bytes for each thread too, each sums splits on its own.
        threads : int
        """
        cdef Array source = hold("x", x, False, True), grad = hold("y", y, False, True)
        cdef Array target = hold("weight", weight, True, True)
        cdef Flat panels = flat("inputs", inputs, True), others = flat("grads", grads, True)
        cdef Flat added = flat("sums", sums, True), space = flat("scratch", scratch, True)
        cdef fc_winograd_grad c = self.c
        cdef int t = thread_count(threads)
        for name, array, shape, size in (("x", source, self.x_shape, self.c.x.size),
                                         ("y", grad, self.y_shape, self.c.x.size),
                                         ("weight", target, self.weight_shape,
                                          self.c.weight.size)):
            check_size(name, array, size)
            check_shape(name, array, shape)
        if self.c.pixels:
            check_adjoining("x", source)
            check_adjoining("y", grad)
        if (panels.bytes < self.input_bytes or others.bytes < self.grad_bytes
                or added.bytes < self.sum_bytes or space.bytes < times(self.thread_bytes, t)):
            raise ValueError("inputs, grads, sums, scratch: too few bytes")
        c.panels = min(panels.bytes // self.input_bytes, others.bytes // self.grad_bytes)
        c.x, c.y, c.weight = source.a, grad.a, target.a
        c.inputs, c.grads, c.sums, c.scratch = panels.data, others.data, added.data, space.data
        with nogil:
            clear_overflow()
            self.kernels.winograd_grad(&c, t)
        return seen_overflow(self.notes_overflow)
