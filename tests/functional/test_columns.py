"""im2col and col2im against sliding windows: any dtype, geometry, layout; adjoint to each other."""

from math import prod

import numpy as np
import pytest
from conv_support import (
    BFLOAT16,
    FLOATS,
    LAYOUTS,
    assert_within,
    bound_of,
    convolutions,
    may_be_slow,
    odd_memory,
    to_layout,
    values,
    wide,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core

pytestmark = may_be_slow
seeds = st.integers(0, 2**32 - 1)
ALGORITHMS = ("compiled", "reference") if core else ("reference",)
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
WHOLE = tuple(np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64))


def windows(conv, x):
    """Return (N, C * prod(kernel), L): every window of the padded x."""
    kernel = conv.weight_shape[2:]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, conv.dilation, strict=True)]
    padded = np.pad(x, ((0, 0), (0, 0), *conv.pads))
    axes = tuple(range(2, x.ndim))
    seen = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=axes)
    seen = seen[(..., *(slice(None, None, d) for d in conv.dilation))]
    seen = seen[(slice(None), slice(None), *(slice(None, None, s) for s in conv.stride))]
    seen = np.moveaxis(seen, tuple(range(2, 2 + conv.ndim)), tuple(range(-conv.ndim, 0)))
    return seen.reshape(x.shape[0], x.shape[1] * prod(kernel), -1)


def folded(conv, columns):
    """Return the image that columns add up to, in their own dtype."""
    kernel = conv.weight_shape[2:]
    extents = [n + a + b for n, (a, b) in zip(conv.x_shape[2:], conv.pads, strict=True)]
    image = np.zeros((*conv.x_shape[:2], *extents), columns.dtype)
    parts = columns.reshape(*conv.x_shape[:2], prod(kernel), *conv.y_shape[2:])
    for number, tap in enumerate(np.ndindex(kernel)):
        axes = zip(tap, conv.dilation, conv.stride, conv.y_shape[2:], strict=True)
        box = tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, s, n in axes)
        image[(slice(None), slice(None), *box)] += parts[:, :, number]
    inner = zip(conv.x_shape[2:], conv.pads, strict=True)
    return image[(slice(None), slice(None), *(slice(a, a + n) for n, (a, _) in inner))]


def _arguments(conv):
    return conv.weight_shape[2:], conv.stride, conv.padding, conv.dilation


@every_algorithm
@settings(max_examples=80)
@given(
    convolutions(),
    st.sampled_from((*FLOATS, *WHOLE, np.dtype("bool"), np.dtype("longdouble"))),
    seeds,
    st.booleans(),
    st.booleans(),
)
def test_im2col_copies_windows_of_any_dtype(algorithm, conv, dtype, seed, channels_last, unbatched):
    rng = np.random.default_rng(seed)
    x = odd_memory(rng, values(rng, conv.x_shape, dtype))
    if unbatched:
        x = x[:1]
    given_x = to_layout(x, channels_last)
    columns = fastconv.im2col(
        given_x[0] if unbatched else given_x,
        *_arguments(conv),
        layout=LAYOUTS[conv.ndim][channels_last],
        algorithm=algorithm,
    )
    assert columns.dtype == dtype
    got = columns[None] if unbatched else columns
    if dtype in BFLOAT16:  # NumPy's pad and windows want a dtype of its own
        np.testing.assert_array_equal(got.view("uint16"), windows(conv, x.view("uint16")))
    else:
        np.testing.assert_array_equal(got, windows(conv, x))


