"""The book's names against its definitions, written out; its traps included."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from fastconv.compat import dlfs

GEOMETRIES = [
    # N, C, H, W, FH, FW, stride, pad
    (2, 3, 5, 5, 3, 3, 1, 1),
    (1, 2, 7, 6, 3, 2, 2, 0),
    (3, 1, 4, 9, 1, 4, 3, 2),
]


def rows(x, fh, fw, stride, pad):
    """Row (image, position), column (channel, i, j)."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))).astype("float64")
    _, _, h, w = padded.shape
    found = [
        image[:, top : top + fh, left : left + fw].ravel()
        for image in padded
        for top in range(0, h - fh + 1, stride)
        for left in range(0, w - fw + 1, stride)
    ]
    return np.array(found)


def add_up(col, shape, fh, fw, stride, pad):
    n, c, h, w = shape
    padded = np.zeros((n, c, h + 2 * pad, w + 2 * pad))
    row = 0
    for image in padded:
        for top in range(0, h + 2 * pad - fh + 1, stride):
            for left in range(0, w + 2 * pad - fw + 1, stride):
                image[:, top : top + fh, left : left + fw] += col[row].reshape(c, fh, fw)
                row += 1
    return padded[:, :, pad : pad + h, pad : pad + w]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int64", "bool"])
def test_im2col_is_always_float64(geometry, dtype):
    *shape, fh, fw, stride, pad = geometry
    x = np.random.default_rng(0).integers(0, 100, size=shape).astype(dtype)
    col = dlfs.im2col(x, fh, fw, stride, pad)
    assert col.dtype == np.float64
    assert col.flags.writeable
    assert not np.shares_memory(col, x)
    np.testing.assert_array_equal(col, rows(x, fh, fw, stride, pad))


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_col2im_adds_up_in_float64(geometry, dtype):
    *shape, fh, fw, stride, pad = geometry
    like = rows(np.zeros(shape), fh, fw, stride, pad)
    col = np.random.default_rng(0).normal(size=like.shape).astype(dtype)
    image = dlfs.col2im(col, tuple(shape), fh, fw, stride, pad)
    assert image.dtype == np.float64
    np.testing.assert_allclose(image, add_up(col, shape, fh, fw, stride, pad), rtol=1e-12)


def test_conv_output_size_is_a_float():
    size = dlfs.conv_output_size(28, 5, stride=2, pad=1)
    assert (type(size), size) == (float, 13.5)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convolution(geometry, dtype):
    *shape, fh, fw, stride, pad = geometry
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(dtype)
    w = rng.normal(size=(4, shape[1], fh, fw)).astype(dtype)
    b = rng.normal(size=4).astype(dtype)
    layer = dlfs.Convolution(w, b, stride, pad)
    assert layer.x is layer.col is layer.col_W is layer.dW is layer.db is None
    out = layer.forward(x)
    col = rows(x, fh, fw, stride, pad)
    matrix = w.reshape(4, -1).T.astype("float64")
    n, _, out_h, out_w = out.shape
    expected = (col @ matrix + b).reshape(n, out_h, out_w, 4).transpose(0, 3, 1, 2)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-12)
    assert layer.x is x
    np.testing.assert_array_equal(layer.col, col)
    np.testing.assert_array_equal(layer.col_W, matrix)

    dout = rng.normal(size=out.shape)
    dx = layer.backward(dout)
    flat = dout.transpose(0, 2, 3, 1).reshape(-1, 4)
    np.testing.assert_allclose(layer.db, flat.sum(0), rtol=1e-11)
    np.testing.assert_allclose(layer.dW, (col.T @ flat).T.reshape(w.shape), rtol=1e-9, atol=1e-12)
    expected = add_up(flat @ matrix.T, shape, fh, fw, stride, pad)
    np.testing.assert_allclose(dx, expected, rtol=1e-10, atol=1e-12)
    assert dx.dtype == layer.dW.dtype == layer.db.dtype == np.float64


def test_convolution_reads_w_anew_at_every_call():
    x = np.random.default_rng(0).normal(size=(1, 1, 4, 4))
    layer = dlfs.Convolution(np.ones((1, 1, 2, 2)), np.zeros(1))
    one = layer.forward(x)
    layer.W *= 2  # SGD updates in place
    np.testing.assert_allclose(layer.forward(x), 2 * one)
    layer.W = np.full((1, 1, 2, 2), 3.0)  # load_params rebinds
    np.testing.assert_allclose(layer.forward(x), 3 * one)


def test_backward_uses_the_filters_that_forward_used():
    x = np.ones((1, 1, 2, 2))
    layer = dlfs.Convolution(np.full((1, 1, 2, 2), 5.0), np.zeros(1))
    layer.forward(x)
    layer.W = np.zeros((1, 1, 2, 2))
    assert layer.backward(np.ones((1, 1, 1, 1))).ravel().tolist() == [5, 5, 5, 5]


