"""Bad input: the right class of error, with function, argument, what came and what was expected."""

import re

import numpy as np
import pytest
from conv_support import BFLOAT16, may_be_slow

import fastconv

pytestmark = may_be_slow

X, W = np.ones((2, 4, 6, 5)), np.ones((6, 2, 3, 3))
G = np.ones((2, 6, 4, 3))
XT, WT = np.ones((2, 6, 4, 3)), W
X1, W1 = np.ones((2, 4, 6)), np.ones((6, 4, 3))
COLUMNS = np.ones((2, 36, 12))
F, M = np.ones((3, 5)), np.ones((4, 5))


def conv(x=X, w=W, b=None, **rest):
    return fastconv.conv2d(x, w, b, **{"groups": 2, **rest})


def dx(shape=X.shape, w=W, g=G, **rest):
    return fastconv.conv2d_input_grad(shape, w, g, **{"groups": 2, **rest})


def dw(x=X, shape=W.shape, g=G, **rest):
    return fastconv.conv2d_weight_grad(x, shape, g, **{"groups": 2, **rest})


def back(g=G, x=X, w=W, **rest):
    return fastconv.conv2d_backward(g, x, w, **{"groups": 2, **rest})


def tr(x=XT, w=WT, b=None, **rest):
    return fastconv.conv_transpose2d(x, w, b, **{"groups": 2, **rest})


def trback(g=X, x=XT, w=WT, **rest):
    return fastconv.conv_transpose2d_backward(g, x, w, **{"groups": 2, **rest})


def im(x=X, k=3, **rest):
    return fastconv.im2col(x, k, **rest)


def col(c=COLUMNS, size=(6, 5), k=3, **rest):
    return fastconv.col2im(c, size, k, **rest)


lin, linback = fastconv.linear, fastconv.linear_backward

