"""im2col, col2im and scatter against index arithmetic in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core")

COPIED = ["u1", "f2", "f4", "f8", "c16", "S3", "S17"]
SUMMED = [
    "float32", "float64", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
]  # fmt: skip
seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 3)


@st.composite
def geometries(draw):
    """Draw the six tuples of a Geometry; half of them "same", which is copied by its own path."""
    axes = draw(counts)
    several = st.lists(st.integers(1, 3), min_size=axes, max_size=axes).map(tuple)
    spatial = draw(st.lists(st.integers(0, 7), min_size=axes, max_size=axes).map(tuple))
    kernel, dilation = draw(several), draw(several)
    if draw(st.booleans()):
        before = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
        return spatial, kernel, (1,) * axes, before, dilation, spatial
    stride = draw(several)
    before = draw(st.lists(st.integers(-2, 4), min_size=axes, max_size=axes).map(tuple))
    out = draw(st.lists(st.integers(0, 6), min_size=axes, max_size=axes).map(tuple))
    return spatial, kernel, stride, before, dilation, out


def columns_of(x, geometry):
    """im2col by indexing, one axis after the other."""
    _, kernel, stride, before, dilation, out = geometry
    axes = len(kernel)
    images, channels = x.shape[:2]
    if x.size == 0:
        return np.zeros((images, channels * math.prod(kernel), math.prod(out)), x.dtype)
    for axis in range(axes - 1, -1, -1):
        at = np.arange(out[axis]) * stride[axis] - before[axis]
        at = at + np.arange(kernel[axis])[:, None] * dilation[axis]
        inside = (at >= 0) & (at < x.shape[2 + axis])
        x = np.take(x, np.where(inside, at, 0), axis=2 + axis)
        inside = inside.reshape(inside.shape + (1,) * (x.ndim - 4 - axis))
        x = np.where(inside, x, np.zeros((), x.dtype))
    kernel_axes = [2 + 2 * axis for axis in range(axes)]
    position_axes = [3 + 2 * axis for axis in range(axes)]
    x = x.transpose(0, 1, *kernel_axes, *position_axes)
    return x.reshape(images, channels * math.prod(kernel), math.prod(out))


def part(rng, extent):
    """Return a random range within [0, extent)."""
    ends = np.sort(rng.integers(0, extent + 1, 2))
    return slice(int(ends[0]), int(ends[1]))


def numbers(rng, shape, dtype):
    """Return small whole numbers, whose sums are exact in every type."""
    return rng.integers(0, 5, shape).astype(dtype)


@settings(max_examples=60, deadline=None)
@given(geometries(), st.sampled_from(COPIED), counts, seeds)
def test_im2col(level, layouts, geometry, dtype, threads, seed):
    rng = np.random.default_rng(seed)
    x = layouts.strided(rng, numbers(rng, (2, 3, *geometry[0]), dtype))
    expected = columns_of(x, geometry)
    n, r, p = (part(rng, extent) for extent in expected.shape)
    expected = expected[n, r, p]
    target = layouts.Target(rng, expected.shape, dtype)
    core.im2col(core.Geometry(*geometry), x, target.array, n.start, r.start, p.start, threads)
    np.testing.assert_array_equal(target.result(), expected)


@settings(max_examples=40, deadline=None)
@given(geometries(), seeds)
def test_im2col_of_contiguous_arrays(level, geometry, seed):
    """The fast paths: rows that are copied whole, planes side by side, transposed panels."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, *geometry[0])).astype(np.float32)
    expected = columns_of(x, geometry)
    p = part(rng, expected.shape[2])
    rows_first = np.full(expected[:, :, p].shape, 7, np.float32)
    rows_last = np.full(rows_first.transpose(0, 2, 1).shape, 7, np.float32).transpose(0, 2, 1)
    for panel in (rows_first, rows_last):
        core.im2col(core.Geometry(*geometry), x, panel, 0, 0, p.start, 2)
        np.testing.assert_array_equal(panel, expected[:, :, p])