@every_algorithm
@settings(max_examples=80)
@given(convolutions(), st.sampled_from((*FLOATS, *WHOLE)), seeds, st.booleans(), st.booleans())
def test_col2im_adds_up_and_keeps_the_dtype(algorithm, conv, dtype, seed, channels_last, unbatched):
    rng = np.random.default_rng(seed)
    if unbatched:
        conv = type(conv)(**{**vars(conv), "x_shape": (1, *conv.x_shape[1:])})
    shape = (
        *conv.x_shape[:1],
        conv.x_shape[1] * prod(conv.weight_shape[2:]),
        prod(conv.y_shape[2:]),
    )
    if dtype.kind in "iu":  # large ones, whose sums wrap around
        info = np.iinfo(dtype)
        columns = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    else:
        columns = values(rng, shape, dtype)
    columns = odd_memory(rng, columns)
    extents = conv.x_shape[2:]
    call = (fastconv.col2im, columns[0] if unbatched else columns, extents, *_arguments(conv))
    options = {"layout": LAYOUTS[conv.ndim][channels_last], "algorithm": algorithm}
    image = call[0](*call[1:], **options)
    assert image.dtype == dtype
    image = image[None] if unbatched else image
    image = np.moveaxis(image, -1, 1) if channels_last else image
    if dtype.kind in "iu":
        np.testing.assert_array_equal(image, folded(conv, columns.astype(dtype)))
        return
    magnitudes = folded(conv, np.abs(wide(columns)))
    assert_within(image, folded(conv, wide(columns)), magnitudes, bound_of(*call, **options), 1)


def test_every_level_copies_and_adds(level):
    rng = np.random.default_rng(0)
    for dtype in (*FLOATS, *WHOLE):
        x = values(rng, (2, 3, 17, 14), dtype)
        columns = fastconv.im2col(x, (3, 2), 2, 1)
        again = fastconv.im2col(x, (3, 2), 2, 1, algorithm="reference")
        np.testing.assert_array_equal(columns, again)
        image = fastconv.col2im(columns, (17, 14), (3, 2), 2, 1)
        again = fastconv.col2im(columns, (17, 14), (3, 2), 2, 1, algorithm="reference")
        kind = complex if dtype.kind == "c" else float
        np.testing.assert_allclose(image.astype(kind), again.astype(kind), 2.0**-7)


@settings(max_examples=60)
@given(convolutions(), seeds)
def test_they_are_adjoint(conv, seed):
    rng = np.random.default_rng(seed)
    x = values(rng, conv.x_shape, "complex128")
    columns = fastconv.im2col(x, *_arguments(conv))
    other = values(rng, columns.shape, "complex128")
    image = fastconv.col2im(other, conv.x_shape[2:], *_arguments(conv))
    scale = np.abs(other).sum() * np.abs(x).max()
    assert abs(np.vdot(other, columns) - np.vdot(image, x)) <= 1e-12 * scale


@pytest.mark.parametrize("dtype", ["float32", "int8", "float16"])
def test_threads_do_not_change_a_bit(dtype):
    rng = np.random.default_rng(0)
    columns = values(rng, (2, 5 * 9, 62 * 62), dtype)
    images = [fastconv.col2im(columns, 64, 3, threads=threads) for threads in (1, 2, 3, 50)]
    assert len({image.tobytes() for image in images}) == 1


def test_a_lone_int_means_an_image_without_a_batch_as_in_pytorch():
    x = np.arange(48).reshape(3, 4, 4)
    np.testing.assert_array_equal(fastconv.im2col(x, 3), fastconv.im2col(x[None], 3)[0])
    np.testing.assert_array_equal(fastconv.im2col(x, (3, 3)), fastconv.im2col(x, 3))
    # One int in a sequence means one spatial axis.
    np.testing.assert_array_equal(fastconv.im2col(x, (3,)), fastconv.im2col(x[:, :, None], (1, 3)))
    np.testing.assert_array_equal(fastconv.im2col(x[0], [3]), fastconv.im2col(x, [3])[0])
    assert fastconv.im2col(x[None, None], 2).shape == (1, 8, 2 * 3 * 3)


def test_a_limit_holds_for_columns():
    columns = np.ones((1, 4, 10000), "float16")
    with fastconv.trace() as ran:
        fastconv.col2im(columns, (1, 10003), (1, 4), workspace_limit=2**18)
    assert 0 < ran[0].workspace_bytes <= 2**18
    with pytest.raises(fastconv.WorkspaceLimitError, match="col2im: workspace_limit=99 "):
        fastconv.col2im(columns, (1, 10003), (1, 4), workspace_limit=99)
