# Pooling windows, as tables per axis.

cdef int fill(str name, object values, int64_t *to, int64_t least) except -1:
    cdef int64_t i = 0
    for value in values:
        to[i] = number(name, value, least)
        i += 1
    return 0


@cython.final
cdef class Windows:
    """Which inputs each output of a pool covers, fixed or adaptive, axis by axis.

    Parameters
    ----------
    axes : sequence of (begin, taps, size, step), one for each of one to three axes
        Output o covers inputs begin[o] + k * step for k < taps[o], all of them inside; size[o] is
        the axis's factor of the divisor. Sequences of one length, that of the output.
    spatial_in : tuple of int
        The input's extents.

    Raises
    ------
    ValueError
        Lengths differ, or a window leaves the input.
    """

    cdef fc_windows w
    cdef int64_t *memory[3]
    cdef int count
    cdef tuple spatial_in, spatial_out

    def __init__(self, axes, spatial_in):
        cdef int axis, k, count = len(axes)
        if self.spatial_out is not None:
            raise ValueError("Windows: immutable")
        if not 1 <= count <= 3 or len(spatial_in) != count:
            raise ValueError(
                f"Windows: expected 1 to 3 axes and as many extents, got {count} and {spatial_in}"
            )
        cdef int64_t inputs = 1, outputs = 1
        for axis in range(3):
            k = axis - 3 + count
            if k < 0:
                self.read(axis, [0], [1], [1], 1, 1)
            else:
                begin, taps, size, step = axes[k]
                self.read(axis, list(begin), list(taps), list(size), number("step", step, 1),
                          number("spatial_in", spatial_in[k], 0))
            inputs = times(inputs, self.w.axis[axis].inputs)
            outputs = times(outputs, self.w.axis[axis].outputs)
        if inputs >= LARGEST or outputs >= LARGEST:
            raise ValueError("Windows: sizes do not fit into 62 bits")
        self.count = count
        self.spatial_in = tuple([self.w.axis[3 - count + k].inputs for k in range(count)])
        self.spatial_out = tuple([self.w.axis[3 - count + k].outputs for k in range(count)])

    def __dealloc__(self):
        for axis in range(3):
            PyMem_Free(self.memory[axis])

    cdef int read(self, int axis, list begin, list taps, list size, int64_t step,
                  int64_t inputs) except -1:
        cdef int64_t n = len(begin), o
        cdef int64_t *memory
        if len(taps) != n or len(size) != n:
            raise ValueError(f"Windows: lengths differ: {n}, {len(taps)}, {len(size)}")
        PyMem_Free(self.memory[axis])
        self.memory[axis] = memory = <int64_t *>PyMem_Malloc(4 * max(n, 1) * sizeof(int64_t))
        if memory == NULL:
            raise MemoryError
        fill("begin", begin, memory, -LARGEST)
        fill("taps", taps, memory + n, 0)
        fill("size", size, memory + 2 * n, 0)
        for o in range(n):
            if memory[n + o] == 0:
                memory[o] = 0  # so that what is computed from it stays small
            elif memory[o] < 0 or memory[o] >= inputs \
                    or memory[n + o] - 1 > (inputs - 1 - memory[o]) // step:
                raise ValueError(
                    f"Windows: output {o} covers {memory[n + o]} inputs from {memory[o]} in steps "
                    f"of {step}, of which some are not inside [0, {inputs})"
                )
        fc_window_runs(memory, memory + n, n, memory + 3 * n)
        self.w.axis[axis] = fc_axis(
            memory, memory + n, memory + 2 * n, memory + 3 * n, step, n, inputs
        )
        return 0

    cdef int check_input(self, str name, Array array, int64_t size) except -1:
        cdef int64_t[3] extent
        for k in range(3):
            extent[k] = self.w.axis[k].inputs
        if self.spatial_out is None or not spatial_is(array, self.count, extent):
            check_shape(name, array, (array.a.shape[0], array.a.shape[1], *self.spatial_in))
        return check_size(name, array, size)

    cdef int check_output(self, str name, Array array, Array like, int64_t size) except -1:
        cdef int64_t[3] extent
        for k in range(3):
            extent[k] = self.w.axis[k].outputs
        if array.a.shape[0] != like.a.shape[0] or array.a.shape[1] != like.a.shape[1] \
                or not spatial_is(array, self.count, extent):
            check_shape(name, array, (like.a.shape[0], like.a.shape[1], *self.spatial_out))
        return check_size(name, array, size)