@settings(max_examples=60, deadline=None)
@given(geometries(), st.sampled_from(SUMMED), counts, seeds)
def test_col2im(level, layouts, geometry, dtype, threads, seed):
    rng = np.random.default_rng(seed)
    shape = (2, 3, *geometry[0])
    # Each input's number, 0 standing for the border: the map that im2col uses.
    size = math.prod(shape)
    source = columns_of(np.arange(1, size + 1).reshape(shape), geometry)
    n, r, p = (part(rng, extent) for extent in source.shape)
    cols = layouts.strided(rng, numbers(rng, source[n, r, p].shape, dtype))
    expected = np.ones(size + 1, dtype)
    np.add.at(expected, source[n, r, p].ravel(), cols.ravel())
    target = layouts.Target(rng, shape, dtype, fill=1)
    core.col2im(
        core.Geometry(*geometry), cols, target.array, dtype, n.start, r.start, p.start, threads
    )
    np.testing.assert_array_equal(target.result(), expected[1:].reshape(shape))


def test_col2im_wraps_integers(level):
    x = np.full((1, 1, 3), 250, np.uint8)
    cols = np.full((1, 1, 3), 10, np.uint8)
    core.col2im(core.Geometry((3,), (1,), (1,), (0,), (1,), (3,)), cols, x, "uint8", 0, 0, 0, 1)
    np.testing.assert_array_equal(x, np.full((1, 1, 3), 4, np.uint8))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=3).map(tuple),
    st.sampled_from(COPIED),
    counts,
    seeds,
)
def test_scatter(level, layouts, spatial, dtype, threads, seed):
    rng = np.random.default_rng(seed)
    shape = (2, 4, *spatial)
    expected = np.zeros((2, 4, math.prod(spatial)), dtype)
    n, c, p = (part(rng, extent) for extent in expected.shape)
    acc = layouts.strided(rng, numbers(rng, expected[n, c, p].shape, dtype))
    expected[n, c, p] = acc
    target = layouts.Target(rng, shape, dtype)
    core.scatter(acc, target.array, n.start, c.start, p.start, threads)
    np.testing.assert_array_equal(target.result(), expected.reshape(shape))


def test_empty_and_zero_sized_arrays_of_any_strides():
    geometry = core.Geometry((0, 4), (2, 2), (1, 1), (1, 0), (1, 1), (1, 3))
    x = np.empty((2, 0, 0, 4), np.float32)[::-1, :, :, ::-1]
    core.im2col(geometry, x, np.empty((2, 0, 3), np.float32), 0, 0, 0, 2)
    panel = np.ones((2, 12, 3), np.float32)
    core.im2col(geometry, np.empty((2, 3, 0, 4), np.float32), panel, 0, 0, 0, 2)
    assert not panel.any()


def test_rows_past_the_range_of_32_bits():
    x = np.broadcast_to(np.arange(3, dtype=np.int8), (1, 2**33, 3))
    panel = np.zeros((1, 4, 2), np.int8)
    core.im2col(core.Geometry((3,), (2,), (1,), (0,), (1,), (2,)), x, panel, 0, 2**34 - 4, 0, 1)
    np.testing.assert_array_equal(panel, [[[0, 1], [1, 2]] * 2])


GEOMETRY = ((4, 4), (2, 2), (1, 1), (0, 0), (1, 1), (3, 3))
huge = 2**62 - 1


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, (-1, 4)), (1, (0, 2)), (2, (1, 0)), (4, (0, 1)), (5, (3, -1)), (0, (4,)),
        (5, (3, 3, 3)), (3, (huge, 0)), (1, (huge, huge)), (5, (2**40, 2**40)),
        (3, (2**70, 0)), (4, (-(2**80), 1)),
    ],
)  # fmt: skip
def test_geometry_refuses(place, value):
    given = list(GEOMETRY)
    given[place] = value
    with pytest.raises(ValueError, match=r"."):
        core.Geometry(*given)


def test_geometry_is_immutable():
    geometry = core.Geometry(*GEOMETRY)
    with pytest.raises(ValueError, match="immutable"):
        geometry.__init__(*GEOMETRY)


near = st.integers(-2, 14) | st.sampled_from([2**62, 2**63, -(2**63), 2**70])


