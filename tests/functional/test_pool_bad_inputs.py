"""What pools refuse, before anything is touched, and how the message says it."""

import re

import numpy as np
import pytest

import fastconv
from fastconv.cpu.isa import core

ALGORITHMS = ["reference"] if core is None else ["compiled", "reference"]
if core is None:  # everything is the reference's then, which says that it is slow
    pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")

X = np.zeros((2, 3, 6, 8))
Y = np.zeros((2, 3, 3, 4))
AT = np.zeros((2, 3, 3, 4), np.int64)
F = fastconv


def bad(function, *args, **keywords):
    return (getattr(F, function), args, keywords)


VALUE_ERRORS = [
    # Shapes.
    (bad("max_pool2d", X[0, 0], 2), "max_pool2d: x: got 2 axes, shape (6, 8), expected 4 axes"),
    (bad("max_pool1d", X, 2), "max_pool1d: x: got 4 axes"),
    (bad("avg_pool2d", np.zeros((2, 0, 4, 4)), 2), "avg_pool2d: x: got shape (2, 0, 4, 4), exp"),
    (bad("lp_pool2d", np.zeros((2, 3, 0, 4)), 2, 2), "lp_pool2d: x: got shape (2, 3, 0, 4), exp"),
    (bad("adaptive_avg_pool2d", np.zeros((2, 3, 0, 4)), 2), "expected 1 or more along every axis"),
    (bad("max_pool2d", np.zeros((2, 4, 4, 0)), 2, layout="NHWC"), "got shape (2, 4, 4, 0)"),
    (bad("max_pool2d", X, 9), "max_pool2d: x: got extent 6 on spatial axis 0, 6 with padding, "
                              "expected at least 9, which a kernel of 9 with dilation 1 covers"),
    (bad("max_pool2d", X, 3, dilation=4), "got extent 6 on spatial axis 0, 6 with padding, "
                                          "expected at least 9, which a kernel of 3 with dila"),
    # Parameters.
    (bad("max_pool2d", X, 0), "max_pool2d: kernel_size: got 0, expected 1 or more"),
    (bad("max_pool2d", X, (2, 2, 2)), "max_pool2d: kernel_size: got (2, 2, 2), expected an int"),
    (bad("max_pool2d", X, 2, 0), "max_pool2d: stride: got 0, expected 1 or more"),
    (bad("max_pool2d", X, 2, -1), "max_pool2d: stride: got -1, expected 1 or more"),
    (bad("max_pool2d", X, 2, dilation=0), "max_pool2d: dilation: got 0, expected 1 or more"),
    (bad("max_pool2d", X, 2, padding=-1), "max_pool2d: padding: got -1, expected 0 or more"),
    (bad("max_pool2d", X, 2, padding=2), "max_pool2d: padding: got 2, which is 2 on spatial axis "
                                         "0, expected at most 1, half of the kernel's 2"),
    (bad("avg_pool2d", X, 3, padding=(0, 2)), "which is 2 on spatial axis 1, expected at most 1"),
    (bad("avg_pool2d", X, 3, padding=((0, 3), (0, 0))), "expected at most 2, one less than the 3"),
    (bad("avg_pool2d", X, 3, padding=(1, 1, 1, 1)), "write pairs, for instance ((1, 1), (1, 1))"),
    (bad("max_pool2d", X, 2, padding="full"), 'padding: got \'full\', expected'),
    (bad("max_pool2d", X, 2, layout="CHWN"), "layout: got 'CHWN', expected one of NCHW, NHWC"),
    (bad("max_pool2d", X, 2**40, ceil_mode=True, stride=2**48), "expected windows that cover at"),
    (bad("max_pool2d", X, 2, 2**64), "max_pool2d: stride: got 18446744073709551616, expected at "),
    (bad("avg_pool2d", X, 2, divisor_override=0), "divisor_override: got 0, expected None, or an"),
    (bad("avg_pool2d", X, 2, divisor_override=2**61), "expected at most 2**48"),
    (bad("lp_pool2d", X, 0, 2), "lp_pool2d: norm_type: got 0, expected a number other than 0"),
    (bad("lp_pool2d", X, float("nan"), 2), "lp_pool2d: norm_type: got nan, expected a number"),
    (bad("adaptive_avg_pool2d", X, -1), "output_size: got -1, expected 0 or more"),
    (bad("adaptive_max_pool2d", X, (1, 2, 3)), "output_size: got (1, 2, 3), expected an int or"),
    (bad("adaptive_max_pool2d", X, (1,)), "output_size: got (1,), expected an int or None, or 2"),
    (bad("max_pool1d", np.zeros((1, 1)), 2, 1, 1, 2, return_indices=True),
     "max_pool1d: dilation: got 2 with padding (1, 1) on spatial axis 0, so that a window"),
    # Unpooling.
    (bad("max_unpool2d", Y, AT[:1], 2), "max_unpool2d: indices: got shape (1, 3, 3, 4), expected"),
    (bad("max_unpool2d", Y, AT - 1, 2), "max_unpool2d: indices: got an index of -1, expected "
                                        "indices from 0 to 47, into planes of shape (6, 8)"),
    (bad("max_unpool2d", Y, AT + 48, 2), "max_unpool2d: indices: got an index of 48, expected"),
    (bad("max_unpool2d", Y, AT.astype(np.uint64) + np.uint64(2**63), 2), "got an index of -92233"),
    (bad("max_unpool2d", Y, AT, 2, output_size=(4, 8)), "output_size: got 4 on spatial axis 0, ex"
                                                        "pected more than 4 and less than 8"),
    (bad("max_unpool2d", Y, AT, 2, output_size=(6, 8, 1)), "output_size: got (6, 8, 1), expected"),
    (bad("max_unpool2d", Y, AT, 2, padding=3), "padding: got 3, which leaves a result of extents"),
    (bad("max_unpool2d", Y, AT, 2, padding="same"), "max_unpool2d: padding: got 'same', expected"),
    (bad("max_unpool2d_backward", X, Y, AT + 48, 2), "max_unpool2d_backward: indices: got an in"),
    (bad("max_unpool2d_backward", X, X, AT, 2), "max_unpool2d_backward: grad: got shape (2, 3, 6"),
    # Gradients.
    (bad("max_pool2d_backward", X, X, AT, 2), "max_pool2d_backward: grad: got shape (2, 3, 6, 8), "
                                              "expected shape (2, 3, 3, 4), that of the pool's"),
    (bad("max_pool2d_backward", Y, X, AT[..., :1], 2), "indices: got shape (2, 3, 3, 1), expected"),
    (bad("max_pool2d_backward", Y, X, AT + 48, 2), "max_pool2d_backward: indices: got an index of"),
    (bad("max_pool2d_backward", Y, X[0], AT, 2), "max_pool2d_backward: x: got shape (3, 6, 8), exp"
                                                 "ected 4 axes, as grad has with its shape"),
    (bad("max_pool2d_backward", Y, X[:, :, :, :0], AT, 2), "x: got shape (2, 3, 6, 0), expected 1"),
    (bad("avg_pool2d_backward", X, X, 2), "avg_pool2d_backward: grad: got shape (2, 3, 6, 8), exp"),
    (bad("lp_pool2d_backward", X, X, 2, 2), "lp_pool2d_backward: grad: got shape (2, 3, 6, 8)"),
    (bad("adaptive_avg_pool2d_backward", Y[:1], X), "grad: got shape (1, 3, 3, 4), expected shape"),
    (bad("adaptive_avg_pool2d_backward", Y, X, 2), "expected shape (2, 3, 2, 2), that of the pool"),
    (bad("adaptive_max_pool2d_backward", Y, X, AT + 48), "adaptive_max_pool2d_backward: indices: "),
    (bad("max_pool2d", X, 2, out=np.zeros((2, 3, 3, 3))), "max_pool2d: out: got shape (2, 3, 3, "),
    (bad("max_pool2d", X, 2, out=np.broadcast_to(0.0, Y.shape)), "max_pool2d: out: got a read-onl"),
]  # fmt: skip

