"""The CS231n names against the course's definitions, written out."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv.compat import cs231n

GEOMETRIES = [
    # N, C, H, W, field height, field width, padding, stride
    (2, 3, 5, 5, 3, 3, 1, 1),
    (1, 2, 7, 6, 3, 2, 0, 2),
    (3, 1, 4, 9, 1, 4, 2, 3),
    (2, 2, 4, 4, 4, 4, 0, 1),
]
DTYPES = ["float32", "float64"]


def images(geometry, dtype="float64"):
    n, c, h, w = geometry[:4]
    return np.random.default_rng(0).normal(size=(n, c, h, w)).astype(dtype)


def columns(x, fh, fw, padding, stride):
    """Column (position, image), row (channel, i, j)."""
    _n, _c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    found = []
    for top in range(0, h + 2 * padding - fh + 1, stride):
        for left in range(0, w + 2 * padding - fw + 1, stride):
            found += [image[:, top : top + fh, left : left + fw].ravel() for image in padded]
    return np.array(found).T


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", [*DTYPES, "int32"])
def test_im2col(geometry, dtype):
    x = (images(geometry) * 10).astype(dtype)
    fh, fw, padding, stride = geometry[4:]
    expected = columns(x, fh, fw, padding, stride)
    for function in (cs231n.im2col_cython, cs231n.im2col_indices):
        got = function(x, fh, fw, padding, stride)
        assert got.dtype == dtype
        assert got.flags.c_contiguous
        assert got.flags.writeable
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_index_arrays_take_the_columns_out_of_a_padded_image(geometry):
    x = images(geometry)
    fh, fw, padding, stride = geometry[4:]
    k, i, j = cs231n.get_im2col_indices(x.shape, fh, fw, padding, stride)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    taken = padded[:, k, i, j].transpose(1, 2, 0).reshape(len(k), -1)
    np.testing.assert_array_equal(taken, columns(x, fh, fw, padding, stride))


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_col2im_is_the_adjoint_of_im2col(geometry, dtype):
    n, c, h, w, fh, fw, padding, stride = geometry
    x = images(geometry, dtype)
    taken = columns(x, fh, fw, padding, stride)
    cols = np.random.default_rng(1).normal(size=taken.shape).astype(dtype)
    k, i, j = cs231n.get_im2col_indices(x.shape, fh, fw, padding, stride)
    padded = np.zeros((n, c, h + 2 * padding, w + 2 * padding))
    np.add.at(padded, (slice(None), k, i, j), cols.reshape(len(cols), -1, n).transpose(2, 0, 1))
    expected = padded[:, :, padding : padding + h, padding : padding + w]
    for got in (
        cs231n.col2im_cython(cols, n, c, h, w, fh, fw, padding, stride),
        cs231n.col2im_indices(cols, x.shape, fh, fw, padding, stride),
    ):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    positions = cols.shape[1] // n
    out_h = (h + 2 * padding - fh) // stride + 1
    # The six-dimensional form has the image index before the positions.
    six = cols.reshape(c, fh, fw, positions, n).transpose(0, 1, 2, 4, 3)
    six = six.reshape(c, fh, fw, n, out_h, positions // out_h)
    got = cs231n.col2im_6d_cython(six, n, c, h, w, fh, fw, padding, stride)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_padding_is_1_by_default_in_the_indices_versions():
    x = images((1, 1, 4, 4))
    np.testing.assert_array_equal(cs231n.im2col_indices(x, 3, 3), columns(x, 3, 3, 1, 1))
    ones = np.ones((9, 16))
    expected = cs231n.col2im_cython(ones, 1, 1, 4, 4, 3, 3, 1, 1)
    np.testing.assert_array_equal(cs231n.col2im_indices(ones, (1, 1, 4, 4)), expected)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_convolution_and_its_gradients(geometry, dtype):
    n, c, h, w, fh, fw, pad, stride = geometry
    rng = np.random.default_rng(2)
    x = images(geometry, dtype)
    weight = rng.normal(size=(4, c, fh, fw)).astype(dtype)
    bias = rng.normal(size=4).astype(dtype)
    out, cache = cs231n.conv_forward_fast(x, weight, bias, {"stride": stride, "pad": pad})
    cols = columns(x.astype("float64"), fh, fw, pad, stride)
    matrix = weight.reshape(4, -1).astype("float64")
    shape = (4, *out.shape[2:], n)
    expected = (matrix @ cols + bias[:, None]).reshape(shape).transpose(3, 0, 1, 2)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-11}
    assert out.dtype == dtype
    np.testing.assert_allclose(out, expected, **tolerance)

    dout = rng.normal(size=out.shape).astype(dtype)
    dx, dw, db = cs231n.conv_backward_fast(dout, cache)
    flat = dout.astype("float64").transpose(1, 2, 3, 0).reshape(4, -1)
    tolerance.setdefault("atol", 1e-11)
    np.testing.assert_allclose(db, flat.sum(1), **tolerance)
    np.testing.assert_allclose(dw, (flat @ cols.T).reshape(dw.shape), **tolerance)
    expected = cs231n.col2im_cython(matrix.T @ flat, n, c, h, w, fh, fw, pad, stride)
    np.testing.assert_allclose(dx, expected, **tolerance)
    assert dx.dtype == dw.dtype == db.dtype == dtype


def test_backward_takes_the_courses_longer_cache():
    x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    out, cache = cs231n.conv_forward_fast(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    dx, _, _ = cs231n.conv_backward_fast(np.ones_like(out), (*cache, "columns"))
    assert dx.tolist() == [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]]


@pytest.mark.parametrize(("height", "width", "stride"), [(2, 2, 2), (2, 3, 1), (3, 2, 2)])
def test_max_pool(height, width, stride):
    x = np.random.default_rng(0).permutation(2 * 3 * 6 * 7).reshape(2, 3, 6, 7) * 1.0
    param = {"pool_height": height, "pool_width": width, "stride": stride}
    out, cache = cs231n.max_pool_forward_fast(x, param)
    dout = np.random.default_rng(1).normal(size=out.shape)
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(out.shape):
        rows = slice(i * stride, i * stride + height)
        window = x[n, c, rows, j * stride : j * stride + width]
        assert out[n, c, i, j] == window.max()
        row, column = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i * stride + row, j * stride + column] += dout[n, c, i, j]
    assert out.shape[2] == (6 - height) // stride + 1
    np.testing.assert_allclose(cs231n.max_pool_backward_fast(dout, cache), dx)


def test_the_first_of_equal_maxima_gets_the_gradient():
    param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    out, cache = cs231n.max_pool_forward_fast(np.zeros((1, 1, 2, 4)), param)
    dx = cs231n.max_pool_backward_fast(np.ones_like(out), cache)
    assert dx.tolist() == [[[[1, 0, 1, 0], [0, 0, 0, 0]]]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cs231n.im2col_cython(np.ones((2, 2)), 1, 1, 0, 1), "x: got shape"),
        (lambda: cs231n.im2col_cython(np.ones((1, 1, 2, 2)), 3, 1, 0, 1), "at least the field's 3"),
        (lambda: cs231n.im2col_cython(np.ones((1, 1, 2, 2)), 1, 1, 0, 0), "stride: got 0"),
        (lambda: cs231n.col2im_cython(np.ones((4, 3)), 1, 1, 3, 3, 2, 2, 0, 1), "cols: got shape"),
        (
            lambda: cs231n.col2im_6d_cython(np.ones((1, 2, 2, 1, 2, 1)), 1, 1, 3, 3, 2, 2, 0, 1),
            "cols: got shape",
        ),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_courses_other_names_are_the_same_functions():
    assert cs231n.conv_forward_strides is cs231n.conv_forward_fast
    assert cs231n.conv_backward_im2col is cs231n.conv_backward_fast
    assert cs231n.max_pool_forward_im2col is cs231n.max_pool_forward_fast