@settings(max_examples=150, deadline=None)
@given(
    x=st.lists(st.integers(0, 5), min_size=2, max_size=6).map(tuple),
    panel=st.lists(st.integers(0, 10), min_size=2, max_size=4).map(tuple),
    start=st.tuples(near, near, near),
    threads=st.integers(-1, 3),
    dtypes=st.tuples(st.sampled_from(["f4", "f8"]), st.sampled_from(["f4", "f8"])),
)
def test_wrong_calls_are_refused_and_right_ones_stay_inside(x, panel, start, threads, dtypes):
    """Every call either is a ValueError or reads and writes inside, which the sanitizers watch."""
    image, columns = np.ones(x, dtypes[0]), np.full(panel, 5, dtypes[1])
    geometry = core.Geometry(*GEOMETRY)
    right = (
        len(x) == 4
        and x[2:] == (4, 4)
        and len(panel) == 3
        and dtypes[0] == dtypes[1]
        and threads > 0
        and min(start) >= 0
        and start[0] + panel[0] <= x[0]
        and start[1] + panel[1] <= x[1] * 4
        and start[2] + panel[2] <= 9
    )
    name = np.dtype(dtypes[0]).name
    if right:
        core.im2col(geometry, image, columns, *start, threads)
        assert (columns == 1).all()
        core.col2im(geometry, columns, image, name, *start, threads)
        return
    with pytest.raises(ValueError, match=r"."):
        core.im2col(geometry, image, columns, *start, threads)
    with pytest.raises(ValueError, match=r"."):
        core.col2im(geometry, columns, image, name, *start, threads)
    assert (columns == 5).all()
    assert (image == 1).all()


@settings(max_examples=100, deadline=None)
@given(
    acc=st.lists(st.integers(0, 4), min_size=2, max_size=4).map(tuple),
    y=st.lists(st.integers(0, 3), min_size=2, max_size=6).map(tuple),
    start=st.tuples(near, near, near),
)
def test_scatter_refuses_what_does_not_fit(acc, y, start):
    source, target = np.ones(acc, "f4"), np.zeros(y, "f4")
    right = (
        len(acc) == 3
        and 3 <= len(y) <= 5
        and min(start) >= 0
        and start[0] + acc[0] <= y[0]
        and start[1] + acc[1] <= y[1]
        and start[2] + acc[2] <= math.prod(y[2:])
    )
    if right:
        core.scatter(source, target, *start, 1)
        assert target.sum() == source.size
        return
    with pytest.raises(ValueError, match=r"."):
        core.scatter(source, target, *start, 1)


def test_what_is_no_plain_buffer_is_refused():
    geometry = core.Geometry(*GEOMETRY)
    x, panel = np.zeros((1, 1, 4, 4)), np.zeros((1, 4, 9))
    panel.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        core.im2col(geometry, x, panel, 0, 0, 0, 1)
    with pytest.raises(TypeError, match="objects"):
        core.im2col(geometry, x.astype(object), np.zeros((1, 4, 9), object), 0, 0, 0, 1)
    with pytest.raises(TypeError):
        core.im2col(geometry, [[1.0]], np.zeros((1, 4, 9)), 0, 0, 0, 1)
    with pytest.raises(TypeError):
        core.im2col(None, x, np.zeros((1, 4, 9)), 0, 0, 0, 1)
    with pytest.raises(ValueError, match="dtype"):
        core.col2im(geometry, np.zeros((1, 4, 9)), x, "float16", 0, 0, 0, 1)


def test_a_buffer_is_given_back_even_when_the_call_fails():
    geometry = core.Geometry(*GEOMETRY)
    memory = bytearray(8 * 16)
    x = np.frombuffer(memory).reshape(1, 1, 4, 4)
    with pytest.raises(ValueError, match="rows"):
        core.im2col(geometry, x, np.zeros((1, 4, 9)), 0, 99, 0, 1)
    del x
    memory.clear()  # a BufferError if anything still held it


def test_what_was_never_initialised_is_refused():
    panel, x = np.zeros((1, 4, 9)), np.zeros((1, 1, 4, 4))
    with pytest.raises(TypeError):
        core.im2col(core.Geometry.__new__(core.Geometry), x, panel, 0, 0, 0, 1)
    with pytest.raises(TypeError):
        core.max_forward(core.Windows.__new__(core.Windows), x, x, None, False, "float64", 1)
