# Winograd's convolution in float32: csrc/winograd.h.


@cython.final
cdef class Winograd:
    """A convolution, summed in float32, as transformed tiles; immutable.

    Parameters
    ----------
    geometry : Geometry
        Strided axes, but for the first of three, have dilation 1.
    batch, groups, inner, channels : int
        Images, groups, and the input and output channels of a group.
    alpha : tuple of int
        How lines and items of a line are cut: 6 inputs for 4 outputs, 4 for 2, 1 for 1. Known are
        (6, 6), (4, 4) and (1, 6).
    adjoint : bool
        Whether weights are given as those of the adjoint convolution: (groups * inner, channels,
        *kernel), with taps in reverse.
    activation : int
    parameter : float
        As in epilogue.
    pixels : int
        0, or, where channels lie side by side, the output channels of a block of kernels: whole
        vectors, as many as a tile has at most.
    up : tuple of int, optional
        How many outputs there are for an input, where outputs lie between inputs: an input
        gradient's stride. 1 or 2, and 1 for the first of three axes; geometry's stride and dilation
        are 1 then, and `pixels` is 0.
    dtype : {"float32", "float16", "bfloat16"}
        Of x, y and the weight.
    target_size : int
        Bytes of y's items: 4 of 16-bit types, or 0 for those of x.
    rounding : {"", "tf32", "bfloat16", "float16"}
        What x and the weight, of float32, are rounded to as they are read; with pixels 0.

    Attributes
    ----------
    tiles : int
        Tiles of all images; of one phase, where there is `up`.
    depth : int
        Rows of the products' reduction: input channels of a group, for every block of taps.
    phases : int
        Of the outputs, where there is `up`.
    products : int
        Multiplications of a tile for each input and output channel.
    """

    cdef fc_winograd c
    cdef bint adjoint
    cdef tuple x_shape, y_shape, weight_shape
    cdef readonly int64_t tiles, depth, phases, products, packed_bytes
    cdef const fc_kernels *kernels
    cdef int notes_overflow

    def __init__(self, Geometry geometry not None, batch, groups, inner, channels, tuple alpha,
                 bint adjoint, int activation, double parameter, pixels=0, tuple up=(),
                 dtype="float32", int target_size=0, rounding=""):
        cdef int k
        cdef fc_array weight
        if self.x_shape is not None:
            raise ValueError("Winograd: immutable")
        if alpha not in ((6, 6), (4, 4), (1, 6)):
            raise ValueError(f"alpha: expected (6, 6), (4, 4) or (1, 6), got {alpha}")
        if any([geometry.g.stride[k] > 1 and geometry.g.dilation[k] > 1 for k in range(1, 3)]):
            raise ValueError("geometry: expected dilation 1 where there is a stride")
        if not 0 <= activation < FC_ACTIVATIONS:
            raise ValueError(f"activation: expected 0 to {FC_ACTIVATIONS - 1}, got {activation}")
        self.kernels = fc_active()
        self.notes_overflow = fc_active_narrow().notes_overflow
        take_sizes(dtype, target_size, &self.c.x, &weight, &self.c.y)
        if self.c.x.size not in (2, 4) or dtype == "int8":
            raise ValueError(f"dtype: expected float32, float16 or bfloat16, got {dtype!r}")
        self.c.half = NARROW.get(dtype, 0)
        self.c.rounding = rounding_code(rounding) if rounding else FC_UNROUNDED
        if rounding and (pixels or self.c.x.size != 4):
            raise ValueError(f"rounding: got {rounding!r} of {dtype} over {pixels} channels")
        self.c.pixels = number("pixels", pixels, 0)
        lanes = self.kernels.vector_bytes // 4
        if self.c.pixels % lanes or self.c.pixels > self.kernels.tile_columns(FC_float32):
            raise ValueError(f"pixels: expected whole vectors of {lanes} channels, got {pixels}")
        self.adjoint = adjoint
        self.c.alpha = [alpha[0], alpha[1]]
        self.c.activation, self.c.parameter = activation, parameter
        self.c.groups, self.c.inner = number("groups", groups, 1), number("inner", inner, 1)
        self.c.channels = number("channels", channels, 1)
        for k in range(3):
            self.c.kernel[k] = geometry.g.kernel[k]
            self.c.before[k] = geometry.g.before[k]
            self.c.dilation[k] = geometry.g.dilation[k]
            self.c.stride[k] = geometry.g.stride[k]
            self.c.up[k] = 1
            self.c.y.shape[2 + k] = geometry.g.out[k]
        if any([u != 1 for u in up]):
            self.take_up(geometry, up)
        self.c.y.shape[0] = number("batch", batch, 1)
        if geometry.positions < 1:
            raise ValueError("geometry: the output is empty")
        axes = range(3 - geometry.axes, 3)
        kernel = tuple([geometry.g.kernel[k] for k in axes])
        out = tuple([geometry.g.out[k] for k in axes])
        self.x_shape = (batch, times(groups, inner), *geometry.spatial_in)
        self.y_shape = (batch, times(groups, channels), *out)
        self.weight_shape = (groups * inner, channels) if adjoint else (groups * channels, inner)
        self.weight_shape += kernel
        self.tiles = self.kernels.winograd_tiles(&self.c)
        self.phases = self.c.up[1] * self.c.up[2]
        self.depth = self.kernels.winograd_depth(&self.c)
        self.products = self.kernels.winograd_products(&self.c)
        self.packed_bytes = self.kernels.winograd_weight(&self.c, 1)

    cdef int take_up(self, Geometry geometry, tuple up) except -1:
        cdef int k
        plain = all([geometry.g.stride[k] == geometry.g.dilation[k] == 1 for k in range(3)])
        if len(up) != geometry.axes or not plain or self.c.pixels:
            raise ValueError("up: expected an entry for each axis; no stride, dilation, pixels")
        for k in range(geometry.axes):
            self.c.up[3 - geometry.axes + k] = number("up", up[k], 1)
        if self.c.up[0] != 1 or self.c.up[1] > 2 or self.c.up[2] > 2:
            raise ValueError(f"up: expected 1 or 2, and 1 for the first of three axes, got {up}")
        return 0

    def scratch_bytes(self, width, group, bint packed, bint shared):
        """How much scratch memory run needs: of a thread, and for all transformed inputs.

        Parameters
        ----------
        width, group : int
            As in run.
        packed : bool
            Whether run will be given a packed weight.
        shared : bool
            Whether run will be given memory for all transformed inputs.
        """
        cdef fc_winograd c = self.c
        cdef char nothing
        c.width, c.group = number("width", width, 1), number("group", group, 1)
        c.packed = &nothing if packed else NULL
        c.inputs = &nothing if shared else NULL
        inputs = self.kernels.winograd_inputs(&c) if shared else 0
        return self.kernels.winograd_scratch(&c), inputs

    cdef int take_weight(self, fc_winograd *c, Array weight) except -1:
        cdef int k
        cdef bint back = self.adjoint
        check_size("weight", weight, self.c.x.size)
        check_shape("weight", weight, self.weight_shape)
        c.weight = weight.a.data
        c.w_channel = weight.a.stride[1 if back else 0]
        c.w_inner = weight.a.stride[0 if back else 1]
        c.w_group = weight.a.stride[0] * (c.inner if back else c.channels)
        for k in range(3):
            c.w_tap[k] = weight.a.stride[2 + k]
            if back:
                c.weight += (c.kernel[k] - 1) * c.w_tap[k]
                c.w_tap[k] = -c.w_tap[k]
        return 0

    def pack(self, weight, packed, threads):
        """Transform a weight of any strides into `packed`: packed_bytes contiguous bytes.

        Returns as run.
        """
        cdef Array source = hold("weight", weight, False, True)
        cdef Flat target = flat("packed", packed, True)
        cdef fc_winograd c = self.c
        cdef int t = thread_count(threads)
        self.take_weight(&c, source)
        if target.bytes < self.packed_bytes:
            raise ValueError(f"packed: {target.bytes} bytes are too few")
        c.packed = target.data
        with nogil:
            clear_overflow()
            self.kernels.winograd_weight(&c, t)
        return seen_overflow(self.notes_overflow)

    def run(self, x, weight, packed, y, bias, width, group, inputs, scratch, threads):
        """Convolve, add a bias, apply an activation.

        Parameters
        ----------
        x : buffer, (batch, groups * inner, *spatial_in), any strides
        weight : buffer, any strides, or None
            Not read where `packed` is given; transformed where it is used otherwise.
        packed : contiguous buffer, or None
            From pack.
        y : writable buffer, (batch, groups * channels, *spatial_out), any strides
        bias : contiguous buffer of float32, (groups * channels,), or None
        width, group : int
            Tiles of a block, a multiple of a vector's lanes, and output channels that are
            multiplied with it at a time, a multiple of a tile's rows.
        inputs : writable contiguous buffer, or None
            Where all transformed inputs are kept; then every weight is transformed just once.
        scratch : writable contiguous buffer
            scratch_bytes for each thread.
        threads : int
        """
        cdef Array source = hold("x", x, False, True), target = hold("y", y, True, True)
        cdef Array kernels
        cdef Flat ready, added, shared, space = flat("scratch", scratch, True)
        cdef fc_winograd c = self.c
        cdef int t = thread_count(threads)
        cdef int64_t rows = self.c.pixels or self.kernels.tile_rows()
        check_size("x", source, self.c.x.size)
        check_size("y", target, self.c.y.size)
        check_shape("x", source, self.x_shape)
        check_shape("y", target, self.y_shape)
        c.x, c.y = source.a, target.a
        c.width, c.group = number("width", width, 1), number("group", group, 1)
        lanes = self.kernels.tile_columns(FC_float32) // self.kernels.tile_vectors()
        if c.pixels:
            check_adjoining("x", source)
            check_adjoining("y", target)
            lanes = 1
        if c.width % lanes or c.group % rows:
            raise ValueError("width, group: expected multiples of lanes and of a block's channels")
        if packed is None:
            kernels = hold("weight", weight, False, True)
            self.take_weight(&c, kernels)
            c.packed = NULL
        else:
            ready = flat("packed", packed, False)
            if ready.bytes < self.packed_bytes:
                raise ValueError(f"packed: {ready.bytes} bytes are too few")
            c.packed = ready.data
        c.bias = NULL
        if bias is not None:
            added = flat("bias", bias, False)
            if added.bytes != 4 * self.y_shape[1]:
                raise ValueError(f"bias: expected {self.y_shape[1]} contiguous items of 4 bytes")
            c.bias = added.data
        c.inputs = NULL
        if inputs is not None:
            shared = flat("inputs", inputs, True)
            c.inputs = shared.data
            if shared.bytes < self.kernels.winograd_inputs(&c):
                raise ValueError(f"inputs: {shared.bytes} bytes are too few")
        if space.bytes < times(self.kernels.winograd_scratch(&c), t):
            raise ValueError(f"scratch: {space.bytes} bytes are too few for {t} threads")
        c.scratch = space.data
        with nogil:
            clear_overflow()
            self.kernels.winograd_forward(&c, t)
        return seen_overflow(self.notes_overflow)
