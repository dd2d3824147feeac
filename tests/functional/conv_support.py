"""What the tests of the convolution family share: cases to draw, odd arrays, error measures."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import pytest
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core
from fastconv.precision import real_format

try:
    from ml_dtypes import bfloat16

    BFLOAT16 = (np.dtype(bfloat16),)
except ImportError:  # an optional dependency: everything else is tested without it
    BFLOAT16 = ()

REALS = (*map(np.dtype, ("float16", "float32", "float64")), *BFLOAT16)
FLOATS = (*REALS, *map(np.dtype, ("complex64", "complex128")))
INTEGERS = tuple(map(np.dtype, ("bool", "int8", "uint16", "int64")))
ALGORITHMS = ("implicit_gemm", "im2col_blas", "reference") if core else ("reference",)
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
needs_core = pytest.mark.skipif(core is None, reason="needs the compiled core")
# Without the compiled core the reference solves everything, and says that it is slow.
may_be_slow = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")

LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
_MOST_EXTENT = {1: 40, 2: 9, 3: 5}


@dataclass(frozen=True)
class Conv:
    """A convolution's shapes and parameters; `pads` are the pairs that `padding` stands for."""

    x_shape: tuple[int, ...]
    weight_shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: object
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def ndim(self):
        return len(self.stride)

    @property
    def y_shape(self):
        spatial = (
            (n + a + b - (k - 1) * d - 1) // s + 1
            for n, k, s, d, (a, b) in zip(
                self.x_shape[2:],
                self.weight_shape[2:],
                self.stride,
                self.dilation,
                self.pads,
                strict=True,
            )
        )
        return (self.x_shape[0], self.weight_shape[0], *spatial)

    @property
    def parameters(self):
        """The positional parameters behind the bias."""
        return self.stride, self.padding, self.dilation, self.groups

    def function(self, suffix="", stem="conv"):
        return getattr(fastconv, f"{stem}{self.ndim}d{suffix}")


def _named_pads(name, extent, kernel, stride, dilation):
    """The definition of "same": ceil(extent / stride) outputs, the odd zero behind or in front."""
    outputs = -(-extent // stride)
    needed = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - extent, 0)
    less, more = needed // 2, needed - needed // 2
    return (less, more) if name == "same" else (more, less)


@st.composite
def convolutions(draw, ndims=(1, 2, 3), names=True):
    """Draw a convolution of any geometry that has an output."""
    ndim = draw(st.sampled_from(ndims))
    axes = range(ndim)
    groups = draw(st.sampled_from((1, 1, 1, 2, 3)))
    weight = (
        groups * draw(st.integers(1, 9)),
        draw(st.integers(1, 5)),
        *(draw(st.integers(1, 3 if ndim == 3 else 4)) for _ in axes),
    )
    stride = tuple(draw(st.integers(1, 3)) for _ in axes)
    dilation = tuple(draw(st.integers(1, 3)) for _ in axes)
    pads = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in axes)
    form = draw(
        st.sampled_from(("pairs", "ints", "valid", "same", "same_lower")[: 5 if names else 2])
    )
    if form == "ints":
        pads = tuple((before, before) for before, _ in pads)
    elif form == "valid":
        pads = ((0, 0),) * ndim
    fit = [
        max(1, (k - 1) * d + 1 - (0 if form.startswith("same") else a + b))
        for k, d, (a, b) in zip(weight[2:], dilation, pads, strict=True)
    ]
    extents = tuple(n + draw(st.integers(0, _MOST_EXTENT[ndim])) for n in fit)
    if form.startswith("same"):
        geometry = zip(extents, weight[2:], stride, dilation, strict=True)
        pads = tuple(_named_pads(form, *axis) for axis in geometry)
    padding = {"pairs": pads, "ints": tuple(before for before, _ in pads)}.get(form, form)
    x = (draw(st.integers(1, 3)), weight[1] * groups, *extents)
    return Conv(x, weight, stride, padding, pads, dilation, groups)


def values(rng, shape, dtype):
    """Return ordinary numbers of a dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind in "biu":
        return rng.integers(0, 2 if dtype.kind == "b" else 9, shape).astype(dtype)
    numbers = rng.standard_normal(shape)
    if dtype.kind == "c":
        numbers = numbers + 1j * rng.standard_normal(shape)
    return numbers.astype(dtype)


def odd_memory(rng, array):
    """Return the values in odd memory: axes reordered, gaps, reversed, at any address.

    Sometimes one axis is a single item repeated (stride 0), the byte order foreign, or the
    array read-only.
    """
    array = np.asarray(array)
    if array.ndim == 0:
        return array
    if array.size and rng.random() < 0.15:
        axis = int(rng.integers(array.ndim))
        return np.broadcast_to(odd_memory(rng, array.take([0], axis)), array.shape)
    order = rng.permutation(array.ndim)
    gaps = rng.integers(1, 3, array.ndim)
    extents = [array.shape[axis] * int(gaps[axis]) for axis in order]
    shift = int(rng.integers(0, 3))
    memory = np.zeros(prod(extents) * array.itemsize + shift, np.uint8)
    view = memory[shift:].view(array.dtype).reshape(extents).transpose(np.argsort(order))
    view = view[tuple(slice(None, None, int(gap)) for gap in gaps)]
    view = view[tuple(slice(None, None, int(step)) for step in rng.choice([-1, 1], array.ndim))]
    view[...] = array
    if array.dtype not in BFLOAT16 and rng.random() < 0.2:
        view = view.astype(view.dtype.newbyteorder(), order="K")
    if rng.random() < 0.2:
        view.setflags(write=False)
    return view


def odd_out(rng, shape, dtype):
    """Return an array for out= in odd memory, full of what must not shine through."""
    order = rng.permutation(len(shape))
    gaps = [int(gap) for gap in rng.integers(1, 3, len(shape))]
    extents = [shape[axis] * gaps[axis] for axis in order]
    shift = int(rng.integers(0, 3))
    memory = np.full(prod(extents) * np.dtype(dtype).itemsize + shift, 0xFF, np.uint8)
    view = memory[shift:].view(dtype).reshape(extents).transpose(np.argsort(order))
    view = view[tuple(slice(None, None, gap) for gap in gaps)]
    return view[tuple(slice(None, None, int(step)) for step in rng.choice([-1, 1], len(shape)))]


def wide(array):
    """Return an array in double precision."""
    array = np.asarray(array)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def bound_of(function, *args, **kwargs):
    """Return the error bound that was published for a call of one problem."""
    chosen = fastconv.explain(function, *args, **kwargs).problems[0].chosen
    assert chosen is not None
    assert 0 <= chosen.error_bound < 1
    return chosen.error_bound


def assert_within(got, exact, magnitudes, bound, channel_axis):
    """Hold max |got - exact| of each channel to bound * max sum of magnitudes of that channel."""
    assert got.shape == exact.shape
    if exact.size == 0:
        return
    other = tuple(axis for axis in range(exact.ndim) if axis != channel_axis)
    errors = np.abs(wide(got) - exact).max(axis=other)
    # The exact values come from double precision themselves.
    allowed = (bound + 2.0**-44) * magnitudes.max(axis=other)
    allowed = allowed + real_format(got.dtype.name).smallest_normal
    assert (errors <= allowed).all(), f"{(errors / allowed).max():.3g} times the published bound"


def to_layout(array, channels_last):
    """Bring (N, C, ...) to a layout, as a view."""
    return np.moveaxis(array, 1, -1) if channels_last else array


def from_layout(array, channels_last):
    """Bring an array of a layout back to (N, C, ...)."""
    return np.moveaxis(array, -1, 1) if channels_last else array