TYPE_ERRORS = [
    (bad("max_pool2d", X.astype(complex), 2), "max_pool2d: x: got dtype complex128, expected a re"),
    (bad("lp_pool2d", X.astype(complex), 2, 2), "lp_pool2d: x: got dtype complex128, expected a"),
    (bad("adaptive_max_pool2d", X.astype(complex), 2), "adaptive_max_pool2d: x: got dtype complex"),
    (bad("max_pool2d", X.astype("M8[s]"), 2), "max_pool2d: x: got dtype datetime64"),
    (bad("avg_pool2d", X.astype(np.longdouble), 2), "avg_pool2d: got x"),
    (bad("max_pool2d", "image", 2), "max_pool2d: x: got 'image', expected an array of numbers"),
    (bad("max_pool2d", None, 2), "max_pool2d: x: got None, expected an array of numbers"),
    (bad("max_unpool2d", Y, None, 2), "max_unpool2d: indices: got None, expected an array of num"),
    (bad("max_pool2d", X, 2.0), "max_pool2d: kernel_size: got 2.0, expected an int"),
    (bad("max_pool2d", X, True), "max_pool2d: kernel_size: got True, expected an int"),
    (bad("max_pool2d", X, "2"), "max_pool2d: kernel_size: got '2', expected an int"),
    (bad("max_pool2d", X, 2, ceil_mode=1), "max_pool2d: ceil_mode: got 1, expected True or False"),
    (bad("max_pool2d", X, 2, return_indices=1), "return_indices: got 1, expected True or False"),
    (bad("avg_pool2d", X, 2, count_include_pad=0), "count_include_pad: got 0, expected True or"),
    (bad("avg_pool2d", X, 2, divisor_override=2.0), "divisor_override: got 2.0, expected an int"),
    (bad("lp_pool2d", X, "2", 2), "lp_pool2d: norm_type: got '2', expected a number"),
    (bad("lp_pool2d", X, None, 2), "lp_pool2d: norm_type: got None, expected a number"),
    (bad("adaptive_avg_pool2d", X, 1.5), "adaptive_avg_pool2d: output_size: got 1.5, expected an"),
    (bad("max_unpool2d", Y, AT.astype(float), 2), "max_unpool2d: indices: got dtype float64, expe"),
    (bad("max_unpool2d", Y, AT, 2, output_size=6), "output_size: got 6, expected 2 ints or None"),
    (bad("max_pool2d_backward", Y, X, AT.astype(bool), 2), "indices: got dtype bool, expected int"),
    (bad("max_pool2d_backward", Y.astype(bool), X, AT, 2), "grad: got dtype bool, expected number"),
    (bad("max_pool2d_backward", Y.astype(complex), X, AT, 2), "grad: got dtype complex128, expect"),
    (bad("lp_pool2d_backward", Y.astype(complex), X, 2, 2), "grad: got dtype complex128, expected"),
    (bad("max_pool2d", X, 2, out=np.zeros(Y.shape, np.float32)), "max_pool2d: out: got dtype floa"),
    (bad("max_pool2d", X, 2, thread=1), "unexpected keyword argument 'thread'"),
]