@pytest.mark.parametrize(("height", "width", "stride"), [(2, 2, 2), (2, 3, 1), (3, 2, 2)])
def test_pooling(height, width, stride):
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 4, size=(2, 3, 6, 7)).astype(np.float32)  # small numbers: many ties
    layer = dlfs.Pooling(height, width, stride)
    assert layer.x is layer.arg_max is None
    out = layer.forward(x)
    col = rows(x, height, width, stride, 0).reshape(-1, height * width)
    n, c, out_h, out_w = out.shape
    assert out.dtype == np.float64
    expected = col.max(1).reshape(n, out_h, out_w, c).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(layer.arg_max, col.argmax(1))
    assert layer.x is x

    dout = rng.normal(size=out.shape)
    scattered = np.zeros_like(col)
    scattered[np.arange(len(col)), col.argmax(1)] = dout.transpose(0, 2, 3, 1).ravel()
    scattered = scattered.reshape(n * out_h * out_w, -1)
    expected = add_up(scattered, x.shape, height, width, stride, 0)
    dx = layer.backward(dout)
    assert dx.dtype == np.float64
    assert dx.flags.writeable
    np.testing.assert_allclose(dx, expected)


def test_pooling_strides_by_2_unless_told():
    assert dlfs.Pooling(2, 2).forward(np.zeros((1, 1, 4, 4))).shape == (1, 1, 2, 2)


def test_pooling_pads_with_zeros_where_the_books_size_agrees():
    layer = dlfs.Pooling(4, 4, stride=3, pad=1)
    x = -np.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    assert layer.forward(x).tolist() == [[[[0]]]]
    assert layer.arg_max.tolist() == [0]
    assert not layer.backward(np.ones((1, 1, 1, 1))).any()
    assert layer.forward(-x).tolist() == [[[[11]]]]
    assert layer.arg_max.tolist() == [15]
    dx = layer.backward(np.ones((1, 1, 1, 1)))
    assert dx.shape == x.shape
    assert dx[0, 0, 2, 2] == dx.sum() == 1


def test_pooling_refuses_a_pad_that_the_book_fails_with():
    with pytest.raises(ValueError, match="Pooling: pad: got 1, for which 3 windows of 2"):
        dlfs.Pooling(2, 2, stride=2, pad=1).forward(np.zeros((1, 1, 4, 4)))


def test_gradients_are_fresh():
    x = np.random.default_rng(0).normal(size=(1, 1, 4, 4))
    dout = np.ones((1, 1, 2, 2))
    for layer in (dlfs.Convolution(np.ones((1, 1, 3, 3)), np.zeros(1)), dlfs.Pooling(2, 2)):
        layer.forward(x)
        dx = layer.backward(dout)
        dx[...] = 7
        assert not np.shares_memory(dx, x)
        np.testing.assert_array_equal(dout, 1)
        assert (layer.backward(dout) != 7).all()


def test_layers_can_be_pickled():
    layer = dlfs.Convolution(np.ones((1, 1, 2, 2)), np.zeros(1))
    x = np.ones((1, 1, 3, 3))
    out = layer.forward(x)
    copy = pickle.loads(pickle.dumps(layer))
    np.testing.assert_array_equal(copy.forward(x), out)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: dlfs.im2col(np.ones((2, 2)), 1, 1), ValueError, "im2col: input_data: got shape"),
        (lambda: dlfs.im2col(np.ones((1, 1, 2, 2)), 3, 1), ValueError, "at least the window's 3"),
        (lambda: dlfs.im2col(np.ones((1, 1, 2, 2)), 1, 1, 0), ValueError, "stride: got 0"),
        (lambda: dlfs.im2col(np.ones((1, 1, 2, 2)), 1, 1, 1.0), TypeError, "stride: got 1.0"),
        (lambda: dlfs.im2col(np.ones((1, 1, 2, 2)) * 1j, 1, 1), TypeError, "dtype complex128"),
        (lambda: dlfs.col2im(np.ones((3, 4)), (1, 1, 3, 3), 2, 2), ValueError, "col2im: col: got"),
        (
            lambda: dlfs.Convolution(np.ones((1, 2, 1, 1)), np.zeros(1)).forward(
                np.ones((1, 1, 2, 2))
            ),
            ValueError,
            "channels",
        ),
        (
            lambda: dlfs.Convolution(np.ones((1, 1, 1, 1)), np.zeros(1)).backward(
                np.ones((1, 1, 2, 2))
            ),
            RuntimeError,
            "forward first",
        ),
        (lambda: dlfs.Pooling(2, 2).backward(np.ones(1)), RuntimeError, "forward first"),
    ],
)
def test_bad_calls_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