# (call, error, what the message says)
SHAPES = [
    (lambda: conv(np.ones(4)), "conv2d: x: got 1 axes, shape (4,), expected 4 axes (N, C, spatial"),
    (lambda: conv(np.ones((1, 2, 3, 4, 5))), "conv2d: x: got 5 axes"),
    (lambda: conv(np.float64(3)), "conv2d: x: got 0 axes"),
    (lambda: conv(np.ones((2, 3, 6, 5))), "conv2d: x: got 3 channels, expected 4: weight.shape[1]"),
    (lambda: conv(layout="NHWC"), "conv2d: x: got 5 channels, expected 4"),
    (lambda: conv(w=np.ones((6, 2, 3))), "conv2d: weight: got shape (6, 2, 3), expected 4 axes"),
    (
        lambda: conv(w=np.ones((6, 2, 3, 0))),
        "conv2d: weight: got shape (6, 2, 3, 0), expected a ke",
    ),
    (lambda: conv(w=np.ones((6, 2, 9, 3))), "conv2d: x: got extent 6 on spatial axis 0, 6 with pa"),
    (lambda: conv(b=np.ones(5)), "conv2d: bias: got shape (5,), expected shape (6,), one for each"),
    (lambda: conv(b=np.ones((6, 1))), "conv2d: bias: got shape (6, 1), expected shape (6,)"),
    (lambda: conv(b=1.0), "conv2d: bias: got shape (), expected shape (6,)"),
    (lambda: conv(groups=4), "conv2d: groups: got 4, expected a divisor of weight.shape[0] = 6"),
    (lambda: conv(groups=3), "conv2d: x: got 4 channels, expected 6"),
    (
        lambda: dx(shape=(2, 4, 6)),
        "conv2d_input_grad: x_shape: got (2, 4, 6), expected a shape of 4",
    ),
    (lambda: dx(shape=(2, 4, 6, -5)), "conv2d_input_grad: x_shape: got -5, expected 0 or more"),
    (
        lambda: dx(shape=(2, 4, 7, 5)),
        "conv2d_input_grad: grad: got shape (2, 6, 4, 3), expected sha",
    ),
    (lambda: dx(shape=(2, 5, 6, 5)), "conv2d_input_grad: x_shape: got 5 channels, expected 4"),
    (
        lambda: dw(shape=(6, 2, 3)),
        "conv2d_weight_grad: weight_shape: got (6, 2, 3), expected a shape",
    ),
    (
        lambda: dw(shape=(6, 2, 3, 2)),
        "conv2d_weight_grad: grad: got shape (2, 6, 4, 3), expected sh",
    ),
    (
        lambda: dw(g=G[:1]),
        "conv2d_weight_grad: grad: got shape (1, 6, 4, 3), expected shape (2, 6, 4",
    ),
    (lambda: back(g=G[0]), "conv2d_backward: x: got (2, 4, 6, 5), expected a shape of 3 extents"),
    (
        lambda: tr(np.ones((2, 5, 4, 3))),
        "conv_transpose2d: x: got 5 channels, expected weight.shape[",
    ),
    (lambda: tr(b=np.ones(6)), "conv_transpose2d: bias: got shape (6,), expected shape (4,)"),
    (
        lambda: tr(padding=9),
        "conv_transpose2d: padding: got (9, 9) on spatial axis 0, which leaves",
    ),
    (
        lambda: trback(g=X[..., 1:]),
        "conv_transpose2d_backward: grad: got shape (2, 4, 6, 4), expec",
    ),
    (lambda: im(np.ones(3)), "im2col: x: got 1 axes, shape (3,), expected (N, C, spatial...) or"),
    (lambda: im(k=7), "im2col: x: got extent 6 on spatial axis 0"),
    (lambda: im(k=0), "im2col: kernel_size: got 0, expected 1 or more"),
    (lambda: im(k=()), "im2col: kernel_size: got (), expected an int, or 2 ints"),
    (lambda: col(np.ones(36)), "col2im: cols: got shape (36,), expected (N, C * prod(kernel), L)"),
    (
        lambda: col(np.ones((2, 35, 12))),
        "col2im: cols: got shape (2, 35, 12), expected rows in mul",
    ),
    (
        lambda: col(np.ones((2, 36, 11))),
        "expected rows in multiples of 9, the kernel's elements, an",
    ),
    (lambda: col(size=(6, 0)), "col2im: output_size: got 0, expected 1 or more"),
    (lambda: col(size=(6, 5, 4)), "col2im: "),
    (lambda: col(size=[]), "col2im: output_size: got [], expected 1 to 3 spatial extents"),
    (lambda: col(size=(1,) * 4), "col2im: output_size: got (1, 1, 1, 1), expected 1 to 3 spatial"),
    (
        lambda: lin(F, np.ones((4, 6))),
        "linear: x: got shape (3, 5), expected (..., 6): weight's in",
    ),
    (lambda: lin(F, np.ones((1, 4, 5))), "linear: weight: got shape (1, 4, 5), expected (out feat"),
    (lambda: lin(np.float64(1), M), "linear: x: got shape (), expected (..., 5)"),
    (lambda: lin(F, M, np.ones(5)), "linear: bias: got shape (5,), expected shape (4,)"),
    (
        lambda: linback(np.ones((3, 5)), F, M),
        "linear_backward: grad: got shape (3, 5), expected sh",
    ),
    (lambda: linback(np.ones((2, 4)), F, M, wrt="bias"), "linear_backward: grad: got shape (2, 4)"),
]
PARAMETERS = [
    (lambda: conv(stride=0), "conv2d: stride: got 0, expected 1 or more"),
    (lambda: conv(stride=(1, -1)), "conv2d: stride: got -1, expected 1 or more"),
    (lambda: conv(stride=(1, 1, 1)), "conv2d: stride: got (1, 1, 1), expected an int, or 2 ints"),
    (lambda: conv(stride=np.array([])), "conv2d: stride: got array([]"),
    (lambda: conv(dilation=0), "conv2d: dilation: got 0, expected 1 or more"),
    (lambda: conv(dilation=[2, 0]), "conv2d: dilation: got 0, expected 1 or more"),
    (lambda: conv(groups=0), "conv2d: groups: got 0, expected 1 or more"),
    (lambda: conv(padding=-1), "conv2d: padding: got -1, expected 0 or more"),
    (lambda: conv(padding=((1, 1), (1, -1))), "conv2d: padding: got -1, expected 0 or more"),
    (
        lambda: conv(padding=(1, 2, 3)),
        "conv2d: padding: got (1, 2, 3), expected an int, 2 ints, or",
    ),
    (lambda: conv(padding=(1, 2, 3, 4)), "write pairs, for instance ((1, 2), (3, 4))"),
    (lambda: conv(padding=np.array([1, 2, 3, 4])), "write pairs, for instance ((1, 2), (3, 4))"),
    (
        lambda: conv(padding=((1, 2),)),
        "conv2d: padding: got ((1, 2),), expected an int, 2 ints, or 2",
    ),
    (lambda: conv(padding=((1, 2, 3), (1, 2, 3))), "expected an int, 2 ints, or 2 (before, after)"),
    (
        lambda: conv(padding=(1, (1, 2))),
        "conv2d: padding: got (1, (1, 2)), expected an int, 2 ints",
    ),
    (lambda: conv(padding=()), "conv2d: padding: got (), expected an int, 2 ints, or 2 (before"),
    (
        lambda: conv(padding="SAME"),
        "conv2d: padding: got 'SAME', expected an int, 2 ints, or 2 (be",
    ),
    (
        lambda: conv(padding="same_upper"),
        'or 2 (before, after) pairs such as ((1, 2), (1, 2)), "val',
    ),
    (
        lambda: tr(padding="same"),
        "conv_transpose2d: padding: got 'same', expected an int, 2 ints, or",
    ),
    (
        lambda: tr(output_padding=1),
        "conv_transpose2d: output_padding: got 1, expected less than str",
    ),
    (lambda: tr(output_padding=-1), "conv_transpose2d: output_padding: got -1, expected 0 or more"),
    (
        lambda: tr(stride=2, output_padding=(1, 2)),
        "conv_transpose2d: output_padding: got 2, expect",
    ),
    (
        lambda: conv(activation="Relu"),
        "conv2d: activation: got 'Relu', expected None or one of relu,",
    ),
    (lambda: lin(F, M, activation="elu"), "linear: activation: got 'elu', expected None or one of"),
    (lambda: conv(layout="nchw"), "conv2d: layout: got 'nchw', expected one of NCHW, NHWC"),
    (lambda: conv(layout=None), "conv2d: layout: got None, expected one of NCHW, NHWC"),
    (
        lambda: fastconv.conv1d(X1, W1, layout="NCHW"),
        "conv1d: layout: got 'NCHW', expected one of N",
    ),
    (lambda: im(layout="NCW"), "im2col: layout: got 'NCW', expected one of NCHW, NHWC"),
    (lambda: back(wrt=("x", "w")), "conv2d_backward: wrt: got 'w', expected names out of"),
    (lambda: linback(np.ones((3, 4)), F, M, wrt="b"), "linear_backward: wrt: got 'b', expected"),
    (lambda: conv(algorithm="winograd3"), "conv2d: algorithm: got 'winograd3', expected one of "),
    (lambda: conv(threads=0), "conv2d: threads: got 0, expected 1 or more"),
    (lambda: conv(workspace_limit=-5), "conv2d: workspace_limit: got -5, expected 1 or more"),
    (lambda: conv(backend="nobody"), "conv2d: backend: got 'nobody', expected the name of an inst"),
]
TYPES = [
    (lambda: conv(stride=True), "conv2d: stride: got True, expected an int"),
    (lambda: conv(stride=1.0), "conv2d: stride: got 1.0, expected an int"),
    (lambda: conv(stride="2"), "conv2d: stride: got '2', expected an int"),
    (lambda: conv(stride=None), "conv2d: stride: got None, expected an int"),
    (lambda: conv(stride=(1, 2.5)), "conv2d: stride: got 2.5, expected an int"),
    (lambda: conv(stride=np.array([1.0, 1.0])), "conv2d: stride: got np.float64(1.0), expected an"),
    (lambda: conv(stride={1: 1, 2: 2}), "conv2d: stride: got {1: 1, 2: 2}, expected an int"),
    (lambda: conv(dilation=False), "conv2d: dilation: got False, expected an int"),
    (lambda: conv(padding=True), "conv2d: padding: got True, expected an int"),
    (lambda: conv(padding=0.5), "conv2d: padding: got 0.5, expected an int"),
    (lambda: conv(padding=((0, 1), (0, "1"))), "conv2d: padding: got '1', expected an int"),
    (lambda: conv(groups=2.0), "conv2d: groups: got 2.0, expected an int"),
    (lambda: conv(groups=np.True_), "conv2d: groups: got np.True_, expected an int"),
    (lambda: conv(activation=3), "conv2d: activation: got 3, expected a name (str) or None"),
    (lambda: conv(activation=["relu"]), "conv2d: activation: got ['relu'], expected a name (str)"),
    (
        lambda: conv(X.astype(complex), activation="relu"),
        "conv2d: activation: got 'relu' for a resu",
    ),
    (lambda: im(k="33"), "im2col: kernel_size: got '33', expected an int"),
    (lambda: im(k=None), "im2col: kernel_size: got None, expected an int"),
    (lambda: col(size="65"), "col2im: output_size: got '65', expected an int"),
    (lambda: dx(shape=4), "conv2d_input_grad: x_shape: got 4, expected a shape of 4 extents"),
    (lambda: dx(shape=(2, 4, 6, 5.0)), "conv2d_input_grad: x_shape: got 5.0, expected an int"),
    (lambda: back(wrt=None), "conv2d_backward: wrt: got None, expected names out of"),
    (lambda: back(wrt=3), "conv2d_backward: wrt: got 3, expected names out of"),
    (
        lambda: conv(strides=2),
        "conv2d() got an unexpected keyword argument 'strides'. The policy ke",
    ),
    (lambda: im(kernel=2), "im2col() got an unexpected keyword argument 'kernel'"),
    (lambda: lin(F, M, foo=1), "linear() got an unexpected keyword argument 'foo'"),
    (lambda: conv(threads="2"), "conv2d: threads: got '2', expected an int"),
    (lambda: conv(algorithm=3), "conv2d: algorithm: got 3, expected a name (str) or None"),
    (lambda: conv("image"), "conv2d: x: got 'image', expected an array of numbers"),
    (lambda: conv(w={"w": 1}), "conv2d: weight: got {'w': 1}, expected an array of numbers"),
    (lambda: conv([[1, 2], [3]]), "conv2d: x: got list that NumPy can't convert"),
    (lambda: conv(X.astype(object)), "conv2d: x: got dtype object, expected an array of numbers"),
    (lambda: conv(X.astype(str)), "conv2d: x: got dtype <U32, expected an array of numbers"),
    (
        lambda: conv(w=W.astype("M8[s]")),
        "conv2d: weight: got dtype datetime64[s], expected an array",
    ),
    (
        lambda: conv(w=W.astype("m8[s]")),
        "conv2d: weight: got dtype timedelta64[s], expected an array",
    ),
    (lambda: im(np.zeros(X.shape, "f4,f4")), "im2col: x: got dtype [('f0', '<f4'), ('f1', '<f4')]"),
    (
        lambda: conv(np.ma.array(X)),
        "conv2d: x: got a masked array, expected a plain array. Fill the",
    ),
    (lambda: conv(b=np.ma.ones(6)), "conv2d: bias: got a masked array, expected a plain array"),
    (lambda: im(np.ma.array(X)), "im2col: x: got a masked array"),
    (lambda: lin(F, np.ma.array(M)), "linear: weight: got a masked array"),
    (lambda: conv(X.astype("longdouble")), "which promotes to"),
    (lambda: lin(F.astype("clongdouble"), M), "linear: got x complex"),
    (
        lambda: conv(b=np.ones(6, complex)),
        "conv2d: bias: got dtype complex128, expected a real one",
    ),
    (
        lambda: conv(out=np.ones((2, 6, 4, 3), "f4")),
        "conv2d: out: got dtype float32, expected dtyp",
    ),
    (
        lambda: conv(out=np.ones((2, 6, 4, 3), ">f8")),
        "conv2d: out: got dtype >f8, expected dtype fl",
    ),
    (lambda: conv(out=[1, 2]), "conv2d: out: got list, expected an array"),
    (lambda: conv(out=np.ma.ones((2, 6, 4, 3))), "conv2d: out: got a numpy.ma.MaskedArray, expec"),
]
OUTS = [
    (
        lambda: conv(out=np.ones((2, 6, 3, 4))),
        "conv2d: out: got shape (2, 6, 3, 4), expected shape",
    ),
    (
        lambda: dx(out=np.ones(3)),
        "conv2d_input_grad: out: got shape (3,), expected shape (2, 4, 6, 5)",
    ),
    (
        lambda: dw(out=np.ones((6, 2, 3))),
        "conv2d_weight_grad: out: got shape (6, 2, 3), expected s",
    ),
    (
        lambda: tr(out=np.ones((2, 4, 6, 6))),
        "conv_transpose2d: out: got shape (2, 4, 6, 6), expect",
    ),
    (
        lambda: lin(F, M, out=np.ones((4, 3))),
        "linear: out: got shape (4, 3), expected shape (3, 4)",
    ),
    (
        lambda: im(out=np.ones((2, 36, 13))),
        "im2col: out: got shape (2, 36, 13), expected shape (2,",
    ),
    (lambda: col(out=np.ones((2, 4, 5, 6))), "col2im: out: got shape (2, 4, 5, 6), expected shape"),
    (
        lambda: conv(out=read_only((2, 6, 4, 3))),
        "conv2d: out: got a read-only array, expected a wri",
    ),
    (lambda: conv(out=repeated((2, 6, 4, 3))), "conv2d: out: got an array that overlaps itself"),
]