def _check(error, call, message):
    function, args, keywords = call
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    with pytest.raises(error, match=re.escape(message)) as caught:
        function(*args, **keywords)
    assert type(caught.value) is error
    assert str(caught.value).startswith(function.__name__)
    for old, new in zip(before, args, strict=True):
        if isinstance(old, np.ndarray):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("call", "message"), VALUE_ERRORS)
def test_value_errors(call, message):
    _check(ValueError, call, message)


@pytest.mark.parametrize(("call", "message"), TYPE_ERRORS)
def test_type_errors(call, message):
    _check(TypeError, call, message)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_indices_are_checked_before_out_is_touched(algorithm):
    out = np.full((2, 3, 6, 8), 7.0)
    indices = AT.copy()
    indices[-1, -1, -1, -1] = 48
    with pytest.raises(ValueError, match="max_unpool2d: indices: got an index of 48"):
        fastconv.max_unpool2d(Y, indices, 2, out=out, algorithm=algorithm)
    assert (out == 7).all()


def test_mixed_arguments_are_positional_as_in_pytorch():
    """The order of parameters, by names."""
    from inspect import signature

    windows = "kernel_size stride padding"
    expected = {
        "max_pool2d": f"x {windows} dilation ceil_mode return_indices",
        "avg_pool2d": f"x {windows} ceil_mode count_include_pad divisor_override",
        "lp_pool2d": f"x norm_type {windows} ceil_mode",
        "adaptive_avg_pool2d": "x output_size",
        "adaptive_max_pool2d": "x output_size return_indices",
        "max_unpool2d": f"x indices {windows} output_size",
        "max_pool2d_backward": f"grad x indices {windows} dilation ceil_mode",
        "avg_pool2d_backward": f"grad x {windows} ceil_mode count_include_pad divisor_override",
        "lp_pool2d_backward": f"grad x norm_type {windows} ceil_mode",
        "adaptive_avg_pool2d_backward": "grad x output_size",
        "adaptive_max_pool2d_backward": "grad x indices output_size",
        "max_unpool2d_backward": f"grad x indices {windows} output_size",
    }
    for name, parameters in expected.items():
        for ndim in "123":
            found = signature(getattr(fastconv, name.replace("2", ndim))).parameters.values()
            positional = [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]
            assert positional == parameters.split(), name
