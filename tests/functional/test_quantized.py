"""Convolution of integers: ONNX's semantics, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv

# Which candidates there are depends on the machine; one may be slow, and says so.
pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")
BYTES = ("int8", "uint8")


def _bytes(rng, shape, dtype):
    ends = np.iinfo(dtype)
    return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)


def _exact(x, w, x_zero, w_zero, **options):
    wide = x.astype(np.float64) - x_zero
    zeros = np.asarray(w_zero, np.float64).reshape(-1, 1, 1, 1)
    return fastconv.conv2d(wide, w.astype(np.float64) - zeros, **options)


@st.composite
def _calls(draw):
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inner, outer = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    extents = draw(st.tuples(st.integers(3, 9), st.integers(3, 9)))
    padding = draw(st.sampled_from([0, 1, ((0, 2), (1, 0)), "same"]))
    return {
        "x": (draw(st.integers(1, 3)), inner * groups, *extents),
        "w": (outer * groups, inner, *kernel),
        "dtypes": draw(st.tuples(st.sampled_from(BYTES), st.sampled_from(BYTES))),
        "per_channel": draw(st.booleans()),
        "last": draw(st.booleans()),
        "options": {
            "stride": draw(st.integers(1, 2)),
            "padding": padding,
            "groups": groups,
        },
    }


def _drawn(call, seed):
    rng = np.random.default_rng(seed)
    x, w = _bytes(rng, call["x"], call["dtypes"][0]), _bytes(rng, call["w"], call["dtypes"][1])
    x_zero = int(_bytes(rng, (), x.dtype))
    w_zero = _bytes(rng, (len(w),) if call["per_channel"] else (), w.dtype)
    return rng, x, w, x_zero, w_zero


def _layout(call, x):
    return (np.ascontiguousarray(np.moveaxis(x, 1, -1)), "NHWC") if call["last"] else (x, "NCHW")


@settings(max_examples=60)
@given(_calls(), st.integers(0, 2**32))
def test_integers_are_convolved_exactly(call, seed):
    _, x, w, x_zero, w_zero = _drawn(call, seed)
    given_x, layout = _layout(call, x)
    y = fastconv.conv2d_integer(given_x, w, x_zero, w_zero, layout=layout, **call["options"])
    assert y.dtype == np.int32
    y = np.moveaxis(y, -1, 1) if call["last"] else y
    np.testing.assert_array_equal(y, _exact(x, w, x_zero, w_zero, **call["options"]))


@settings(max_examples=60)
@given(_calls(), st.integers(0, 2**32))
def test_requantised_results_are_those_of_the_formula(call, seed):
    rng, x, w, x_zero, w_zero = _drawn(call, seed)
    w_scale = rng.uniform(0.001, 0.1, w_zero.shape).astype("float32")
    x_scale, y_scale = np.float32(0.02), np.float32(rng.uniform(0.01, 3))
    bias = rng.integers(-5000, 5000, len(w), "int32") if seed % 2 else None
    y_zero = _bytes(rng, (), BYTES[seed % 3 % 2])
    given_x, layout = _layout(call, x)
    y = fastconv.qconv2d(
        given_x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias,
        layout=layout, **call["options"],
    )  # fmt: skip
    assert y.dtype == y_zero.dtype
    y = np.moveaxis(y, -1, 1) if call["last"] else y
    sums = _exact(x, w, x_zero, w_zero, **call["options"])
    sums += 0 if bias is None else bias.reshape(-1, 1, 1)
    factor = (x_scale * w_scale / y_scale).reshape(-1, 1, 1)
    ends = np.iinfo(y.dtype)
    whole = np.rint(sums.astype(np.float32) * factor) + np.float32(y_zero)
    np.testing.assert_array_equal(y, np.clip(whole, ends.min, ends.max))


def test_prepared_weights_and_out_and_threads_change_nothing():
    rng = np.random.default_rng(0)
    x, w = _bytes(rng, (2, 8, 12, 12), "uint8"), _bytes(rng, (6, 8, 3, 3), "int8")
    expected = fastconv.conv2d_integer(x, w, 3, 1, padding=1)
    prepared = fastconv.prepare(w, like=x)
    out = np.zeros_like(expected)
    for threads in (1, 3):
        y = fastconv.conv2d_integer(x, prepared, 3, 1, padding=1, out=out, threads=threads)
        assert y is out
        np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(fastconv.conv2d_integer(x[0], w, 3, 1, padding=1), expected[0])


def test_the_result_s_dtype_is_its_zero_point_s_or_x_s_or_named():
    x, w = np.ones((1, 1, 2, 2), "uint8"), np.ones((1, 1, 1, 1), "int8")

    def of(y_zero, **options):
        return fastconv.qconv2d(x, 1.0, 0, w, 1.0, 0, 1.0, y_zero, **options).dtype

    assert of(0) == "uint8"
    assert of(np.int8(0)) == "int8"
    assert of(0, dtype="int8") == "int8"
    assert of(np.int64(0)) == "uint8"


X, W = np.ones((1, 2, 4, 4), "uint8"), np.ones((3, 2, 2, 2), "int8")
GOOD = (X, 0.1, 0, W, 0.1, 0, 0.1, 0)
BAD = [
    (1, 0.0, ValueError, "x_scale: got 0.0, expected above 0 and finite"),
    (1, -1.0, ValueError, "x_scale: got -1.0"),
    (1, float("nan"), ValueError, "x_scale: got nan"),
    (1, 1e-60, ValueError, "x_scale: got 1e-60, expected above 0 and finite in float32"),
    (1, "1", TypeError, "x_scale: got dtype"),
    (1, [0.1, 0.2], ValueError, r"x_scale: got shape \(2,\), expected one number"),
    (4, [0.1, -0.2, 0.3], ValueError, "w_scale: got -0.2"),
    (4, [0.1, 0.2], ValueError, r"w_scale: got shape \(2,\), expected one number or shape \(3,\)"),
    (6, float("inf"), ValueError, "y_scale: got inf"),
    (2, 256, ValueError, "x_zero_point: got 256, expected 0 to 255, the range of uint8"),
    (2, -1, ValueError, "x_zero_point: got -1"),
    (2, 1.0, TypeError, "x_zero_point: got dtype float64, expected integers"),
    (5, [0, 0, 128], ValueError, "w_zero_point: got 128, expected -128 to 127"),
    (7, 300, ValueError, "y_zero_point: got 300"),
    (0, X.astype("float32"), TypeError, "x: got dtype float32, expected an array of int8 or uint8"),
    (3, W.astype("int16"), TypeError, "weight: got dtype int16"),
    (3, W[:, :1], ValueError, "x: got 2 channels"),
]


@pytest.mark.parametrize(("position", "value", "error", "message"), BAD)
def test_bad_arguments_are_named(position, value, error, message):
    arguments = list(GOOD)
    arguments[position] = value
    with pytest.raises(error, match=f"^qconv2d: {message}"):
        fastconv.qconv2d(*arguments)


def test_bad_arguments_of_the_other_function_and_of_the_bias_are_named():
    with pytest.raises(ValueError, match=r"^conv2d_integer: w_zero_point: got 200"):
        fastconv.conv2d_integer(X, W, 0, 200)
    with pytest.raises(TypeError, match=r"^conv2d_integer: x: got dtype float64"):
        fastconv.conv2d_integer(X.astype(float), W)
    with pytest.raises(TypeError, match=r"^qconv2d: bias: got dtype float64, expected int32"):
        fastconv.qconv2d(*GOOD, bias=np.zeros(3))
    with pytest.raises(ValueError, match=r"^qconv2d: bias: got shape \(2,\)"):
        fastconv.qconv2d(*GOOD, bias=np.zeros(2, "int32"))
    with pytest.raises(TypeError, match=r"^qconv2d: dtype: got dtype int16"):
        fastconv.qconv2d(*GOOD, dtype="int16")


@pytest.mark.parametrize(
    ("dtype", "zero", "most"), [("int8", 0, 131071), ("uint8", 0, 33025), ("int8", -128, 65793)]
)
def test_sums_that_int32_might_not_hold_are_refused(dtype, zero, most):
    w = np.zeros((1, most + 1, 1, 1), "uint8" if dtype == "uint8" else "int8")
    x = np.zeros((1, most + 1, 1, 1), dtype)
    with pytest.raises(ValueError, match=f"sums of {most + 1} products.*at most {most}"):
        fastconv.conv2d_integer(x, w, zero)
    assert fastconv.conv2d_integer(x[:, :most], w[:, :most], zero)[0, 0, 0, 0] == 0


def test_a_bias_counts_among_what_int32_must_hold():
    x, w = np.zeros((1, 33000, 1, 1), "uint8"), np.zeros((1, 33000, 1, 1), "uint8")
    bias = np.int32([2**31 - 1])
    with pytest.raises(ValueError, match=r"sums of 33000 products.*at most 0"):
        fastconv.qconv2d(x, 1.0, 0, w, 1.0, 0, 1.0, 0, bias)


def _onnx_model(operator, arrays, outputs, attributes):
    pytest.importorskip("onnx")
    from onnx import helper

    kinds = {n: helper.np_dtype_to_tensor_dtype(a.dtype) for n, a in arrays.items()}
    node = helper.make_node(operator, list(arrays), ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(n, kinds[n], a.shape) for n, a in arrays.items()],
        [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(outputs), None)],
    )
    # An IR that older runtimes read too.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=8)


def _evaluated(model, arrays):
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model).run(None, arrays)[0]


def _by_runtime(model, arrays):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, arrays)[0]


@pytest.mark.parametrize("run", [_evaluated, _by_runtime])
@pytest.mark.parametrize("groups", [1, 2])
def test_conv_integer_agrees_with_onnx(run, groups):
    rng = np.random.default_rng(groups)
    x, w = _bytes(rng, (2, 4, 7, 8), "uint8"), _bytes(rng, (6, 4 // groups, 3, 3), "uint8")
    arrays = {"x": x, "w": w, "x_zero_point": np.uint8(7), "w_zero_point": np.uint8(101)}
    attributes = {"group": groups, "pads": [1, 0, 2, 1], "strides": [2, 1]}
    model = _onnx_model("ConvInteger", arrays, np.dtype("int32"), attributes)
    y = fastconv.conv2d_integer(
        x, w, 7, 101, stride=(2, 1), padding=((1, 2), (0, 1)), groups=groups
    )
    np.testing.assert_array_equal(y, run(model, {n: np.asarray(a) for n, a in arrays.items()}))


@pytest.mark.parametrize("run", [_evaluated, _by_runtime])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("dtype", BYTES)
def test_qlinear_conv_agrees_with_onnx(run, per_channel, dtype):
    rng = np.random.default_rng(per_channel)
    x, w = _bytes(rng, (1, 4, 9, 8), dtype), _bytes(rng, (6, 4, 3, 3), "int8")
    several = (6,) if per_channel else ()
    w_scale = rng.uniform(0.002, 0.02, several).astype("float32")
    zeros = np.zeros(several, "int8")
    bias = rng.integers(-3000, 3000, 6, "int32")
    zero = _bytes(rng, (), dtype)
    scales = np.float32(0.03), np.float32(0.7)
    y_zero = np.dtype(dtype).type(11)
    arrays = {
        "x": x, "x_scale": scales[0], "x_zero_point": zero, "w": w, "w_scale": w_scale,
        "w_zero_point": zeros, "y_scale": scales[1], "y_zero_point": y_zero, "B": bias,
    }  # fmt: skip
    arrays = {n: np.asarray(a) for n, a in arrays.items()}
    model = _onnx_model("QLinearConv", arrays, np.dtype(dtype), {"pads": [1, 1, 1, 1]})
    y = fastconv.qconv2d(*list(arrays.values())[:8], bias, padding=1)
    expected = run(model, arrays)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y, expected)