def read_only(shape):
    array = np.ones(shape)
    array.setflags(write=False)
    return array


def repeated(shape):
    return np.lib.stride_tricks.as_strided(np.ones(shape[-1]), shape, (0, 0, 0, 8))


def _table():
    for error, rows in ((ValueError, SHAPES + PARAMETERS + OUTS), (TypeError, TYPES)):
        for call, message in rows:
            yield pytest.param(call, error, message, id=message[:48])


@pytest.mark.parametrize(("call", "error", "message"), list(_table()))
def test_the_message_names_function_argument_got_and_expected(call, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    assert type(caught.value) is error
    # The same mistake made again, after good calls, is found again.
    conv(), dx(), dw(), tr(), im(), col(), lin(F, M)
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.skipif(not BFLOAT16, reason="needs ml_dtypes")
def test_the_two_halves_have_no_common_dtype_and_the_message_says_which_cast():
    with pytest.raises(
        TypeError, match=r"conv2d: got x float16, weight bfloat16: .*astype\('float"
    ):
        conv(X.astype("float16"), W.astype(BFLOAT16[0]))
    assert conv(X.astype("float32"), W.astype(BFLOAT16[0])).dtype == np.float32


def test_nothing_is_touched_before_the_error():
    out = np.full((2, 6, 4, 3), 7.0)
    with pytest.raises(ValueError, match="bias"):
        conv(b=np.ones(9), out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("wrt", [("x",), ("weight",), ("bias",)])
def test_every_gradient_checks_all_shapes(wrt):
    for wrong in (G[:, :5], G[..., 1:], G[:1], np.ones((2, 6, 4, 3, 1))):
        with pytest.raises(ValueError, match="conv2d_backward: "):
            back(wrong, wrt=wrt)
    with pytest.raises(ValueError, match="conv2d_backward: "):
        back(w=np.ones((6, 3, 3, 3)), wrt=wrt)
    with pytest.raises(ValueError, match="conv_transpose2d_backward: "):
        trback(X[:, :3], wrt=wrt)
    with pytest.raises(ValueError, match="linear_backward: "):
        linback(np.ones((3, 3)), F, M, wrt=wrt)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: conv(None), "x"),
        (lambda: conv(w=None), "weight"),
        (lambda: back(None), "grad"),
        (lambda: im(None), "x"),
        (lambda: col(None), "cols"),
        (lambda: lin(F, None), "weight"),
    ],
)
def test_none_is_no_array(call, argument):
    with pytest.raises(TypeError, match=f"{argument}: got None, expected an array of numbers"):
        call()
